// Package demo runs the demonstrations: each makes a database with real data, starts a flow on it as a user would,
// lets rows come, and tells what the flow learned. What a demo leaves in its folder can be edited and run.
package demo
