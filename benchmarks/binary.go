package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// printBinary adds a row for each workload as users run it: the binary, from its
// start to its end, on one core and without --state.
func printBinary(to io.Writer, row string, o options, dir string) error {
	if _, err := os.Stat(o.binary); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, w := range workloads() {
		if w.rule == "" {
			continue
		}
		r, err := runBinary(o, w, dir)
		if err != nil {
			return fmt.Errorf("%s run, %s: %w", o.binary, w.name, err)
		}
		fmt.Fprintf(to, row, append([]any{"run: " + w.name, "1"}, r.columns()...)...)
	}
	return nil
}

func runBinary(o options, w workload, dir string) (result, error) {
	rules := filepath.Join(dir, strings.ReplaceAll(w.name, " ", "_")+".cep")
	if err := os.WriteFile(rules, []byte(w.text()), 0o644); err != nil {
		return result{}, err
	}
	alerts, err := os.Create(filepath.Join(dir, "alerts.jsonl"))
	if err != nil {
		return result{}, err
	}
	defer alerts.Close()
	var messages bytes.Buffer
	cmd := exec.Command(o.binary, "run", "--rules", rules, "--input", o.input)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = alerts, &messages
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, messages.String())
	}
	seconds := time.Since(start).Seconds()
	n, err := countLines(alerts.Name())
	return result{Events: o.events, Alerts: n, Seconds: seconds, Mallocs: -1, PeakKB: residentKB(cmd.ProcessState)}, err
}

// residentKB is the greatest resident size of a process that has ended, as Linux
// counts it, in units of 1024 bytes.
func residentKB(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(usage.Maxrss) //nolint:unconvert // an int32 on 32-bit machines
}

func countLines(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, buf := 0, make([]byte, 64<<10)
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte("\n"))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
