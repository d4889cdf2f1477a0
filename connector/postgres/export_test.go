package postgres

import "time"

// Open sets how much of open transactions the server holds (as logical_decoding_work_mem is written) and how many bytes
// we do, so that small ones come as large ones do. "" lets the server hold all of them.
func (r *Capture) Open(server string, ours int) *Capture {
	if r.openBytes, r.spoolBytes = server, ours; server == "" {
		r.openBytes = openBytes
		r.spoolFailed.Store(true)
	}
	return r
}

// HeldOpen reports whether the source left open transactions to the server.
func (r *Capture) HeldOpen() bool { return r.spoolFailed.Load() }

// Text has all values sent as text.
func (r *Capture) Text() *Capture {
	r.text.Store(true)
	return r
}

// TextOnly reports whether the source has gone over to text.
func (r *Capture) TextOnly() bool { return r.text.Load() }

// Look sets how often the stream looks at what is published.
func (r *Capture) Look(every time.Duration) { r.lookEvery = every }

// Type is a column's type as the sink makes it.
func Type(column string) string {
	d := dialect()
	return d.Type(column)
}
