package file_test

import (
	"bufio"
	stdjson "encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/tidemilltest"
)

// appendTo appends text to a file.
func appendTo(t *testing.T, path, text string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

func csvLine(it tidemilltest.SourceItem) string {
	name, count := "", ""
	if it.Name != nil {
		name = `"` + strings.ReplaceAll(*it.Name, `"`, `""`) + `"`
	}
	if it.Count != nil {
		count = fmt.Sprint(*it.Count)
	}
	return fmt.Sprintf("%d,%s,%v,%s\n", it.ID, name, it.Amount, count)
}

func jsonLine(it tidemilltest.SourceItem) string {
	b, err := stdjson.Marshal(map[string]any{"id": it.ID, "name": it.Name, "amount": it.Amount, "count": it.Count})
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

func TestSourceLaws(t *testing.T) {
	for _, c := range []struct {
		name, file, head string
		line             func(tidemilltest.SourceItem) string
		snapshot         bool
	}{
		{"csv stream", "items.csv", "id,name,amount,count\n", csvLine, false},
		{"csv snapshot", "items.csv", "\ufeffid,name,amount,count\r\n", csvLine, true},
		{"jsonl stream", "items.jsonl", "", jsonLine, false},
		{"jsonl snapshot", "items.jsonl", "", jsonLine, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tidemilltest.Source(t, tidemilltest.SourceHarness{
				InsertOnly: true, NoTransactions: true, NoSnapshot: !c.snapshot,
				New: func(t *testing.T) tidemilltest.SourceDatabase {
					path := filepath.Join(t.TempDir(), c.file)
					appendTo(t, path, c.head)
					return tidemilltest.SourceDatabase{
						Apply: func(t *testing.T, changes []tidemilltest.SourceChange) {
							var b strings.Builder
							for _, x := range changes {
								b.WriteString(c.line(x.After))
							}
							// In two pieces, so that a reader meets half a line.
							s := b.String()
							appendTo(t, path, s[:len(s)/2])
							appendTo(t, path, s[len(s)/2:])
						},
						Source: func(t *testing.T) tidemill.Source {
							r := file.Source(path).Key("id").Columns("id int", "name text", "amount float", "count int").Follow()
							if c.snapshot {
								r.Snapshot()
							}
							return r
						},
					}
				},
			})
		})
	}
}

// readBack folds the lines of a file of outputs.
func readBack(t *testing.T, path string) map[string]tidemilltest.SinkRow {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := map[string]tidemilltest.SinkRow{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Kind, Task, ID, Prediction, Position, Truth string
			NewID                                       string `json:"new_id"`
			Score                                       *float64
			Probabilities                               map[string]float64
			Version                                     string    `json:"model_version"`
			Asked                                       time.Time `json:"asked_at"`
			Answered                                    time.Time `json:"answered_at"`
		}
		if err := stdjson.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		key := l.Task + "/" + l.ID
		old, ok := rows[key]
		switch l.Kind {
		case "prediction":
			r := tidemilltest.SinkRow{Prediction: l.Prediction, Score: math.NaN(), Probabilities: l.Probabilities, Version: l.Version, Asked: l.Asked, Position: l.Position, Truth: l.Truth, Answered: l.Answered}
			if l.Score != nil {
				r.Score = *l.Score
			}
			rows[key] = r
		case "truth":
			if ok {
				old.Truth, old.Answered = l.Truth, l.Answered
				rows[key] = old
			}
		case "moved":
			if ok {
				delete(rows, key)
				rows[l.Task+"/"+l.NewID] = old
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSinkLaws(t *testing.T) {
	tidemilltest.Sink(t, tidemilltest.SinkHarness{New: func(t *testing.T) tidemilltest.SinkTarget {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		return tidemilltest.SinkTarget{
			Open: func(*testing.T) tidemill.Sink { return file.Sink(path, json.Plain()) },
			Rows: func(t *testing.T) map[string]tidemilltest.SinkRow { return readBack(t, path) },
		}
	}})
}
