package postgres

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// spoolBudget is how many bytes of open transactions are held in memory, all together; the rest lies in files.
	spoolBudget = 8 << 20
	spoolPiece  = 256 << 10
	spoolHead   = 16 // length, subtransaction, position
)

// spool holds the messages of large transactions that are still open, which the server sends while it decodes them
// (pgoutput's option streaming): a transaction is decoded when it commits, and forgotten when it rolls back.
type spool struct {
	budget int
	open   map[uint32]*spooled
	held   int      // bytes of memory, over all transactions
	free   [][]byte // pieces to use again
}

// spooled is one open transaction.
type spooled struct {
	file    *os.File // what came first, where that was too much for memory
	pieces  [][]byte // whole records
	undone  map[uint32]bool
	written int64
}

// begin is the transaction of a segment that starts.
func (s *spool) begin(xid uint32) *spooled {
	t := s.open[xid]
	if t == nil {
		if s.open == nil {
			s.open = map[uint32]*spooled{}
		}
		t = &spooled{}
		s.open[xid] = t
	}
	return t
}

// add keeps a message of t. body is what follows kind and the number of the subtransaction, and is copied.
func (s *spool) add(t *spooled, kind byte, sub uint32, at uint64, body []byte) error {
	n := spoolHead + 1 + len(body)
	last := len(t.pieces) - 1
	if last < 0 || cap(t.pieces[last])-len(t.pieces[last]) < n {
		if s.held+n > s.budget {
			if err := s.unload(); err != nil {
				return err
			}
		}
		var p []byte
		if k := len(s.free) - 1; k >= 0 && n <= spoolPiece {
			p, s.free = s.free[k], s.free[:k]
		} else {
			p = make([]byte, 0, max(n, spoolPiece))
		}
		s.held += cap(p)
		t.pieces = append(t.pieces, p)
		last = len(t.pieces) - 1
	}
	p := t.pieces[last]
	p = binary.BigEndian.AppendUint32(p, uint32(1+len(body)))
	p = binary.BigEndian.AppendUint32(p, sub)
	p = binary.BigEndian.AppendUint64(p, at)
	p = append(p, kind)
	t.pieces[last] = append(p, body...)
	return nil
}

// unload writes the transaction that holds most memory to its file.
func (s *spool) unload() error {
	var most *spooled
	for _, t := range s.open {
		if most == nil || len(t.pieces) > len(most.pieces) {
			most = t
		}
	}
	if most == nil || len(most.pieces) == 0 {
		return nil
	}
	if most.file == nil {
		f, err := os.CreateTemp("", "tidemill-transaction-")
		if err != nil {
			return fmt.Errorf("postgres: a large open transaction: %w", err)
		}
		os.Remove(f.Name()) // where the system lets it go now, it goes with the process
		most.file = f
	}
	for _, p := range most.pieces {
		n, err := most.file.Write(p)
		most.written += int64(n)
		if err != nil {
			return fmt.Errorf("postgres: a large open transaction: %w", err)
		}
		s.recycle(p)
	}
	most.pieces = most.pieces[:0]
	return nil
}

func (s *spool) recycle(p []byte) {
	s.held -= cap(p)
	if cap(p) == spoolPiece && len(s.free) < s.budget/spoolPiece {
		s.free = append(s.free, p[:0])
	}
}

// undo forgets a transaction that rolled back, or what a subtransaction of it did.
func (s *spool) undo(xid, sub uint32) {
	t := s.open[xid]
	switch {
	case t == nil:
	case xid == sub:
		s.drop(xid)
	default:
		if t.undone == nil {
			t.undone = map[uint32]bool{}
		}
		t.undone[sub] = true
	}
}

// drop forgets a transaction.
func (s *spool) drop(xid uint32) {
	t := s.open[xid]
	if t == nil {
		return
	}
	for _, p := range t.pieces {
		s.recycle(p)
	}
	t.remove()
	delete(s.open, xid)
	if len(s.open) == 0 {
		s.free = nil
	}
}

// close forgets all of them.
func (s *spool) close() {
	for xid := range s.open {
		s.drop(xid)
	}
}

func (t *spooled) remove() {
	if t.file != nil {
		t.file.Close()
		os.Remove(t.file.Name())
		t.file = nil
	}
}

// each calls f for the messages of t that were not undone, in the order in which they came. Descriptions of tables
// always count: the server does not send them again after a savepoint.
func (t *spooled) each(f func(message []byte, at uint64) error) error {
	use := func(sub uint32, at uint64, message []byte) error {
		if t.undone[sub] && message[0] != 'R' {
			return nil
		}
		return f(message, at)
	}
	if t.file != nil {
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("postgres: a large transaction: %w", err)
		}
		r := bufio.NewReaderSize(io.LimitReader(t.file, t.written), spoolPiece)
		var head [spoolHead]byte
		var body []byte
		for {
			if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("postgres: a large transaction: %w", err)
			}
			n := int(binary.BigEndian.Uint32(head[:]))
			message, err := r.Peek(min(n, spoolPiece))
			switch {
			case err != nil:
			case n <= spoolPiece:
				_, err = r.Discard(n)
			default:
				if cap(body) < n {
					body = make([]byte, n)
				}
				message = body[:n]
				_, err = io.ReadFull(r, message)
			}
			if err == nil {
				// message is valid until the next read
				if err := use(binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint64(head[8:]), message); err != nil {
					return err
				}
				continue
			}
			return fmt.Errorf("postgres: a large transaction: %w", err)
		}
	}
	for _, p := range t.pieces {
		for len(p) > 0 {
			n := spoolHead + int(binary.BigEndian.Uint32(p))
			if err := use(binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint64(p[8:]), p[spoolHead:n]); err != nil {
				return err
			}
			p = p[n:]
		}
	}
	return nil
}
