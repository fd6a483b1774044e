package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

type benchVerb struct {
	Workload []string `name:"workload" placeholder:"NAME" help:"What to measure; may be given more than once. Without it W1 to W10."`
	Events   int      `name:"events" placeholder:"N" help:"Number of events; without it each workload's own."`
	Keys     int      `name:"keys" placeholder:"N" help:"Number of cards (W9: names); without it each workload's own."`
	Rules    int      `name:"rules" placeholder:"N" xor:"size" help:"Number of rules of W8f and W8s."`
	Size     int      `name:"size" placeholder:"N" xor:"size" help:"Size of a workload: rules (W8f, W8s), window in milliseconds (W9), or what a curve grows in."`
	Mode     []string `name:"mode" placeholder:"MODE" help:"engine (events decoded before the clock starts, alerts as they are), json (from text to text in a file), run (the whole process). Without it engine and json, and run for W1, W3, W4 and W10."`
	Cores    []int    `name:"cores" placeholder:"N" help:"Number of cores; without it 1, and for engine and json 2 where there are as many."`
	Runs     int      `name:"runs" default:"3" help:"Runs at least, after one to warm up."`
	Seconds  float64  `name:"seconds" default:"2" help:"What the runs take together at least."`
	CPU      int      `name:"cpu" default:"-1" help:"The core to pin measurements on one core to, where taskset is there; without it the last."`
	Latency  bool     `name:"latency" default:"true" negatable:"" help:"Also measure the time from arrival to alert, on one core."`
	Profile  string   `name:"profile" type:"path" placeholder:"DIR" help:"Write CPU and allocation profiles of the runs into this folder."`
	JSON     bool     `name:"json" help:"One JSON object a measurement in place of the table."`
	Kafka    string   `name:"kafka" placeholder:"ADDR" help:"Measure from Kafka at host:port in place of the workloads: the source alone, a sliding threshold behind it, latency to a topic, over commit intervals. Topics that it makes are removed."`
	Child    string   `name:"child" hidden:"" help:"Measure this in this process."`
}

// Run measures, each measurement in a process of its own.
func (v benchVerb) Run(w *world) error {
	if v.Child != "" {
		return v.child(w)
	}
	if v.Kafka != "" {
		return v.kafka(w)
	}
	specs, err := v.specs()
	if err != nil {
		return usage(err)
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it: %w", err)
	}
	if v.Profile != "" {
		if err := os.MkdirAll(v.Profile, 0o750); err != nil {
			return usage(err)
		}
	}
	p := &measure.Parent{Binary: binary, CPU: v.CPU, Stderr: w.stderr}
	if p.CPU < 0 {
		p.CPU = measure.LastCPU()
	}
	return v.measureAll(w, p, specs)
}

// child measures in this process what a parent has asked for.
func (v benchVerb) child(w *world) error {
	var spec measure.Spec
	if err := json.Unmarshal([]byte(v.Child), &spec); err != nil {
		return usage(fmt.Errorf("--child: %w", err))
	}
	r, err := measure.Child(spec)
	if err != nil {
		return err
	}
	return json.NewEncoder(w.stdout).Encode(r)
}

func (v benchVerb) measureAll(w *world, p *measure.Parent, specs []measure.Spec) error {
	table := measure.Table{To: w.stdout}
	if !v.JSON {
		fmt.Fprintf(w.stdout, "%s, GOMAXPROCS as cores, one core pinned: %t\n\n", measure.Machine(), measure.CanPin())
		table.Head()
	}
	for _, spec := range specs {
		r, err := p.Measure(w.ctx, spec)
		if w.ctx.Err() != nil {
			return errors.New("stopped by a signal")
		}
		if err != nil {
			return err
		}
		if !v.JSON {
			table.Add(r)
		} else if err := json.NewEncoder(w.stdout).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// specs are the measurements that the flags ask for, in order.
func (v benchVerb) specs() (specs []measure.Spec, err error) {
	workloads, err := v.workloads()
	if err != nil {
		return nil, err
	}
	for _, wl := range workloads {
		for _, mode := range v.modes(wl) {
			if !slices.Contains([]measure.Mode{measure.Engine, measure.JSON, measure.Process}, mode) {
				return nil, fmt.Errorf("--mode %s: engine, json or run", mode)
			}
			for _, cores := range v.coreCounts(mode) {
				specs = append(specs, v.spec(wl, mode, cores))
			}
		}
	}
	return specs, nil
}

func (v benchVerb) spec(wl *workload.Workload, mode measure.Mode, cores int) measure.Spec {
	s := measure.Spec{
		Workload: wl.Name, Events: v.Events, Keys: v.Keys, Mode: mode, Cores: cores,
		Runs: v.Runs, Seconds: v.Seconds, Profile: v.Profile, Latency: v.Latency && cores == 1,
	}
	if wl.SizeName != "" {
		s.Size = max(v.Size, v.Rules)
	}
	if wl.Trades && len(v.Workload) == 0 {
		s.Keys = 0 // the cards of the others
	}
	return s
}

// workloads are those that are asked for: all but those of growth curves.
func (v benchVerb) workloads() (list []*workload.Workload, err error) {
	if len(v.Workload) == 0 {
		return slices.DeleteFunc(workload.All(), func(w *workload.Workload) bool { return w.Growth }), nil
	}
	for _, name := range v.Workload {
		w, ok := workload.Find(name)
		if !ok {
			return nil, fmt.Errorf("--workload %s: there are %s", name, strings.Join(workloadNames(), ", "))
		}
		list = append(list, w)
	}
	return list, nil
}

func workloadNames() (names []string) {
	for _, w := range workload.All() {
		names = append(names, w.Name)
	}
	return names
}

func (v benchVerb) modes(wl *workload.Workload) (modes []measure.Mode) {
	for _, m := range v.Mode {
		modes = append(modes, measure.Mode(m))
	}
	if len(modes) > 0 {
		return modes
	}
	modes = []measure.Mode{measure.Engine, measure.JSON}
	if wl.Whole {
		modes = append(modes, measure.Process)
	}
	return modes
}

func (v benchVerb) coreCounts(mode measure.Mode) []int {
	switch {
	case len(v.Cores) > 0:
		return v.Cores
	case mode == measure.Process || runtime.NumCPU() < 2:
		return []int{1}
	}
	return []int{1, 2}
}
