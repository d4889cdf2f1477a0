package sqltable

import (
	"fmt"
	"strings"
	"testing"
)

// TestStatements: parameters are the dialect's, in the order of each statement; a name is left alone, whatever is
// in it.
func TestStatements(t *testing.T) {
	d := Dialect{Types: Types{Key: "K", Text: "T", Number: "N", JSON: "J", Time: "D", Count: "C"}, Lock: " FOR UPDATE",
		Param: func(i int) string { return fmt.Sprintf(":%d", i) }, TableEnd: " END", MarksColumn: "target"}
	s := d.Statements(Standard.Name("what?", "p"), "m", false)
	for _, c := range []struct{ got, want string }{
		{s.CreateTable, `CREATE TABLE IF NOT EXISTS "what?"."p" (task K NOT NULL, id K NOT NULL, prediction T, score N, ` +
			`probabilities J, model_version T, asked_at D, position T, PRIMARY KEY (task, id)) END`},
		{s.CreateMarks,
			`CREATE TABLE IF NOT EXISTS m (flow K NOT NULL, target K NOT NULL, term C NOT NULL, seq C NOT NULL, ` +
				`PRIMARY KEY (flow, target)) END`},
		{s.Move, `UPDATE "what?"."p" SET id = :1 WHERE task = :2 AND id = :3`},
		{s.NewMark, "INSERT INTO m (flow, target, term, seq) VALUES (:1, :2, 0, 0) ON CONFLICT (flow, target) DO NOTHING"},
		{s.LockMark, "SELECT term, seq FROM m WHERE flow = :1 AND target = :2 FOR UPDATE"},
		{s.SetMark, "UPDATE m SET term = :1, seq = :2 WHERE flow = :3 AND target = :4 AND term <= :5"},
		{s.Upsert[strings.Index(s.Upsert, " ON"):],
			" ON CONFLICT (task, id) DO UPDATE SET prediction = excluded.prediction, " +
				"score = excluded.score, probabilities = excluded.probabilities, model_version = excluded.model_version, " +
				"asked_at = excluded.asked_at, position = excluded.position"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want\n%s", c.got, c.want)
		}
	}
}
