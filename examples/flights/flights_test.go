package flights

import (
	"strings"
	"testing"
)

func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	landed, late := 0, 0
	for i := range all {
		if f := &all[i]; f.Landed {
			landed++
			if f.ArrDelay > 15 {
				late++
			}
			if f.LandedAt < f.Scheduled {
				t.Fatalf("flight %d landed before it left: %+v", f.ID, f)
			}
		}
	}
	if len(all) != 336776 || landed != 327346 || late != 77630 {
		t.Errorf("%d flights, %d landed, %d late", len(all), landed, late)
	}
	want := Flight{ID: 1, Month: 1, Day: 1, Hour: 5, Minute: 15, Carrier: "UA", Number: 1545, Tail: "N14228", Origin: "EWR", Dest: "IAH", Distance: 1400,
		Scheduled: 315, Landed: true, LandedAt: 315 + 2 + 227 + 30, DepDelay: 2, ArrDelay: 11, Flying: 227}
	if all[0] != want {
		t.Errorf("%+v", all[0])
	}
	if at := Time(all[0].Scheduled).Format("2006-01-02 15:04"); at != "2013-01-01 05:15" {
		t.Error(at)
	}
}

func TestEvents(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	events := Events(all)
	if len(events) != 336776+327346 {
		t.Fatalf("%d events", len(events))
	}
	asked := make([]bool, len(all))
	for i, e := range events {
		if i > 0 {
			b := events[i-1]
			if e.Minute < b.Minute || e.Minute == b.Minute && (e.Landing && !b.Landing || e.Landing == b.Landing && e.Flight <= b.Flight) {
				t.Fatalf("event %d %+v comes after %+v", i, e, b)
			}
		}
		if e.Landing != asked[e.Flight] {
			t.Fatalf("event %d: flight %d lands %v, inserted %v", i, e.Flight+1, e.Landing, asked[e.Flight])
		}
		asked[e.Flight] = true
	}
}

func TestReadRefuses(t *testing.T) {
	head := strings.Join(columns, ",")
	for text, want := range map[string]string{
		"a,b\n":            "the columns are",
		head + "\n1,2,3\n": "line 2: 3 fields",
		head + "\n2013,x,1,5,15,2,11,227,UA,1545,N14228,EWR,IAH,1400\n": "line 2: month",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
