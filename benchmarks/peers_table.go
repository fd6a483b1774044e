package main

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
)

// peersIntro is what the page says of itself whatever the machine.
const peersIntro = `# Side by side: Cepheus, Esper, Siddhi, Flink CEP

Written by ` + "`make bench-peers`" + `, which runs all of them in turn on the same core, over the
same events; benchmarks/peers/README.md says what each workload is in each language, and
where semantics differ. Rates are events a second: median / best of the runs. The clock
runs from the first event to the last result, after a warm-up.

- Engine-only: events are decoded before the clock starts. Ours makes each alert's id and
  references its evidence; the peers count matches.
- From JSON: records are held as bytes. Ours renders each alert and writes it to a file;
  the peers count matches.
- Esper counts by its "steady" pass (the fourth over the stream in one deployment) in
  engine-only runs over payments; elsewhere by its plain runs.
- The ratio is ours to the fastest peer by medians. A peer that was cut by the limit, or
  whose number of matches is off by more than 1 %, is not the fastest of any row.
- "≠ n": that many matches, and the oracle counts others. "cut": stopped by the limit, the
  rate is that until then. "none": no result in time, or it failed. "-": not run.

`

// peersPage is the whole page.
func (o *options) peersPage(list []*contest) []byte {
	var b bytes.Buffer
	b.WriteString(peersIntro)
	for _, part := range []struct {
		title string
		mode  measure.Mode
	}{{"Engine-only", measure.Engine}, {"From JSON", measure.JSON}} {
		fmt.Fprintf(&b, "## %s\n\n| workload | size | events | matches | Cepheus | Esper | Siddhi | Flink CEP | × best peer |\n|---|---|---|---|---|---|---|---|---|\n", part.title)
		for _, c := range list {
			if c.mode == part.mode && c.ours != nil {
				c.writeRow(&b)
			}
		}
		b.WriteString("\n")
	}
	writeProcesses(&b, list)
	o.writeCircumstances(&b, list)
	return b.Bytes()
}

func (c *contest) writeRow(b *bytes.Buffer) {
	size := "-"
	if c.size > 0 {
		size = fmt.Sprintf("%d %s", c.size, c.w.SizeName)
	}
	fmt.Fprintf(b, "| %s | %s | %d | %d | %s / %s |", c.w.Name, size, c.ours.Events, c.ours.Matches, short(c.ours.Rate()), short(c.ours.Best()))
	for _, peer := range []string{esper, siddhi, flink} {
		fmt.Fprintf(b, " %s |", c.cell(peer))
	}
	ratio := "-"
	if best := c.bestPeer(); best > 0 {
		ratio = fmt.Sprintf("**%.1f**", c.ours.Rate()/best)
	}
	fmt.Fprintf(b, " %s |\n", ratio)
}

// cell is what is known of a peer.
func (c *contest) cell(peer string) string {
	r, ok := c.found[peer]
	switch {
	case !ok:
		return "-"
	case r.rate() == 0:
		return "none"
	case !r.Complete:
		return short(r.rate()) + " cut"
	case r.Matches != c.ours.Matches:
		return fmt.Sprintf("%s / %s ≠ %d", short(r.rate()), short(r.best()), r.Matches)
	}
	return short(r.rate()) + " / " + short(r.best())
}

// mostOff is by how much the matches of a peer may differ for it to count.
const mostOff = 0.01

// bestPeer is the rate of the fastest peer that answered the question, 0 for none.
func (c *contest) bestPeer() (best float64) {
	for _, r := range c.found {
		off := math.Abs(float64(r.Matches-c.ours.Matches)) / math.Max(1, float64(c.ours.Matches))
		if r.Complete && off <= mostOff {
			best = max(best, r.rate())
		}
	}
	return best
}

// short writes a rate with the digits that mean something.
func short(rate float64) string {
	switch {
	case rate >= 1e6:
		return fmt.Sprintf("%.1f M", rate/1e6)
	case rate >= 1e4:
		return fmt.Sprintf("%.0f k", rate/1e3)
	}
	return fmt.Sprintf("%.1f k", rate/1e3)
}

// recorded are rates of RSigma 0.26.0 (Rust, whole process, alerts written as JSON), with
// its resident memory in MB, measured in November 2026 on a machine of this kind; it is
// not run here. Its numbers of matches on W3 and W4 are not the right ones.
func recorded(name string) (rate, megabytes float64) {
	switch name {
	case "W1":
		return 738e3, 18
	case "W3":
		return 423e3, 23
	case "W4":
		return 869e3, 25
	case "W10":
		return 71e3, 70
	}
	return 0, 0
}

// writeProcesses writes the rows of whole processes.
func writeProcesses(b *bytes.Buffer, list []*contest) {
	b.WriteString("## Whole process\n\n`cepheus run` from a file to a file, from the start of the process to its end. RSigma's figures (0.26.0, Rust)\nare recorded, not measured in this run.\n\n| workload | events | matches | Cepheus | peak MB | RSigma | peak MB | × |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range list {
		if c.mode != measure.Process || c.ours == nil {
			continue
		}
		rate, megabytes := recorded(c.w.Name)
		fmt.Fprintf(b, "| %s | %d | %d | %s / %s | %.0f | %s | %.0f | **%.1f** |\n", c.w.Name, c.ours.Events, c.ours.Matches,
			short(c.ours.Rate()), short(c.ours.Best()), float64(c.ours.PeakKB)/1024, short(rate), megabytes, c.ours.Rate()/rate)
	}
}

// writeCircumstances writes what the numbers depend on.
func (o *options) writeCircumstances(b *bytes.Buffer, list []*contest) {
	warm, runs, limit := fullWarm, fullRuns, fullLimit
	if o.quick {
		warm, runs, limit = quickWarm, quickRuns, quickLimit
	}
	fmt.Fprintf(b, "\n## Measured on\n\n- %s\n- %s\n", measure.Machine(), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(b, "- Cepheus: %s, GOMAXPROCS=1, default settings of the collector; 1 warm-up run, then at least %d runs and 2 s\n", o.version(), fullRuns)
	for _, peer := range []string{esper, siddhi, flink} {
		if v := peerVersion(list, peer); v != "" {
			fmt.Fprintf(b, "- %s %s\n", peer, v)
		}
	}
	fmt.Fprintf(b, "- %s, -Xms6g -Xmx6g, Serial GC; warm-up at least %d s, then %d runs (one where a run takes more than 6 s), cut after %d s\n", javaVersion(), warm, runs, limit)
	if measure.CanPin() {
		fmt.Fprintf(b, "- all pinned to core %d of %d, one after the other\n", o.cpu, runtime.NumCPU())
	} else {
		b.WriteString("- not pinned: there is no taskset\n")
	}
}

// version is what the binary says of itself.
func (o *options) version() string {
	out, err := exec.Command(o.binary, "version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// javaVersion is the first line that java prints of itself.
func javaVersion() string {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return "java"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// peerVersion is what any result of a peer says.
func peerVersion(list []*contest, peer string) string {
	for _, c := range list {
		if r := c.found[peer]; r != nil && r.Version != "" {
			return r.Version
		}
	}
	return ""
}
