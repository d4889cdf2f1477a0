package serve

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Room lets more goroutines run at once than there are processors, where the environment's GOMAXPROCS says nothing. Call it
// once, at the start of a program that serves a flow while it learns. The engine, the source's reader and the sinks'
// writers can keep every processor busy; Go's scheduler then looks at the network every 10 ms only, and an answer waits
// for that. With room to spare the operating system decides who runs, and whoever wakes up for a request runs at once.
func Room() {
	if n := runtime.GOMAXPROCS(0); n <= runtime.NumCPU() && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(n + spare)
	}
}

// spare is as many goroutines as a flow keeps busy: engine, reader, writer, and the garbage collector.
const spare = 4

// CollectLess lets garbage be collected less often, where the environment's GOGC says nothing. Call it once, at the start of
// a program that serves a flow and holds little else: each collection stops all answers twice, for as long as the thread
// that stops them has to wait for a processor. A flow's live memory is small, so that a few times as much is little, and a
// flow at rest can give it back (tidemill.Flow.Idle).
func CollectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

// collectAt is how much garbage there may be, in percent of what is alive, before it is collected.
const collectAt = 300
