package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/route"
)

type routeVerb struct {
	Alerts string `arg:"" type:"given" help:"Alerts, one a line, as a run writes them; - is standard input."`
	Config string `name:"config" short:"c" type:"given" required:"" placeholder:"FILE" help:"The configuration with the sinks and routes, and the rules."`
	JSON   bool   `name:"json" help:"As JSON, one line an alert and sink."`
}

// maxAlertLine bounds an alert of a file, in bytes.
const maxAlertLine = 32 << 20

// Run says of each alert where it would go and why, as if a run began with the first.
func (v routeVerb) Run(w *world) error {
	file, err := config.Load(v.Config, config.Options{NoSources: true})
	if err != nil {
		return usage(err)
	}
	run := runVerb{Config: v.Config}
	run.take(file)
	set, _, err := compile(run.Rules)
	if err != nil {
		return err
	}
	table, err := run.table(newRecipients(&run, set).of, w.now)
	if err != nil {
		return usage(err)
	}
	if table == nil {
		return usage(fmt.Errorf("%s has no sinks: all alerts go to standard output", v.Config))
	}
	out := bufio.NewWriter(w.stdout)
	return errors.Join(v.explain(w, table.Explain(), out), out.Flush())
}

func (v routeVerb) explain(w *world, e *route.Explainer, to io.Writer) error {
	return w.eachAlert(v.Alerts, func(line []byte, alert *sinks.Alert) error {
		verdicts, err := e.Alert(line)
		if err != nil {
			return err
		}
		return v.print(to, alert, verdicts)
	})
}

// eachAlert calls visit for each line of a file of alerts, or of standard input (-). The line
// is valid until visit returns. A line that is no alert is wrong usage.
func (w *world) eachAlert(path string, visit func(line []byte, alert *sinks.Alert) error) error {
	from, err := w.openAlerts(path)
	if err != nil {
		return usage(err)
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxAlertLine)
	for n := 1; lines.Scan(); n++ {
		alert, err := sinks.ParseAlert(lines.Bytes())
		if err != nil {
			return usage(fmt.Errorf("%s:%d: %w", path, n, sinks.Refusal(err)))
		}
		if err := visit(lines.Bytes(), alert); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (w *world) openAlerts(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(w.stdin), nil
	}
	return os.Open(path)
}

func (v routeVerb) print(to io.Writer, a *sinks.Alert, verdicts []route.Verdict) error {
	if !v.JSON {
		fmt.Fprintf(to, "%s %s %s\n", a.ID, a.Rule, a.Severity)
	}
	for _, verdict := range verdicts {
		if err := v.printOne(to, a, verdict); err != nil {
			return err
		}
	}
	return nil
}

func (v routeVerb) printOne(to io.Writer, a *sinks.Alert, verdict route.Verdict) error {
	d := verdict.Decision
	if v.JSON {
		return json.NewEncoder(to).Encode(map[string]any{
			"id": a.ID, "rule": a.Rule, "sink": verdict.Sink, "goes": d.Skip == "", "skip": d.Skip, "why": verdict.Why, "group": d.Group,
		})
	}
	arrow, with := "→", ""
	switch {
	case d.Skip != "":
		arrow = "✗"
	case d.Group != "":
		with = fmt.Sprintf(", in the group %s after %s, then every %s", d.Group, d.Wait, d.Interval)
	}
	_, err := fmt.Fprintf(to, "  %s %s: %s%s\n", arrow, verdict.Sink, verdict.Why, with)
	return err
}

// table is what the configuration says of routes, for its sinks; nil where there are none
// to choose from.
func (v *runVerb) table(to func(rule string) []string, now func() time.Time) (*route.Table, error) {
	if v.file == nil || len(v.Sink) > 0 || len(v.file.Sinks) == 0 {
		return nil, nil
	}
	return v.file.Table(slices.Sorted(maps.Keys(v.file.Sinks)), to, now)
}

// routed gives each sink its router.
func (p *pipeline) routed(targets []sinks.Target) error {
	p.to = newRecipients(&p.verb, p.set)
	table, err := p.verb.table(p.to.of, p.world.now)
	if table == nil || err != nil {
		return err
	}
	p.table = table
	for i := range targets {
		targets[i].Router = table.For(targets[i].Name)
	}
	return nil
}

// recipients are the sinks that rules send to, as of the set that runs. It is safe for
// several goroutines.
type recipients struct {
	sinks []string
	now   atomic.Pointer[map[string][]string] // by rule
}

func newRecipients(v *runVerb, set *plan.Set) *recipients {
	r := &recipients{sinks: v.sinkNames()}
	r.become(set)
	return r
}

// of are the sinks of a rule; nil: it names none that there is.
func (r *recipients) of(rule string) []string { return (*r.now.Load())[rule] }

// become takes what a set says in place of what was said before.
func (r *recipients) become(set *plan.Set) {
	all := r.saidBy(set)
	r.now.Store(&all)
}

// expect adds what a set that may run soon says of rules of which nothing is known: their
// first alerts can come before we hear that it runs. The returned function forgets it again.
func (r *recipients) expect(set *plan.Set) (forget func()) {
	was := r.now.Load()
	both := r.saidBy(set)
	maps.Copy(both, *was)
	r.now.Store(&both)
	return func() { r.now.Store(was) }
}

func (r *recipients) saidBy(set *plan.Set) map[string][]string {
	all := make(map[string][]string, len(set.Rules))
	for _, rule := range set.Rules {
		all[rule.Name] = slices.DeleteFunc(slices.Clone(rule.To), func(sink string) bool { return !slices.Contains(r.sinks, sink) })
	}
	return all
}
