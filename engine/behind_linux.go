package engine

import (
	"runtime"
	"syscall"
)

// behind puts the calling goroutine on a thread of its own whose share of the processor is a third of another's, and which
// others interrupt: whoever is asked for a prediction goes first. The thread ends with the goroutine.
func behind() {
	const step, worst = 5, 19
	runtime.LockOSThread()
	tid := syscall.Gettid()
	if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, tid); err == nil { // the kernel tells 20 - niceness
		syscall.Setpriority(syscall.PRIO_PROCESS, tid, min(20-now+step, worst)) // a refusal costs speed only
	}
}

// giveWay lets others run that wait for the thread's processor; the kernel itself would look for them at its next tick, some
// milliseconds later.
func giveWay() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
