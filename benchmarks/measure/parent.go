package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Parent measures in child processes, one after the other.
type Parent struct {
	Binary string    // cepheus
	CPU    int       // the core that a measurement on one is pinned to, where taskset is there; negative: none
	Stderr io.Writer // of the children
}

// LastCPU is the core that measurements are pinned to where none is named: interrupts and
// the first processes of a system tend to be on the first.
func LastCPU() int { return runtime.NumCPU() - 1 }

// Measure runs one measurement in a process of its own.
func (p *Parent) Measure(ctx context.Context, spec Spec) (*Result, error) {
	spec, _, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	if spec.Mode == Process {
		return p.process(ctx, spec)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := p.command(ctx, spec.Cores, "bench", "--child", string(text))
	cmd.Stdout, cmd.Stderr = &out, p.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("measure %s: %w", spec.Label(), err)
	}
	var r Result
	return &r, json.Unmarshal(out.Bytes(), &r)
}

// command runs the binary on so many cores; on one, pinned to it.
func (p *Parent) command(ctx context.Context, cores int, args ...string) *exec.Cmd {
	args = append([]string{p.Binary}, args...)
	if cores == 1 && p.CPU >= 0 && CanPin() {
		args = append([]string{"taskset", "-c", strconv.Itoa(p.CPU)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(cores))
	return cmd
}

// CanPin reports whether taskset is there.
func CanPin() bool {
	_, err := exec.LookPath("taskset")
	return err == nil
}

// Machine describes where measurements are made: cores, processor, memory, system, Go.
func Machine() string {
	parts := []string{strconv.Itoa(runtime.NumCPU()) + " cores"}
	if cpu := procLine("/proc/cpuinfo", "model name"); cpu != "" {
		parts = append(parts, cpu)
	}
	if kb, err := strconv.ParseInt(strings.TrimSuffix(procLine("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		parts = append(parts, fmt.Sprintf("%.0f GiB", float64(kb)/(1<<20)))
	}
	return strings.Join(append(parts, runtime.GOOS+"/"+runtime.GOARCH, runtime.Version()), ", ")
}

// procLine is the value of the first line of that name, empty where there is none.
func procLine(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
