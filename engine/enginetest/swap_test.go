package enginetest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// TestAlertsDoNotDependOnChangesOfOtherRules: whatever rules come, go and change while the
// engine runs, one that does not change and reads nothing that a changed one makes alerts
// as if nothing had happened.
func TestAlertsDoNotDependOnChangesOfOtherRules(t *testing.T) { repeat(t, 4, sameThroughSwaps) }

// TestSwapIsAStartWithOtherRules: a change of the rules of a running engine does what a stop
// at that place and a start with them over the same store does, for every rule.
func TestSwapIsAStartWithOtherRules(t *testing.T) { repeat(t, 4, swapIsStart) }

// TestAnInputCanComeLate: an input that is added is as one that is there at a start.
func TestAnInputCanComeLate(t *testing.T) { repeat(t, 1, addIsStart) }

// version is a drawn rule set: the declarations and the rules by name.
type version struct {
	head  string
	names []string
	rules map[string]string
}

func versionOf(text string) *version {
	head, rest, _ := strings.Cut(text, "rule ")
	v := &version{head: head, rules: map[string]string{}}
	for _, rule := range strings.Split("\n"+rest, "\nrule ") {
		rule = strings.TrimPrefix(rule, "\n")
		name, _, _ := strings.Cut(rule, " ")
		v.set(name, "rule "+strings.TrimSuffix(rule, "\n")+"\n")
	}
	return v
}

func (v *version) set(name, rule string) {
	if v.rules[name] == "" {
		v.names = append(v.names, name)
	}
	v.rules[name] = rule
}

func (v *version) text() string {
	var b strings.Builder
	b.WriteString(v.head)
	for _, name := range v.names {
		b.WriteString(v.rules[name])
	}
	return b.String()
}

// change draws another version. Declarations of types that no record is of move the others.
func (v *version) change(m *maker) *version {
	next := &version{head: v.head, rules: map[string]string{}}
	if other := "event A0 (time: t) { t time  z int }\n"; strings.Contains(v.head, other) {
		if m.chance(20) {
			next.head = strings.Replace(v.head, other, "", 1)
		}
	} else if m.chance(20) {
		next.head += other
	}
	m.table = strings.Contains(v.head, "table tab")
	m.kinds = kinds
	if m.table && m.chance(20) {
		next.head = tableLine.ReplaceAllLiteralString(next.head, m.projection())
	}
	for _, name := range v.names {
		if rule := v.rules[name]; makesD(rule) && !m.chance(40) {
			next.set(name, rule)
		} else if rule = v.changeRule(m, name); rule != "" {
			next.set(name, rule)
		}
	}
	if m.chance(40) || len(next.names) == 0 {
		next.set(fmt.Sprintf("q%d", m.n(6)), m.rule("q"))
		name := next.names[len(next.names)-1]
		next.rules[name] = strings.Replace(next.rules[name], "rule q ", "rule "+name+" ", 1)
	}
	return next
}

var tableLine = regexp.MustCompile(`(?m)^table tab .*\n`)

// readsTable reports whether a rule reads the projection, of which changesTable reports
// whether it is another one.
func readsTable(rule string) bool { return strings.Contains(rule, "tab[") }

func (v *version) changesTable(other *version) bool {
	return tableLine.FindString(v.head) != tableLine.FindString(other.head)
}

func makesD(rule string) bool { return strings.Contains(rule, "emit d ") }

var nameD = regexp.MustCompile(`\bd\b`)

// readsD reports whether a rule reads what others make.
func readsD(rule string) bool { return nameD.MatchString(strings.ReplaceAll(rule, "emit d ", "")) }

// changesD reports whether some rule that makes d is not in both versions as it is in one.
func (v *version) changesD(other *version) bool {
	for _, name := range slices.Concat(v.names, other.names) {
		if was, is := v.rules[name], other.rules[name]; was != is && (makesD(was) || makesD(is)) {
			return true
		}
	}
	return false
}

// changeRule draws what becomes of a rule: nothing, for the most part.
func (v *version) changeRule(m *maker, name string) string {
	rule := v.rules[name]
	switch m.n(9) {
	case 8:
		return toggled(rule)
	case 3:
		return longer(m, rule)
	case 4:
		return m.rule(name)
	case 5:
		return ""
	case 6:
		return strings.Replace(rule, "{\n", "{\n    severity "+m.one("low", "high", "critical")+"\n", 1)
	case 7:
		return strings.Replace(rule, "emit { ", "emit { more: "+m.one("1", "2")+"  ", 1)
	}
	return rule
}

// toggled is a rule that goes into the shadow, or comes from there.
func toggled(rule string) string {
	const shadow = "    mode shadow\n"
	if strings.Contains(rule, shadow) {
		return strings.Replace(rule, shadow, "", 1)
	}
	if strings.Contains(rule, "    mode ") {
		return rule
	}
	return strings.Replace(rule, "{\n", "{\n"+shadow, 1)
}

// longer is a rule whose pattern, where it has one, has one more step.
func longer(m *maker, rule string) string {
	lines := strings.Split(rule, "\n")
	for i, line := range lines {
		if strings.Contains(line, "match ") && !strings.Contains(rule, "zz:") {
			lines[i] += m.one(" -> zz: a", " => zz: a", " -> zz: b+", " -> !zz: b -> c", " -> zz: a[x > 0]?")
		}
	}
	return strings.Join(lines, "\n")
}

// drawSwaps draws changes of a set of rules, one after the other.
func drawSwaps(t *rapid.T, m *maker, rules string) (versions []*version, swaps []Swap) {
	v := versionOf(rules)
	before, epoch := []*version{v}, 0
	for range 1 + m.n(3) {
		if back := m.n(len(before)); m.chance(20) {
			v = before[back] // a rollback
		} else {
			v = v.change(m)
		}
		before = append(before, v)
		epoch += 1 + m.n(8)
		versions = append(versions, v)
		swaps = append(swaps, Swap{Epoch: epoch, Set: compileChecked(t, v.text())})
	}
	return versions, swaps
}

// compileChecked skips what does not check: not all that is drawn fits together.
func compileChecked(t *rapid.T, rules string) (set *plan.Set) {
	set, errs := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
	if errs.HasErrors() {
		t.Skip(errs)
	}
	return set
}

func (m *maker) drawRun(o *Options) {
	o.Shards, o.EpochEvents, o.BatchSize = []int{1, 2, 7}[m.n(3)], []int{1, 2, 5, 10}[m.n(4)], []int{100, 1, 3, 7}[m.n(4)]
	o.Beside = m.chance(30)
	if m.chance(60) {
		o.Store = durable{state.NewMemory()}
		if m.chance(5) {
			o.Store = onDisk(m.t)
		}
		if m.chance(20) {
			o.Store = late{durable{state.NewMemory()}}
		}
		if o.Cache = int64(m.n(2)); m.chance(50) {
			o.RoundEvents = 1 + m.n(5)
		}
		if m.chance(30) {
			o.SliceKeys = 1 + m.n(3)
		}
		if m.chance(50) {
			o.Stops = m.stops()
			for range m.n(3) {
				o.Stops = append(o.Stops, -2-m.n(8))
			}
		}
	}
}

// onDisk is a store on disk that goes with the case.
func onDisk(t *rapid.T) *state.Badger {
	dir, err := os.MkdirTemp("", "law-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	store, err := state.OpenBadger(dir, state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func sameThroughSwaps(t *rapid.T) {
	h := drawHistory(t)
	m := &maker{t: t}
	versions, swaps := drawSwaps(t, m, h.rules)
	o := Options{Final: h.final, Swaps: slices.Clone(swaps)}
	m.drawRun(&o)
	if m.chance(15) {
		o.Swaps[m.n(len(swaps))].Warm = &Warm{Ahead: m.n(3)}
	}
	res, err := Run(t.Context(), compile(t, h.rules), h.streams, o)
	skipNotWarmed(t, err)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(h.rules, h.streams))
	}
	first := versionOf(h.rules)
	for _, name := range first.names {
		rule := first.rules[name]
		same := func(v *version) bool {
			return v.rules[name] == rule && !(readsD(rule) && v.changesD(first)) && !(readsTable(rule) && v.changesTable(first))
		}
		if slices.ContainsFunc(versions, func(v *version) bool { return !same(v) }) {
			continue
		}
		if diff := cmp.Diff(ofRule(h.alerts, name), ofRule(res.Alerts, name)); diff != "" {
			t.Fatalf("%s\nfinal: %v, %+v\n%s%s (-without +with swaps):\n%s", situation(h.rules, h.streams), h.final, o, retold(versions, res.Reports), name, diff)
		}
	}
}

// retold shows changes and what was said of them.
func retold(versions []*version, reports []engine.Report) string {
	var b strings.Builder
	for i, v := range versions {
		fmt.Fprintf(&b, "== version %d:\n%s", i+1, v.text())
		if i < len(reports) {
			fmt.Fprintf(&b, "== made at %v: %+v\n", reports[i].At, reports[i].Rules)
		}
	}
	return b.String()
}

func swapIsStart(t *rapid.T) {
	h := drawHistory(t)
	if len(h.streams) > 1 {
		t.Skip("where an engine stops is a place in one stream")
	}
	m := &maker{t: t}
	versions, swaps := drawSwaps(t, m, h.rules)
	if readsMoreBeside(versionOf(h.rules), versions) {
		t.Skip("of events that wait the engine has not kept what no rule has read")
	}
	o := Options{Final: h.final, Swaps: slices.Clone(swaps)}
	m.drawRun(&o)
	res, err := Run(t.Context(), compile(t, h.rules), h.streams, o)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(h.rules, h.streams))
	}
	want := startsInstead(t, h, swaps, res.Reports)
	if diff := cmp.Diff(want, res.Alerts); diff != "" {
		t.Fatalf("%s\nfinal: %v, %+v\n%s(-starts +swaps):\n%s", situation(h.rules, h.streams), h.final, o, retold(versions, res.Reports), diff)
	}
}

// readsMoreBeside reports whether a version reads the key or the header of records, which one
// before it did not.
func readsMoreBeside(first *version, versions []*version) bool {
	for _, part := range []string{"meta.key", "meta.headers.h"} {
		all := strings.Contains(first.text(), part)
		for _, v := range versions {
			reads := strings.Contains(v.text(), part)
			if reads && !all {
				return true
			}
			all = all && reads
		}
	}
	return false
}

// startsInstead stops and starts an engine where another one was given other rules.
func startsInstead(t *rapid.T, h *history, swaps []Swap, reports []engine.Report) (alerts []string) {
	store, at := durable{state.NewMemory()}, int64(0)
	set := compile(t, h.rules)
	for i := 0; i <= len(reports); i++ {
		o := Options{Store: store}
		stop := -1
		if i < len(reports) {
			to := min(reports[i].At[len(reports[i].At)-1].Offset, int64(len(h.streams[0].Records)))
			stop, at = int(to-at), to
		} else {
			o.Final = h.final
		}
		var res Result
		if err := runOnce(t.Context(), &set, &h.streams, &o, stop, o.Final, &res); err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, res.Alerts...)
		if i < len(reports) {
			set = swaps[i].Set
		}
	}
	return alerts
}

func addIsStart(t *rapid.T) {
	h := drawHistory(t)
	if len(h.streams) < 2 {
		t.Skip("one stream")
	}
	m := &maker{t: t}
	var o Options
	m.drawRun(&o)
	o.Final, o.Beside = h.final, false
	h.streams = h.streams[:2]
	o.Late = []Late{{Epoch: 1 + m.n(8), Stream: h.streams[1]}}
	res, err := Run(t.Context(), compile(t, h.rules), h.streams[:1:1], o)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(h.rules, h.streams))
	}
	want := startWithMore(t, h, res.Added)
	if diff := cmp.Diff(want, res.Alerts); diff != "" {
		t.Fatalf("%s\nfinal: %v, %+v\nat %v (-start with more +added):\n%s", situation(h.rules, h.streams), h.final, o, res.Added, diff)
	}
}

// startWithMore stops where another engine was given the second stream, and starts with
// both; where it was not given it, it was too late for it.
func startWithMore(t *rapid.T, h *history, added []engine.Report) (alerts []string) {
	store, set, stop, streams := durable{state.NewMemory()}, compile(t, h.rules), -1, h.streams[:1:1]
	if len(added) > 0 {
		stop = int(min(added[0].At[0].Offset, int64(len(h.streams[0].Records))))
	}
	for range 1 + len(added) {
		var res Result
		o := Options{Store: store}
		if err := runOnce(t.Context(), &set, &streams, &o, stop, h.final && stop < 0, &res); err != nil {
			t.Fatal(err)
		}
		alerts, streams, stop = append(alerts, res.Alerts...), h.streams, -1
	}
	return alerts
}
