package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
)

type options struct {
	events  int
	seed    uint64
	binary  string
	cpu     int
	results string

	memory bool
	heap   string

	growth bool
	only   string

	stateSizes bool
	state      bool
	keys       int
	part       string
	shared     int

	peers   bool
	quick   bool
	harness string
}

func main() {
	var o options
	flag.IntVar(&o.events, "events", 0, "number of events; default 5,000,000 with -memory, else each workload's own")
	flag.Uint64Var(&o.seed, "seed", 1, "with -memory: seed of the generator")
	flag.StringVar(&o.binary, "binary", filepath.Join("bin", "cepheus"), "the binary that measures itself")
	flag.IntVar(&o.cpu, "cpu", measure.LastCPU(), "the core to pin measurements to, where taskset is there")
	flag.StringVar(&o.results, "results", "", "write tables and curves into this folder")
	flag.BoolVar(&o.memory, "memory", false, "print how memory goes over the events, with a rule for everything that remembers")
	flag.StringVar(&o.heap, "heap", "", "with -memory: write a heap profile to this file at the end of the events")
	flag.BoolVar(&o.growth, "growth", false, "measure how costs grow")
	flag.StringVar(&o.only, "only", "", "with -growth: this curve alone")
	flag.BoolVar(&o.stateSizes, "state-sizes", false, "print what a key costs on disk and in memory")
	flag.BoolVar(&o.state, "state", false, "measure what state on disk costs, and a soak")
	flag.IntVar(&o.keys, "keys", 2_000_000, "with -state: live keys of the soak")
	flag.IntVar(&o.shared, "shared", 0, "with -state: events of each stream in memory and on disk; default 40,000,000")
	flag.StringVar(&o.part, "part", "", "with -state: share, soak or sizes alone")
	flag.BoolVar(&o.peers, "peers", false, "measure ours and the peers in turn")
	flag.BoolVar(&o.quick, "quick", false, "with -peers: few workloads, little warm-up")
	flag.StringVar(&o.harness, "harness", filepath.Join("benchmarks", "peers"), "with -peers: the folder of the peers' harness")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch {
	case o.memory:
		if o.events == 0 {
			o.events = 5_000_000
		}
		return printMemory(os.Stdout, o)
	case o.growth:
		return printGrowth(ctx, os.Stdout, o)
	case o.stateSizes:
		return printStateSizes(ctx, os.Stdout, o)
	case o.state:
		return printState(ctx, os.Stdout, o)
	case o.peers:
		return comparePeers(ctx, os.Stdout, o)
	}
	return errors.New("nothing to do: -memory, -growth, -state-sizes, -state or -peers (cepheus bench measures the workloads)")
}

// parent is what measures.
func (o *options) parent() *measure.Parent {
	return &measure.Parent{Binary: o.binary, CPU: o.cpu, Stderr: os.Stderr}
}

// write writes a file of results, if there is a folder for them.
func (o *options) write(name string, text []byte) error {
	if o.results == "" {
		return nil
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.results, name), text, 0o644)
}
