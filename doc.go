// Package tidemill reads a database's own log, turns changes into features,
// predicts on the row that arrives and learns from the row that carries the truth.
package tidemill
