package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill/connector/sqltable"
)

const (
	// copyMin is how many predictions are worth a COPY.
	copyMin = 64
	// copyPause is for how many writes COPY is left alone after it has met a row that was there; each time twice as
	// many.
	copyPause    = 16
	copyPauseMax = 4096
)

// copyable reports whether the steps are worth a try: many predictions, and no moves.
func (t *table) copyable(steps []sqltable.Step) bool {
	if t.pause > 0 {
		t.pause--
		return false
	}
	moves := func(s sqltable.Step) bool { return s.Move != nil }
	return predictions(steps) >= copyMin && !slices.ContainsFunc(steps, moves)
}

// tryCopy writes the steps in one transaction with COPY, which costs the server half of what an upsert does. COPY
// refuses a key that is there already (a replay, a second question about a row): the transaction is then undone,
// done is false, and the caller writes the same outputs by upsert. So it does after every other refusal, to hear it
// again there.
func (t *table) tryCopy(ctx context.Context, steps []sqltable.Step, b *sqltable.Batch) (done bool, err error) {
	fe := t.conn.Frontend()
	conn := t.conn.Conn() // drop forgets t.conn
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtMark, Parameters: t.markParams(b)})
	fe.SendExecute(&pgproto3.Execute{})
	fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtCopy})
	fe.SendExecute(&pgproto3.Execute{})
	err = fe.Flush()
	if err == nil {
		// The rows go in the same round trip: after an error the server skips them up to the Sync.
		t.copied, err = sendCopy(conn, t.copied[:0], steps)
	}
	if err == nil {
		if params := truthParams(steps); params != nil {
			fe.SendBind(&pgproto3.Bind{PreparedStatement: stmtTruth, Parameters: params, ParameterFormatCodes: []int16{1}})
			fe.SendExecute(&pgproto3.Execute{})
		}
		fe.SendSync(&pgproto3.Sync{})
		err = fe.Flush()
	}
	refused := false
	for err == nil {
		var m pgproto3.BackendMessage
		if m, err = t.conn.ReceiveMessage(ctx); err != nil {
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
				t.pauses = min(max(2*t.pauses, copyPause), copyPauseMax)
				t.pause = t.pauses
				return false, nil
			}
			return true, nil
		}
	}
	t.drop()
	return false, fmt.Errorf("%s: %w", t.where(), lost(ctx, err))
}

// sendCopy writes the steps' predictions as messages of the COPY protocol, in binary format (PostgreSQL
// documentation, "COPY", "Binary Format"), and the message that ends them, in pieces: the server takes one while
// the next is made. b is scratch, and comes back.
func sendCopy(to io.Writer, b []byte, steps []sqltable.Step) ([]byte, error) {
	const piece = 64 << 10
	a := array{b: append(b, "d\x00\x00\x00\x00PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)}
	for i := range steps {
		o := steps[i].Prediction
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
		if truth := steps[i].Truth; truth != nil {
			a.text(truth.Truth)
			a.time(truth.Answered)
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
