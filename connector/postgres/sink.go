package postgres

import (
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// Predictions is the sink: the table of predictions and the mark. Sink and SinkConfig make it. One goroutine uses it.
type Predictions struct {
	*sqltable.Sink
	table *table
}

// Sink writes predictions to table ("predictions" or "schema.predictions") of the database at url. The table is
// made on start where it is missing:
//
//	task text, id text, prediction text, score double precision, probabilities json, model_version text,
//	asked_at timestamptz, position text, truth text, answered_at timestamptz, PRIMARY KEY (task, id)
//
// and beside it tidemill_marks, which holds how far each flow is.
func Sink(url, table string) *Predictions {
	c := NewSinkConfig()
	c.URL, c.Table = url, table
	return c.writer()
}

func (c *SinkConfig) writer() *Predictions {
	t := &table{url: c.URL, truth: c.Truth}
	_, err := parseURL(c.URL)
	var err2 error
	t.name, err2 = parseTable(c.Table)
	if err2 == nil && t.name.name == sqltable.MarksTable {
		err2 = fmt.Errorf("postgres: table %s holds the marks; name another table for the predictions", t.name)
	}
	t.problem = errors.Join(err, err2)
	w := &Predictions{table: t}
	w.make()
	return w
}

// WithoutTruth leaves truth and answered_at NULL, and returns the sink.
func (w *Predictions) WithoutTruth() *Predictions {
	w.table.truth = false
	w.make()
	return w
}

// make makes the sink that the settings say.
func (w *Predictions) make() {
	t := w.table
	d := dialect()
	// The columns of the truth are always there: a table is never altered.
	t.statements = d.Statements(t.name.sql(), t.marks().sql(), true)
	w.Sink = sqltable.New(sqltable.Config{System: t, Reader: t.reader, Dialect: d, Statements: t.statements,
		Where: t.where(),
		Table: t.name.String(),
		Marks: t.marks().String(), Truth: t.truth})
}

// dialect is PostgreSQL's.
func dialect() sqltable.Dialect {
	return sqltable.Dialect{Quoting: quoting, Server: true, Lock: " FOR UPDATE",
		Param:    func(i int) string { return fmt.Sprintf("$%d", i) },
		ReadTime: readTime, ParseTime: parseTime,
		Types: sqltable.Types{Key: "text", Text: "text", Number: "double precision", JSON: "json", Time: "timestamptz",
			Count: "numeric"}}
}

var (
	_ tidemill.Sink      = (*Predictions)(nil)
	_ tidemill.Checker   = (*Predictions)(nil)
	_ tidemill.Describer = (*Predictions)(nil)
	_ tidemill.Namer     = (*Predictions)(nil)
)

// Describe names the table.
func (w *Predictions) Describe() string {
	return fmt.Sprintf("postgres table=%s truth=%t", w.table.name, w.table.truth)
}

// TableNames names the tables that are written, in the form of the source's.
func (w *Predictions) TableNames() []string {
	cfg, err := parseURL(w.table.url)
	if err != nil {
		return nil
	}
	db := databaseName(cfg)
	return []string{db + w.table.name.String(), db + w.table.marks().String()}
}
