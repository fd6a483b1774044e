package measure

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// forgetPeak makes the greatest resident size begin anew (Linux) and returns the size of
// now, in units of 1024 bytes; 0 where it is not known.
func forgetPeak() int64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it cannot, the peak is that of loading
	return statusKB("VmRSS:")
}

// peak is the greatest resident size since then.
func peak() int64 { return statusKB("VmHWM:") }

// watchEvery is how often the peak of another process is looked at.
const watchEvery = 5 * time.Millisecond

// watchPeak looks at the greatest resident size of a process until done is closed, and
// returns what it saw last; 0 where it cannot be known. What the system tells when a
// process has ended is of no use: there it is never less than the size of the process that
// started it.
func watchPeak(pid int, done <-chan struct{}) (kb int64) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return kb
		case <-tick.C:
			kb = max(kb, statusOf(strconv.Itoa(pid), "VmHWM:"))
		}
	}
}

// statusKB is a number of what Linux says of this process, 0 where it says none.
func statusKB(name string) int64 { return statusOf("self", name) }

func statusOf(process, name string) int64 {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
