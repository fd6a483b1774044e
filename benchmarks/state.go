package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
	"github.com/cepheus-cep/cepheus/benchmarks/statesize"
	"github.com/cepheus-cep/cepheus/benchmarks/statesoak"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// Defaults of the streams, and what is aimed at.
const (
	sharedEvents = 40_000_000 // in memory and on disk
	soakEvents   = 20_000_000
	soakCache    = "256MiB"

	mostLostHot, mostLostUniform = 25, 60 // percent
	mostAnon                     = 700e6  // bytes
	leastLast                    = 80     // percent of the first tenth
	mostStart, mostStop          = 2, 2   // seconds
)

// printState measures what state on disk costs, part by part.
func printState(ctx context.Context, to io.Writer, o options) (err error) {
	dir, err := os.MkdirTemp("", "cepheus-state-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var page bytes.Buffer
	p := statePage{out: io.MultiWriter(to, &page), o: o, dir: dir}
	fmt.Fprintf(p.out, "# State on disk\n\nWritten by `make bench-state`; whole processes of `cepheus run`, synced writes, an epoch a second.\n\n- machine: %s\n", measure.Machine())
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"share", p.shares}, {"soak", p.soak}, {"sizes", p.sizes}} {
		if o.part != "" && o.part != part.name {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if o.part != "" {
		return nil // the page has all of them
	}
	return o.write("state.md", page.Bytes())
}

// statePage is a page in the making.
type statePage struct {
	out io.Writer
	o   options
	dir string
}

func (p *statePage) watcher() statesoak.Watcher { return statesoak.Watcher{Binary: p.o.absolute()} }

// absolute is the path of the binary from anywhere.
func (o *options) absolute() string {
	if path, err := filepath.Abs(o.binary); err == nil {
		return path
	}
	return o.binary
}

// shares compares runs in memory with runs on disk.
func (p *statePage) shares(ctx context.Context) error {
	fmt.Fprintf(p.out, "\n## Throughput against state in memory\n\nEvents a second between a tenth and nine tenths of the stream, and CPU time of the whole process.\nLost: the part of the throughput in memory.\n\n"+
		"| workload | keys | events | in memory /s | on disk /s | lost | aim | CPU s in memory | CPU s on disk | RssAnon MB in memory | on disk |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		keys    int
		uniform bool
		part    int // of the events
		aim     int
	}{{10_000, false, 1, mostLostHot}, {1_000_000, true, 2, mostLostUniform}} {
		events := sharedEvents
		if p.o.shared > 0 {
			events = p.o.shared
		}
		events /= c.part
		input := filepath.Join(p.dir, "events.jsonl")
		if err := statesoak.NewStream(c.keys, c.uniform).Write(input, events); err != nil {
			return err
		}
		for _, name := range []string{"W3", "W5"} {
			if err := p.share(ctx, name, input, c.keys, events, c.aim); err != nil {
				return err
			}
		}
	}
	return nil
}

// share measures one workload both ways.
func (p *statePage) share(ctx context.Context, name, input string, keys, events, aim int) error {
	w, _ := workload.Find(name)
	rules, state := filepath.Join(p.dir, name), filepath.Join(p.dir, "state")
	if err := errors.Join(os.MkdirAll(rules, 0o700), os.WriteFile(filepath.Join(rules, name+".cep"), []byte(w.Rules(0)[0]), 0o600)); err != nil {
		return err
	}
	watcher := p.watcher()
	memory, err := watcher.Run(ctx, rules, input, "")
	if err != nil {
		return err
	}
	disk, err := watcher.Run(ctx, rules, input, state)
	if err != nil {
		return err
	}
	fast, slow := float64(events)/memory.Steady(), float64(events)/disk.Steady()
	fmt.Fprintf(p.out, "| %s | %d | %d | %.0f | %.0f | %.0f %% | at most %d %% | %.1f | %.1f | %d | %d |\n", name, keys, events, fast, slow, 100*(1-slow/fast), aim,
		memory.CPU, disk.CPU, memory.MostAnon()>>20, disk.MostAnon()>>20)
	return os.RemoveAll(state)
}

// soak runs the soak, and starts and stops over what it has left.
func (p *statePage) soak(ctx context.Context) error {
	s := statesoak.Soak{Watcher: p.watcher(), Dir: filepath.Join(p.dir, "soak"), Events: soakEvents, Keys: p.o.keys, Cache: soakCache}
	if p.o.events > 0 {
		s.Events = p.o.events
	}
	r, err := s.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n## Soak\n\n%d events behind two windows full of them, %d keys used uniformly, each alive for some four events, cache %s:\n\n```\n%s```\n\n", s.Events, s.Keys, s.Cache, s.Rules())
	p.soakTable(&s, r)
	if err := p.soakCurves(&s, r); err != nil {
		return err
	}
	stops, err := s.Stops(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n## Start and stop over the state of the soak\n\n| | s | aim |\n|---|---|---|\n")
	fmt.Fprintf(p.out, "| start to the alert of the first event, after a clean end | %.2f | below %d |\n", stops.First, mostStart)
	fmt.Fprintf(p.out, "| the same after SIGKILL in the middle of a stream | %.2f | below %d |\n", stops.Crash, mostStart)
	fmt.Fprintf(p.out, "| SIGTERM to the end, nothing to do | %.2f | below %d |\n| SIGTERM to the end, in the middle of a stream | %.2f | below %d |\n", stops.Idle, mostStop, stops.Loaded, mostStop)
	return nil
}

func (p *statePage) soakTable(s *statesoak.Soak, r *statesoak.Ran) {
	parts := s.Parts(r, 10)
	fmt.Fprintf(p.out, "| tenth | events/s | CPU us/event | RssAnon MB | disk MB |\n|---|---|---|---|---|\n")
	for i, t := range parts {
		fmt.Fprintf(p.out, "| %d | %.0f | %.1f | %d | %d |\n", i+1, t.Rate, t.CPU, t.Anon>>20, t.Disk>>20)
	}
	fmt.Fprintf(p.out, "\nRssAnon at most %.0f MB (aim: below %.0f MB); disk at most %d MB; %.0f s and %.0f s of CPU time, with the windows before.\n",
		float64(r.MostAnon())/1e6, mostAnon/1e6, r.MostDisk()>>20, r.Seconds, r.CPU)
	if len(parts) == 10 {
		fmt.Fprintf(p.out, "The last tenth went at %.0f %% of the pace of the first (aim: at least %d %%).\n", 100*parts[9].Rate/parts[0].Rate, leastLast)
	}
	fmt.Fprintf(p.out, "\n![memory](state-memory.svg)\n![disk](state-disk.svg)\n![events a second](state-rate.svg)\n")
}

// soakCurves draws all of the stream, the windows before those that count too.
func (p *statePage) soakCurves(s *statesoak.Soak, r *statesoak.Ran) error {
	anon, disk, rate := plotLine{name: "RssAnon"}, plotLine{name: "state folder"}, plotLine{name: "thousand events a second"}
	for i := range r.Samples {
		at := &r.Samples[i]
		x := s.At(at) / 1e6
		anon.points = append(anon.points, plotPoint{x, float64(at.Anon) / (1 << 20)})
		disk.points = append(disk.points, plotPoint{x, float64(at.Disk) / (1 << 20)})
	}
	last := s.At(&r.Samples[len(r.Samples)-1])
	const points = 60
	for i, t := range r.Parts(int(last), 0, points) {
		rate.points = append(rate.points, plotPoint{float64(i+1) / points * last / 1e6, t.Rate / 1000})
	}
	return errors.Join(p.o.write("state-memory.svg", overEvents("MB", anon)), p.o.write("state-disk.svg", overEvents("MB", disk)), p.o.write("state-rate.svg", overEvents("k/s", rate)))
}

// sizes is what a key costs, kind by kind.
func (p *statePage) sizes(ctx context.Context) error {
	fmt.Fprintf(p.out, "\n## What a key costs\n\nBytes a key over %d keys; see state-sizes.md.\n\n", stateKeys)
	return statesize.Table(ctx, p.out, stateKeys)
}
