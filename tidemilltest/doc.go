// Package tidemilltest holds the laws of Tidemill's doors as suites that every connector, store, feature, model and
// score calls from its own test, and the wrappers that make a door fail on purpose.
//
// A suite is one function per door: Store, Sink, Source, Feature, Encoder, Model, Score; it runs each law as a
// sub-test. Whoever writes a new kind writes a harness of a few lines, which says how to open it and how to look at it
// from outside, and calls the suite. FuzzState fuzzes the decoder of a state.
//
//	func TestMean(t *testing.T) { tidemilltest.Score(t, func() tidemill.Score { return Mean() }) }
package tidemilltest
