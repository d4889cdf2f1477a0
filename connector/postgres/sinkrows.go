package postgres

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/jsontext"
)

// group is rows to write at once, then perhaps one row's move to another key.
type group struct {
	at   map[key]int
	rows []outRow
	task string
	from string // "" if nothing moves
	to   string
}

type key struct{ task, id string }

// outRow is what the outputs say about one key: a prediction, a truth, or both.
type outRow struct {
	key
	prediction *tidemill.Output // nil: the truth alone
	answer     *tidemill.Output
}

func (g *group) row(o *tidemill.Output) *outRow {
	if g.at == nil {
		g.at = make(map[key]int, 16)
	}
	k := key{o.Task, o.ID}
	i, ok := g.at[k]
	if !ok {
		i = len(g.rows)
		g.at[k] = i
		g.rows = append(g.rows, outRow{key: k})
	}
	return &g.rows[i]
}

// predict replaces what was there: a new question has no answer yet.
func (g *group) predict(o *tidemill.Output) {
	r := g.row(o)
	r.prediction, r.answer = o, nil
}

func (g *group) answer(o *tidemill.Output) { g.row(o).answer = o }

// maxRows is how many rows one statement takes.
const maxRows = 4096

// send queues the group's statements and says how many.
func (g *group) send(p *pgconn.Pipeline) (sent int) {
	for rest := g.rows; len(rest) > 0; {
		n := min(len(rest), maxRows)
		sent += sendRows(p, rest[:n])
		rest = rest[n:]
	}
	if g.from != "" {
		p.SendQueryPrepared(stmtMove, [][]byte{text(g.task), text(g.from), text(g.to)}, nil, nil)
		sent++
	}
	return sent
}

func sendRows(p *pgconn.Pipeline, rows []outRow) (sent int) {
	asked, told := 0, 0
	for i := range rows {
		if rows[i].prediction != nil {
			asked++
		} else if rows[i].answer != nil {
			told++
		}
	}
	if asked > 0 {
		var c [10]array
		for i := range c {
			switch i {
			case 3:
				c[i].begin(oidFloat8, asked)
			case 4:
				c[i].begin(oidJSON, asked)
			case 6, 9:
				c[i].begin(oidTimestamptz, asked)
			default:
				c[i].begin(oidText, asked)
			}
		}
		for i := range rows {
			o := rows[i].prediction
			if o == nil {
				continue
			}
			c[0].text(o.Task)
			c[1].text(o.ID)
			c[2].text(o.Label)
			c[3].float(o.Score)
			c[4].probabilities(o)
			c[5].text(o.Version.String())
			c[6].time(o.Asked)
			c[7].text(o.Position)
			if a := rows[i].answer; a != nil {
				c[8].text(a.Truth)
				c[9].time(a.Answered)
			} else {
				c[8].null()
				c[9].null()
			}
		}
		params := make([][]byte, len(c))
		for i := range c {
			params[i] = c[i].b
		}
		p.SendQueryPrepared(stmtUpsert, params, []int16{1}, nil)
		sent++
	}
	if told > 0 {
		p.SendQueryPrepared(stmtTruth, toldRows(rows), []int16{1}, nil)
		sent++
	}
	return sent
}

// toldRows is the parameters of stmtTruth for the rows that hold a truth alone; nil if there is none.
func toldRows(rows []outRow) [][]byte {
	told := 0
	for i := range rows {
		if rows[i].answer != nil && rows[i].prediction == nil {
			told++
		}
	}
	if told == 0 {
		return nil
	}
	var c [4]array
	for i, oid := range []uint32{oidText, oidText, oidText, oidTimestamptz} {
		c[i].begin(oid, told)
	}
	for i := range rows {
		if a := rows[i].answer; a != nil && rows[i].prediction == nil {
			c[0].text(a.Task)
			c[1].text(a.ID)
			c[2].text(a.Truth)
			c[3].time(a.Answered)
		}
	}
	return [][]byte{c[0].b, c[1].b, c[2].b, c[3].b}
}

// Type ids of src/include/catalog/pg_type.dat.
const (
	oidText        = 25
	oidJSON        = 114
	oidFloat8      = 701
	oidTimestamptz = 1184
)

// array is a one-dimensional array in binary form (array_send in src/backend/utils/adt/arrayfuncs.c).
type array struct{ b []byte }

func (a *array) begin(oid uint32, n int) {
	a.b = make([]byte, 0, 20+n*16)
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // dimensions
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // there may be NULLs
	a.b = binary.BigEndian.AppendUint32(a.b, oid)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(n))
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // the first index
}

func (a *array) null() { a.b = binary.BigEndian.AppendUint32(a.b, math.MaxUint32) }

func (a *array) text(s string) {
	s = clean(s)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(s)))
	a.b = append(a.b, s...)
}

// float is NULL for NaN: a model that was not ready has no score.
func (a *array) float(x float64) {
	if math.IsNaN(x) {
		a.null()
		return
	}
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, math.Float64bits(x))
}

// firstMicros is PostgreSQL's first timestamp, 4714-11-24 BC, in microseconds since 1970. Its last one is beyond int64's.
const firstMicros = -210_866_803_200_000_000

// time is NULL for the zero time, and -infinity for one before PostgreSQL's calendar: the server would refuse the whole
// write, each time that it is tried.
func (a *array) time(t time.Time) {
	if t.IsZero() {
		a.null()
		return
	}
	us := int64(math.MinInt64) // -infinity
	if at := t.UnixMicro(); at >= firstMicros {
		us = at - epoch2000
	}
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(us))
}

// probabilities is {"class": probability} for a classifier, else NULL.
func (a *array) probabilities(o *tidemill.Output) {
	if o.Labels == nil {
		a.null()
		return
	}
	at := len(a.b)
	a.b = jsontext.Plain.AppendProbabilities(append(a.b, 0, 0, 0, 0), o.Labels, o.Prediction)
	binary.BigEndian.PutUint32(a.b[at:], uint32(len(a.b)-at-4))
}

// clean makes a text that PostgreSQL takes: valid UTF-8 without NUL.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func text(s string) []byte { return []byte(clean(s)) }

func decimal(n uint64) []byte { return strconv.AppendUint(nil, n, 10) }
