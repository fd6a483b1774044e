package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
)

// result is what one run measured; a child process prints it as JSON.
type result struct {
	Events  int     `json:"events"`
	Alerts  int     `json:"alerts"`
	Seconds float64 `json:"seconds"`
	Mallocs float64 `json:"mallocs"` // allocations an event; negative: not known
	PeakKB  int64   `json:"peak_kb"` // greatest resident size
}

type options struct {
	events, cards int
	seed          uint64
	binary        string
	child, input  string
	memory        bool
	results, heap string
}

func main() {
	var o options
	flag.IntVar(&o.events, "events", 1_000_000, "number of payments")
	flag.IntVar(&o.cards, "cards", 10_000, "number of cards")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the generator")
	flag.StringVar(&o.binary, "binary", filepath.Join("bin", "cepheus"), "the binary of the last rows; left out where there is none")
	flag.StringVar(&o.child, "workload", "", "run this workload over -input in this process and print its result as JSON")
	flag.StringVar(&o.input, "input", "", "the payments, where they are there already")
	flag.BoolVar(&o.memory, "memory", false, "print how memory goes over the events, with a rule for everything that remembers")
	flag.StringVar(&o.results, "results", "", "with -memory: also write the table and the curve into this folder")
	flag.StringVar(&o.heap, "heap", "", "with -memory: write a heap profile to this file at the end of the events")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.child != "" {
		return runChild(o)
	}
	if o.memory {
		return printMemory(os.Stdout, o)
	}
	dir, err := os.MkdirTemp("", "cepheus-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.input == "" {
		o.input = filepath.Join(dir, "payments.jsonl")
		if err := generate(o); err != nil {
			return fmt.Errorf("generate payments: %w", err)
		}
	}
	return printTable(os.Stdout, o, dir)
}

func runChild(o options) error {
	w, ok := find(o.child)
	if !ok {
		return fmt.Errorf("no workload %q", o.child)
	}
	r, err := measure(w, o.input)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func generate(o options) (err error) {
	f, err := os.Create(o.input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	payments := gen.NewPayments(o.seed, o.cards)
	var line []byte
	for range o.events {
		line = payments.Append(line[:0])
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// printTable runs every workload and writes a row as each ends.
func printTable(to io.Writer, o options, dir string) error {
	fmt.Fprintf(to, "%d payments, %d cards, from JSON text; %s %s/%s, %d cores\n\n", o.events, o.cards, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	const row = "%-24s %5s %12s %10s %14s %9s %9s\n"
	fmt.Fprintf(to, row, "workload", "cores", "events/s", "ns/event", "allocs/event", "peak MB", "alerts")
	for _, w := range workloads() {
		for _, cores := range coreCounts() {
			r, err := inChild(o, w, cores)
			if err != nil {
				return fmt.Errorf("%s on %d: %w", w.name, cores, err)
			}
			fmt.Fprintf(to, row, append([]any{w.name, strconv.Itoa(cores)}, r.columns()...)...)
		}
	}
	return printBinary(to, row, o, dir)
}

// coreCounts are one and two, or one where the machine has no second.
func coreCounts() []int {
	if runtime.NumCPU() < 2 {
		return []int{1}
	}
	return []int{1, 2}
}

func (r result) columns() []any {
	allocs := "-"
	if r.Mallocs >= 0 {
		allocs = strconv.FormatFloat(r.Mallocs, 'f', 4, 64)
	}
	perEvent := r.Seconds / float64(r.Events)
	return []any{
		strconv.FormatFloat(1/perEvent, 'f', 0, 64), strconv.FormatFloat(perEvent*1e9, 'f', 0, 64), allocs,
		strconv.FormatFloat(float64(r.PeakKB)/1024, 'f', 1, 64), strconv.Itoa(r.Alerts),
	}
}

// inChild measures a workload in a process of its own on so many cores.
func inChild(o options, w workload, cores int) (result, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	cmd := exec.Command(self, "-workload", w.name, "-input", o.input)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(cores))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result{}, err
	}
	var r result
	return r, json.Unmarshal(out, &r)
}
