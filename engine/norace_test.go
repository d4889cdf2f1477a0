//go:build !race

package engine_test

// raceFactor is how much more memory a process takes under the race detector.
const raceFactor = 1
