// Package engine runs a flow: [Start] takes a [tidemill.Flow] and returns a [Mill], whose Predict and Status any
// goroutine may call; cancelling the context drains what has arrived, saves a checkpoint and releases the source, and
// Wait tells when that is done. [Open] reads a flow's newest checkpoint beside it.
//
// The engine applies changes in commit order from one goroutine; how a source cuts them into batches is never visible
// in a result. A checkpoint is one atomic file with the position and every state; the source is released only up to the
// oldest checkpoint that is kept. After a crash the source is asked for exactly that position, and the replay gives the
// same bits: every change is learned once.
package engine
