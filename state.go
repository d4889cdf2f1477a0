package tidemill

import "encoding"

// State is what survives a restart. AppendBinary is pure and canonical: equal states give equal bytes. UnmarshalBinary
// replaces the state wholly, keeps no reference to data, and answers hostile bytes with an error, never a panic or an
// allocation out of proportion. The bytes start with the kind's own version.
type State interface {
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}
