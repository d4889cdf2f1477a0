//go:build race

package engine_test

// raceFactor is how much more memory a process takes under the race detector, whose shadow memory is not the product's.
const raceFactor = 3
