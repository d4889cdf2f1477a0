//go:build race

package demo

// raceDetector says that the tests were built with it.
const raceDetector = true
