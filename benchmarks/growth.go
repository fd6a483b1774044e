package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// growthCurve is how the cost of an event goes with the size of something.
type growthCurve struct {
	name, title string
	workloads   []string // a line each
	sizes       []int    // what is measured; nil: the sizes of the first workload
	memory      bool     // the memory is the point
}

func growthCurves() []growthCurve {
	return []growthCurve{
		{name: "window", title: "Events in the window of a key (sliding count)", workloads: []string{"Gwindow"}},
		{name: "distinct", title: "Distinct values in a window of 60,000 events", workloads: []string{"Gdistinct"}},
		{name: "runs", title: "Open runs of a key that waits for its second step", workloads: []string{"Gruns", "Gcompared"}},
		{name: "rules", title: "Rules, from 1,000 on with as many alerts in all (W8s)", workloads: []string{"W8s"}, sizes: []int{1, 10, 100, 1000, 10_000, 100_000}},
		{name: "rules-alerts", title: "Rules that all alert as often (W8f)", workloads: []string{"W8f"}, sizes: []int{1, 10, 100, 1000, 10_000, 100_000}},
		{name: "combinations", title: "Events in the window of all combinations, counted (W9)", workloads: []string{"W9"}, sizes: []int{50, 100, 200, 500, 1000, 2000, 10_000, 100_000}},
		{name: "keys", title: "Keys that are alive (sliding count, from JSON text)", workloads: []string{"Gkeys"}, memory: true},
	}
}

// printGrowth measures every curve, and writes its table to a page and its drawing to a
// file of its own.
func printGrowth(ctx context.Context, to io.Writer, o options) error {
	var page bytes.Buffer
	out := io.MultiWriter(to, &page)
	fmt.Fprintf(out, "# How an event's cost grows\n\nOne core, engine-only unless a title says otherwise. Written by `make bench-growth`; an\nevent's time is CPU time, the median of the runs.\n\n- machine: %s\n", measure.Machine())
	for _, c := range growthCurves() {
		if o.only != "" && o.only != c.name {
			continue
		}
		lines, err := measureCurve(ctx, out, o, c)
		if err != nil {
			return err
		}
		if err := o.write("growth-"+c.name+".svg", plot(c.title, c.unit(), lines)); err != nil {
			return err
		}
	}
	if o.only != "" {
		return nil // the page has all of them
	}
	return o.write("growth.md", page.Bytes())
}

func (c *growthCurve) unit() string {
	if c.memory {
		return "bytes a key"
	}
	return "ns an event"
}

// measureCurve measures the points of a curve and writes their table.
func measureCurve(ctx context.Context, out io.Writer, o options, c growthCurve) (lines []plotLine, err error) {
	fmt.Fprintf(out, "\n## %s\n\n![%s](growth-%s.svg)\n\n| workload | size | events | ns/event | events/s | of the first | allocs/event | gc %% | peak MB |\n|---|---|---|---|---|---|---|---|---|\n", c.title, c.title, c.name)
	for _, name := range c.workloads {
		w, ok := workload.Find(name)
		if !ok {
			return nil, fmt.Errorf("no workload %s", name)
		}
		line := plotLine{name: name}
		for _, size := range c.sizesOf(w) {
			r, err := o.parent().Measure(ctx, c.spec(o, w, size))
			if err != nil {
				return nil, err
			}
			line.points = append(line.points, plotPoint{float64(size), c.value(r)})
			fmt.Fprintf(out, "| %s | %d | %d | %.1f | %.0f | %.2f | %.3f | %.1f | %.1f |\n", name, size, r.Events, r.CPUNanos(), r.Rate(),
				line.points[len(line.points)-1].y/line.points[0].y, r.Allocs, 100*r.GC, float64(r.PeakKB)/1024)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (c *growthCurve) sizesOf(w *workload.Workload) []int {
	if c.sizes != nil {
		return c.sizes
	}
	return w.Sizes
}

func (c *growthCurve) spec(o options, w *workload.Workload, size int) measure.Spec {
	return measure.Spec{Workload: w.Name, Size: size, Events: o.events, Mode: measure.Engine, Cores: 1, Runs: 3, Seconds: 1}
}

// value is what the curve shows of a result.
func (c *growthCurve) value(r *measure.Result) float64 {
	if c.memory {
		return float64(r.PeakKB) * 1024 / float64(r.Size)
	}
	return r.CPUNanos()
}
