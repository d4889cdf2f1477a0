package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

// profile writes profiles of a child where BENCH_CPUPROFILE or BENCH_MEMPROFILE name a file.
func profile() (stop func(), err error) {
	stop = func() {}
	if path := os.Getenv("BENCH_CPUPROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		stop = func() { pprof.StopCPUProfile(); f.Close() }
	}
	if path := os.Getenv("BENCH_MEMPROFILE"); path != "" {
		runtime.MemProfileRate = 64 << 10
		before := stop
		stop = func() {
			before()
			if f, err := os.Create(path); err == nil {
				pprof.Lookup("allocs").WriteTo(f, 0)
				f.Close()
			}
		}
	}
	return stop, nil
}
