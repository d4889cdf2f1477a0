// Package tidemill learns from a database as it changes: it reads a database's own log (a snapshot, then every change),
// turns changes into features, predicts on the row that arrives, learns from the row that carries the truth, often an
// UPDATE days later, and writes predictions back. A kill at any instant loses nothing and learns nothing twice.
//
// # A flow
//
// A Flow is one Source, its Tasks, its Sinks and the Store where its checkpoints live. Package engine runs it; this
// package has what moves through a flow, and the doors that its parts come in by.
//
// # The doors
//
// What a flow is made of comes in through interfaces, one file each; rooms below this package hold the kinds:
//
//   - Source reads a log: connector/sqlite, connector/postgres, connector/file.
//   - Transform reshapes a change into none, one or several.
//   - Feature turns a change into numbers and remembers what it must: package feature.
//   - Encoder prepares vectors on the model's side and learns beside it: package encode.
//   - Model learns and answers: package model. Predict is a pure read.
//   - Score is a running figure over answers: package score.
//   - Sink tells the world: tables, files, webhooks, beside their sources under connector.
//   - Format writes outputs as the messages of a sink that carries bytes: under format.
//   - Store keeps checkpoints: package store.
//
// Further abilities are upgrades, found by type assertion, as io.WriterTo is: Batcher, Preparer, Checker, Capturer …
// They are few: what nearly every kind of a door has belongs into the door.
// Package tidemilltest has the laws of each door as test suites; a kind of your own is tested by calling one.
//
// # The life of a row
//
// One change, in order: answer (score the held prediction, then learn), ask (features, predict, emit, hold the
// question), and then the features fold the change in. If one change both asks and answers it is asked, scored, learned
// and folded in. A question holds the raw vector, the prediction and the baselines' answers, so that the score is that
// of what was known when it was asked, at the true delay of the label.
//
// # Time
//
// A task's clock is the commit time, or the column that On.At names. Windows, waits and frozen baselines use it and
// never the wall clock. It does not run backwards: a late row keeps its own time and is counted. A row whose time is
// more than a day beyond its commit is rejected, as it would close every window; where the source tells no commit time
// (a file), one whose time is more than a day beyond the moment when it was read.
//
// # What is promised
//
// The engine applies changes in commit order from one goroutine; how a source cuts them into batches is never visible
// in a result. A checkpoint is one atomic file with the position and every state; the source is released only up to the
// oldest checkpoint that is kept. After a crash the source is asked for exactly that position, and the replay gives the
// same bits: every change is learned once. Sinks that keep their mark in the same transaction as their rows show every
// prediction once; files are cut to their mark; webhooks get every output at least once with an id that stays the same.
package tidemill
