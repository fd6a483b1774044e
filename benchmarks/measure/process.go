package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// process measures whole runs of `cepheus run`, from the start of the process to its end:
// events from a file, alerts to a file, the state in memory.
func (p *Parent) process(ctx context.Context, spec Spec) (r *Result, err error) {
	w, _ := workload.Find(spec.Workload) // withDefaults has found it
	dir, err := os.MkdirTemp("", "cepheus-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	want, err := writeInputs(dir, w, spec)
	if err != nil {
		return nil, err
	}
	r = &Result{Spec: spec, Allocs: -1}
	if err := p.runProcess(ctx, dir, r); err != nil { // the file is in the page cache after it
		return nil, err
	}
	r.Times, r.CPU = nil, nil
	for total := 0.0; len(r.Times) < spec.Runs || total < spec.Seconds; total += r.Times[len(r.Times)-1] {
		if err := p.runProcess(ctx, dir, r); err != nil {
			return nil, err
		}
	}
	r.Alerts, r.Matches, err = readAlerts(dir, w)
	if err == nil && r.Matches != want {
		err = fmt.Errorf("%s: %d matches, and the oracle counts %d", spec.Label(), r.Matches, want)
	}
	return r, err
}

// writeInputs writes the rules and events of a workload into a folder.
func writeInputs(dir string, w *workload.Workload, spec Spec) (want int, err error) {
	for i, text := range w.Rules(spec.Size) {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".cep"), []byte(text), 0o600); err != nil {
			return 0, err
		}
	}
	events := w.Generate(spec.Events, spec.Keys)
	return w.Matches(events, spec.Size), WriteEvents(filepath.Join(dir, "events.jsonl"), events)
}

// WriteEvents writes events as JSON lines.
func WriteEvents(path string, events *workload.Events) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	for i := range events.Len() {
		if _, err := out.Write(events.Append(out.AvailableBuffer(), i)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// runProcess runs once and adds what it took.
func (p *Parent) runProcess(ctx context.Context, dir string, r *Result) (err error) {
	alerts, err := os.Create(filepath.Join(dir, "alerts.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alerts.Close()) }()
	var messages bytes.Buffer
	cmd := p.command(ctx, r.Cores, "run", "--rules", dir, "--input", filepath.Join(dir, "events.jsonl"))
	cmd.Stdout, cmd.Stderr = alerts, &messages
	began := time.Now()
	kb, err := runWatched(cmd)
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w\n%s", err, messages.String())
		}
		return fmt.Errorf("run %s: %w", p.Binary, err)
	}
	r.Times = append(r.Times, time.Since(began).Seconds())
	r.CPU = append(r.CPU, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	r.PeakKB = max(r.PeakKB, kb)
	return nil
}

// runWatched runs a command and returns its greatest resident size.
func runWatched(cmd *exec.Cmd) (kb int64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done, seen := make(chan struct{}), make(chan int64)
	go func() { seen <- watchPeak(cmd.Process.Pid, done) }()
	err = cmd.Wait()
	close(done)
	return <-seen, err
}

func readAlerts(dir string, w *workload.Workload) (alerts, matches int, err error) {
	f, err := os.Open(filepath.Join(dir, "alerts.jsonl"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return countAlerts(io.Reader(f), w.Counted)
}
