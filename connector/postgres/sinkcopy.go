package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill"
)

const (
	// copyMin is how many predictions are worth a COPY.
	copyMin = 64
	// copyPatience is for how many writes COPY is left alone after it has met a row that was there; each time twice as many.
	copyPatience    = 16
	copyPatienceMax = 4096
)

// stmtCopy is the statement that takes new predictions.
const stmtCopy = "tidemill_copy"

func (w *Predictions) copySQL() string {
	return "COPY " + w.table.sql() + " (task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at) FROM STDIN (FORMAT binary)"
}

// copyable reports whether the group is worth a try: many predictions, none of which the table is known to hold.
func (w *Predictions) copyable(out []tidemill.Output, groups []*group) bool {
	if w.rest > 0 {
		w.rest--
		return false
	}
	return len(groups) == 1 && groups[0].from == "" && len(groups[0].rows) >= copyMin && out[0].Seq > w.there
}

// tryCopy writes the group in one transaction with COPY, which costs the server half of what an upsert does. COPY refuses
// a key that is there already (a replay, a second question about a row): the transaction is then undone, done is false,
// and the caller writes the same outputs by upsert. So it does after every other refusal, to hear it again there.
func (w *Predictions) tryCopy(ctx context.Context, g *group, last uint64, wait string) (done bool, err error) {
	asked := 0
	for i := range g.rows {
		if g.rows[i].prediction != nil {
			asked++
		}
	}
	if asked < copyMin {
		return false, nil
	}
	fe := w.conn.Frontend()
	conn := w.conn.Conn() // drop forgets w.conn
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtMark, Parameters: w.markParams(last, wait)})
	fe.SendExecute(&pgproto3.Execute{})
	fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtCopy})
	fe.SendExecute(&pgproto3.Execute{})
	err = fe.Flush()
	if err == nil {
		// The rows go in the same round trip: after an error the server skips them up to the Sync.
		w.copied, err = sendCopy(conn, w.copied[:0], g.rows)
	}
	if err == nil {
		if params := toldRows(g.rows); params != nil {
			fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtTruth, Parameters: params, ParameterFormatCodes: []int16{1}})
			fe.SendExecute(&pgproto3.Execute{})
		}
		fe.SendSync(&pgproto3.Sync{})
		err = fe.Flush()
	}
	refused := false
	for err == nil {
		var m pgproto3.BackendMessage
		if m, err = w.conn.ReceiveMessage(ctx); err != nil {
			break
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			refused = true
			if m.Severity == "FATAL" || m.Severity == "PANIC" {
				err = fmt.Errorf("postgres: the server ended the connection: %s", m.Message)
			}
		case *pgproto3.ReadyForQuery:
			if refused {
				w.patience = min(max(2*w.patience, copyPatience), copyPatienceMax)
				w.rest = w.patience
				return false, nil
			}
			return true, nil
		}
	}
	w.unsure = true
	w.drop()
	return false, fmt.Errorf("postgres: sink %s: %w", w.table, lost(ctx, err))
}

// sendCopy writes the rows' predictions as messages of the COPY protocol, in binary format (PostgreSQL documentation,
// "COPY", "Binary Format"), and the message that ends them, in pieces: the server takes one while the next is made. b is
// scratch, and comes back.
func sendCopy(to io.Writer, b []byte, rows []outRow) ([]byte, error) {
	const piece = 64 << 10
	a := array{b: append(b, "d\x00\x00\x00\x00PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)}
	for i := range rows {
		o := rows[i].prediction
		if o == nil {
			continue
		}
		a.b = append(a.b, 0, 10) // fields
		a.text(o.Task)
		a.text(o.ID)
		a.text(o.Label)
		a.float(o.Score)
		a.probabilities(o)
		a.text(o.Version.String())
		a.time(o.Asked)
		a.text(o.Position)
		if r := rows[i].answer; r != nil {
			a.text(r.Truth)
			a.time(r.Answered)
		} else {
			a.null()
			a.null()
		}
		if len(a.b) > piece {
			binary.BigEndian.PutUint32(a.b[1:], uint32(len(a.b)-1))
			if _, err := to.Write(a.b); err != nil {
				return a.b, err
			}
			a.b = append(a.b[:0], 'd', 0, 0, 0, 0)
		}
	}
	a.b = append(a.b, 0xff, 0xff)
	binary.BigEndian.PutUint32(a.b[1:], uint32(len(a.b)-1))
	a.b = append(a.b, 'c', 0, 0, 0, 4)
	_, err := to.Write(a.b)
	return a.b, err
}
