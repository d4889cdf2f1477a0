package tidemill

import (
	"context"
	"io"
	"time"
)

// CheckpointID names a stored checkpoint: ids are ordered by age.
type CheckpointID struct {
	Term uint64 `json:"term"`
	Seq  uint64 `json:"seq"`
}

// Section is one named state in a checkpoint: "task/late/model".
type Section struct {
	Name        string
	Kind        string // what wrote it
	Version     uint32 // of the bytes
	Fingerprint string // of the configuration that the bytes belong to: the Describe text
	Data        []byte
}

// Checkpoint is everything that a flow needs to go on: position, marks and every state, all or nothing.
type Checkpoint struct {
	ID       CheckpointID
	Flow     string
	Position Position // of lane 0
	Clock    int64    // the flow's clock, microseconds
	Marks    []Mark   // by the flow's sinks
	Sections []Section
	Segments []string // immutable segments that the sections refer to
}

// Section returns the section named name, or nil.
func (c *Checkpoint) Section(name string) *Section {
	for i := range c.Sections {
		if c.Sections[i].Name == name {
			return &c.Sections[i]
		}
	}
	return nil
}

// Store is where checkpoints and segments live. One flow owns it from Lock to unlock; List and Load also work without
// the lock, beside a running flow.
type Store interface {
	// Lock is exclusive; ErrLocked when somebody has it. term is durable and above all before.
	Lock(ctx context.Context) (term uint64, unlock func() error, err error)
	// Save is all or nothing, and durable on return. It keeps the two newest, and removes segments that were referred to
	// and no longer are.
	Save(ctx context.Context, c *Checkpoint) error
	// List names the whole checkpoints, newest first, and says of each broken file what is wrong.
	List(ctx context.Context) (ids []CheckpointID, broken []error, err error)
	Load(ctx context.Context, id CheckpointID) (*Checkpoint, error)
	// SetAside keeps all checkpoints and segments beside the new ones: a fresh start. It returns where they are.
	SetAside(ctx context.Context) (where string, err error)
	// Create starts a segment. It is durable after Sync, and immutable after Close.
	Create(ctx context.Context, name string) (SegmentWriter, error)
	// Open reads a segment, from any goroutine.
	Open(ctx context.Context, name string) (SegmentReader, error)
	// Remove deletes a segment that no checkpoint refers to.
	Remove(ctx context.Context, name string) error
}

// Dated is a Store that knows when its checkpoints were saved: the wall clock's time is no part of a checkpoint. It is
// found by assertion.
type Dated interface {
	// SavedAt is zero where it is not known.
	SavedAt(ctx context.Context, id CheckpointID) (time.Time, error)
}

// SegmentWriter appends to a segment.
type SegmentWriter interface {
	io.Writer
	Sync() error
	Close() error
}

// SegmentReader reads a segment, also while it is being written.
type SegmentReader interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}
