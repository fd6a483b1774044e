package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// The peers, as the harness names them.
const (
	esper  = "esper"
	siddhi = "siddhi"
	flink  = "flink"
)

// What a full comparison and a quick one give the peers: seconds of warm-up, runs, seconds
// after which a run is cut, and seconds after which a measurement is given up.
const (
	fullWarm, fullRuns, fullLimit    = 8, 3, 15
	quickWarm, quickRuns, quickLimit = 3, 1, 10
	killAfter                        = 150
)

// contest is one row of the comparison: one question to ours and to each peer, in turn.
type contest struct {
	w     *workload.Workload
	size  int
	mode  measure.Mode
	peers []string
	ours  *measure.Result
	found map[string]*peerResult // by peer; without a rate where it gave none
}

// peerResult is what the harness prints of one measurement.
type peerResult struct {
	Version  string    `json:"version"`
	Variant  string    `json:"variant"`
	Events   int       `json:"events"`
	Complete bool      `json:"complete"` // not cut
	Matches  int       `json:"matches"`
	Runs     []float64 `json:"runs"` // seconds
}

// contests are the rows, in the order in which they are run. What is left out is what no
// peer finishes in minutes, or what is not in the harness.
func contests(quick bool) (list []*contest) {
	all := []string{esper, siddhi, flink}
	add := func(name string, size int, mode measure.Mode, peers ...string) {
		w, _ := workload.Find(name) // named here
		list = append(list, &contest{w: w, size: size, mode: mode, peers: peers, found: map[string]*peerResult{}})
	}
	for _, name := range []string{"W1", "W2", "W3", "W4", "W5", "W6", "W7"} {
		if quick && !slices.Contains([]string{"W1", "W3", "W4"}, name) {
			continue
		}
		add(name, 0, measure.Engine, all...)
		if name == "W7" {
			add(name, 0, measure.JSON, esper)
		} else {
			add(name, 0, measure.JSON, all...)
		}
	}
	if quick {
		add("W8f", 100, measure.Engine, all...)
		add("W9", 200, measure.Engine, esper, siddhi)
		return list
	}
	for _, rules := range []int{1, 100, 1000} {
		add("W8f", rules, measure.Engine, all...)
	}
	add("W8f", 10_000, measure.Engine)
	add("W8s", 10_000, measure.Engine)
	for _, window := range []int{50, 200} {
		add("W9", window, measure.Engine, all...)
	}
	for _, window := range []int{500, 2000} {
		add("W9", window, measure.Engine, esper, siddhi)
	}
	add("W9", 10_000, measure.Engine)
	add("W10", 0, measure.Engine)
	for _, name := range []string{"W1", "W3", "W4", "W10"} {
		add(name, 0, measure.Process)
	}
	return list
}

// comparePeers builds the harness, runs every contest, and writes the page anew after
// each, so that a comparison that is stopped leaves what it has.
func comparePeers(ctx context.Context, to io.Writer, o options) error {
	build := exec.CommandContext(ctx, filepath.Join(o.harness, "build.sh"))
	build.Stdout, build.Stderr = to, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the peers' harness: %w", err)
	}
	list := contests(o.quick)
	for _, c := range list {
		if err := c.run(ctx, to, o); err != nil {
			return err
		}
		if err := o.write("peers.md", o.peersPage(list)); err != nil {
			return err
		}
	}
	_, err := to.Write(o.peersPage(list))
	return err
}

// run measures ours, then each peer, and says so.
func (c *contest) run(ctx context.Context, to io.Writer, o options) (err error) {
	spec := measure.Spec{Workload: c.w.Name, Size: c.size, Events: c.events(o), Mode: c.mode, Cores: 1, Runs: fullRuns, Seconds: 2}
	if c.ours, err = o.parent().Measure(ctx, spec); err != nil {
		return err
	}
	fmt.Fprintf(to, "%-4s %6d %-6s cepheus %11.0f events/s\n", c.w.Name, c.size, c.mode, c.ours.Rate())
	for _, peer := range c.peers {
		r, err := c.peer(ctx, o, peer)
		if err != nil {
			return err
		}
		c.found[peer] = r
		fmt.Fprintf(to, "%-4s %6d %-6s %-7s %11.0f events/s\n", c.w.Name, c.size, c.mode, peer, r.rate())
	}
	return nil
}

// peersTrades is how many trades W9 is asked over: the peers need a minute for more.
const peersTrades = 20_000

func (c *contest) events(o options) int {
	n := c.w.Events
	if c.w.Trades {
		n = peersTrades
	}
	if o.events > 0 {
		n = min(n, o.events)
	}
	return n
}

// peer runs the harness once. A peer that fails, or takes too long, is a result without a
// rate.
func (c *contest) peer(ctx context.Context, o options, peer string) (*peerResult, error) {
	file, err := c.data(o)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(o.harness, "peer.sh"), c.args(o, peer, file)...)
	cmd.Env = append(os.Environ(), "CPU="+strconv.Itoa(o.cpu), "KILL="+strconv.Itoa(killAfter))
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err = cmd.Run()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &failed):
		return &peerResult{}, nil
	case err != nil:
		return nil, fmt.Errorf("run %s: %w", peer, err)
	}
	var r peerResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("read what %s printed: %w", peer, err)
	}
	return &r, nil
}

func (c *contest) args(o options, peer, file string) []string {
	warm, runs, limit := fullWarm, fullRuns, fullLimit
	if o.quick {
		warm, runs, limit = quickWarm, quickRuns, quickLimit
	}
	args := []string{peer, c.w.Name, file, "--warm", strconv.Itoa(warm), "--runs", strconv.Itoa(runs), "--limit", strconv.Itoa(limit)}
	if c.size > 0 {
		args = append(args, "--n", strconv.Itoa(c.size))
	}
	if c.mode == measure.JSON {
		args = append(args, "--json")
	}
	if c.steady(peer) {
		args = append(args, "--variant", "steady")
	}
	return args
}

// steady reports whether Esper is given the time to compile its generated code: the
// harness can do so for payments that are objects.
func (c *contest) steady(peer string) bool {
	return peer == esper && c.mode == measure.Engine && !c.w.Trades
}

// data writes the events that the peers read, once, and returns their file: the path is
// absolute, for the harness runs in its own folder.
func (c *contest) data(o options) (string, error) {
	dir, err := filepath.Abs(filepath.Join(o.harness, "data"))
	if err != nil {
		return "", err
	}
	kind := "payment"
	if c.w.Trades {
		kind = "stock"
	}
	n := c.events(o)
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.jsonl", kind, n))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unfinished := path + ".new"
	if err := measure.WriteEvents(unfinished, c.w.Generate(n, c.w.Keys)); err != nil {
		return "", err
	}
	return path, os.Rename(unfinished, path)
}

// rate is the median of the runs in events a second, 0 where there is none.
func (r *peerResult) rate() float64 {
	if len(r.Runs) == 0 {
		return 0
	}
	return float64(r.Events) / measure.Median(r.Runs)
}

// best is the fastest run.
func (r *peerResult) best() float64 { return float64(r.Events) / slices.Min(r.Runs) }
