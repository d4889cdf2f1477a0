package tidemill

import "encoding"

// State is what survives a restart. AppendBinary is pure and canonical: equal states give equal bytes. UnmarshalBinary
// replaces the state wholly, keeps no reference to data, and answers hostile bytes with an error, never a panic or an
// allocation out of proportion. The bytes start with the kind's own version.
type State interface {
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// Capturer is a State that need not be written down at once. Capture fixes it as it is now, in much less time than
// AppendBinary takes; the function that it returns appends the bytes that AppendBinary would have appended then. The
// engine calls that once, from another goroutine, while the state goes on changing.
type Capturer interface {
	State
	Capture() (write func(b []byte) ([]byte, error))
}
