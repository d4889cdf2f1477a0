// Package statebytes writes and reads the canonical bytes of a [tidemill.State]: little-endian numbers, varints and
// counts, headed by the kind's own version. It is for those who write a feature, an encoder, a model or a score; the
// features, encoders, models and scores of Tidemill use it too.
//
// Writing appends to a slice:
//
//	func (m *mean) AppendBinary(b []byte) ([]byte, error) {
//		b = append(b, meanVersion)
//		return statebytes.AppendFloat(b, m.sum), nil
//	}
//
// Reading is one pass with a [Reader], which holds the first mistake until [Reader.Done] is asked, and which allocates
// no more than the bytes that are there can fill, so that hostile bytes cost nothing.
package statebytes
