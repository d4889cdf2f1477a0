package matrix

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Crew shares the blocks of a loop among cores. Its owner calls Each from one goroutine; its helpers wait for work by
// spinning for some microseconds and then asleep, so that a loop of 20 microseconds is already worth sharing. A nil
// Crew, and one of size 1, does everything itself. Close ends the helpers.
type Crew struct {
	f func(block int)
	// claim is gen<<40 | next<<20 | end: the blocks not yet taken of the current loop. The owner takes from the front,
	// helpers from the back, so that the same cores tend to meet the same blocks and find them in their caches.
	claim  atomic.Uint64
	done   atomic.Int64 // blocks finished
	asleep atomic.Int32
	wake   chan struct{}
	quit   atomic.Bool
	end    sync.WaitGroup
}

// maxBlocks is how many blocks one Each may have.
const maxBlocks = 1<<20 - 1

// NewCrew is a crew of at most n goroutines, its caller counted, and no more than can run at once.
func NewCrew(n int) *Crew {
	n = min(n, runtime.GOMAXPROCS(0), runtime.NumCPU())
	if n <= 1 {
		return nil
	}
	c := &Crew{wake: make(chan struct{}, n-1)}
	c.end.Add(n - 1)
	for range n - 1 {
		go c.help()
	}
	return c
}

// Close ends the helpers and waits for them.
func (c *Crew) Close() {
	if c == nil {
		return
	}
	c.quit.Store(true)
	close(c.wake)
	c.end.Wait()
}

// Each calls f once for each block from 0 to n-1, each on some core, and returns when all are done. f must not depend
// on the order and not call Each. It is meant to be a func value that the owner keeps: making one per call costs more
// than the call.
func (c *Crew) Each(n int, f func(block int)) {
	if c == nil || n == 1 || n > maxBlocks {
		for i := range n {
			f(i)
		}
		return
	}
	c.f = f
	c.done.Store(0)
	gen := c.claim.Load()>>40 + 1
	c.claim.Store(gen<<40 | uint64(n))
	for i := c.asleep.Load(); i > 0; i-- {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	for {
		w := c.claim.Load()
		next := w >> 20 & maxBlocks
		if next == w&maxBlocks {
			break
		}
		if c.claim.CompareAndSwap(w, w+1<<20) {
			f(int(next))
			c.done.Add(1)
		}
	}
	for spins := 0; c.done.Load() != int64(n); spins++ {
		if spins < 200 {
			pause(16)
		} else {
			runtime.Gosched()
		}
	}
}

// help takes blocks until the crew is closed.
func (c *Crew) help() {
	defer c.end.Done()
	for {
		if c.take() {
			continue
		}
		if c.quit.Load() {
			return
		}
		c.idle()
	}
}

// take does one block from the back, if there is one.
func (c *Crew) take() bool {
	w := c.claim.Load()
	end := w & maxBlocks
	if w>>20&maxBlocks == end {
		return false
	}
	if c.claim.CompareAndSwap(w, w-1) {
		c.f(int(end - 1)) // the owner waits for this block, so f is still the loop's
		c.done.Add(1)
	}
	return true
}

// open says that there may be something to do.
func (c *Crew) open() bool {
	w := c.claim.Load()
	return w>>20&maxBlocks != w&maxBlocks || c.quit.Load()
}

// idle returns when there may be something to do: it spins first, then yields, then sleeps.
func (c *Crew) idle() {
	for range 200 {
		if c.open() {
			return
		}
		pause(8)
	}
	for range 10 {
		if c.open() {
			return
		}
		runtime.Gosched()
		for range 10 {
			if c.open() {
				return
			}
			pause(8)
		}
	}
	c.asleep.Add(1)
	if !c.open() {
		<-c.wake
	}
	c.asleep.Add(-1)
}
