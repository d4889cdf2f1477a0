// Package terminal draws for people who look at a terminal: grey pictures, bars and gauges, as lines of text. It writes
// nothing and knows no terminal; whoever calls it says whether colours are wanted. All functions are pure and may be
// called from any goroutine.
package terminal
