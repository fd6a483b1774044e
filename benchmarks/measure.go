package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// measure runs a workload over a file of payments in this process.
func measure(w workload, input string) (result, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	r, err := work(w, input)
	if err != nil {
		return result{}, err
	}
	r.Seconds = time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	r.Mallocs = float64(after.Mallocs-before.Mallocs) / float64(max(r.Events, 1))
	r.PeakKB, err = peakKB()
	return r, err
}

func work(w workload, input string) (result, error) {
	if w.rule == "" {
		n, err := decodeOnly(input)
		return result{Events: n}, err
	}
	return runEngine(w, input)
}

// peakKB is the greatest resident size of this process so far, as Linux counts it.
func peakKB() (int64, error) { return statusKB("VmHWM:") }

// statusKB is a number of what Linux says of this process, in units of 1024 bytes.
func statusKB(name string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("memory is read from /proc: %w", err)
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("memory: no %s in /proc/self/status", name)
	}
	return strconv.ParseInt(string(fields[0]), 10, 64)
}
