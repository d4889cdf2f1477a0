// Command bench measures Tidemill beside its peers: one row of README.md per argument.
//
//	bench/run.sh mlp32
//
// builds it, sets up the peers that the row needs, and runs both sides in turn, each in a process of its own. A row
// prints every run as one JSON object and then a table of medians. Nothing here asserts a time.
package main
