package measure

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
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

// statusKB is a number of what Linux says of this process, 0 where it says none.
func statusKB(name string) int64 {
	status, err := os.ReadFile("/proc/self/status")
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
