package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
)

// console is where the commands read and write.
type console struct {
	in  io.Reader
	out io.Writer // results: what a program reads
	err io.Writer // logs, progress, errors: what people read
	env func(string) (string, bool)

	color string // auto, always, never
	log   string // text, json
}

// colour is true where w is a terminal that people look at.
func (c *console) colour(w io.Writer) bool {
	if c.color == "always" || c.color == "never" {
		return c.color == "always"
	}
	if v, ok := c.env("NO_COLOR"); ok && v != "" {
		return false
	}
	return isTerminal(w)
}

// say tells people something: a line, or a record where the logs are JSON.
func (c *console) say(format string, v ...any) {
	if c.log == "json" {
		c.logger().Info(fmt.Sprintf(format, v...))
		return
	}
	fmt.Fprintf(c.err, format+"\n", v...)
}

// logger logs to standard error, in text or JSON.
func (c *console) logger() *slog.Logger { return c.logs(slog.LevelInfo) }

// logs is the logger of what is at least so weighty.
func (c *console) logs(least slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: least}
	if c.log == "json" {
		return slog.New(slog.NewJSONHandler(c.err, o))
	}
	return slog.New(slog.NewTextHandler(c.err, o))
}

func (c *console) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (c *console) printFindings(f *config.File, found []tidemill.Finding) {
	if len(found) == 0 {
		return
	}
	marks := map[string]string{"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
	colours := map[string]string{"ok": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
	on := c.colour(c.err)
	fmt.Fprintln(c.err)
	for _, x := range found {
		mark := marks[x.Level]
		if on {
			mark = colours[x.Level] + mark + "\x1b[0m"
		}
		fmt.Fprintf(c.err, "%s %s (line %d): %s\n", mark, x.Path, f.Line(x.Path), x.Text)
		for line := range strings.Lines(x.Mend) {
			fmt.Fprintf(c.err, "        mend: %s\n", strings.TrimRight(line, "\n"))
		}
	}
}

// summary is what a person wants to know at the end.
func (c *console) summary(s *engine.Status) {
	c.say("%s: %s rows of the snapshot, %s of the stream, at %s", s.Flow, count(s.Snapshot.Rows), count(s.Stream.Rows),
		positionText(s.Position))
	if s.Rejected > 0 {
		c.say("rows that could not be used: %s", count(s.Rejected))
	}
	for _, t := range s.Tasks {
		c.say("task %s: %s asked, %s answered, %s learned%s", t.Name, count(t.Counts.Asked), count(t.Counts.Answered),
			count(t.Counts.Learned), scoresText(t.Scores))
		for _, w := range t.Warnings {
			c.say("warning: %s", w)
		}
	}
}
