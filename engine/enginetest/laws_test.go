package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/state"
)

// TestAlertsDoNotDependOnHowTheEngineRuns is the law of language.md §7: byte for byte
// the same alerts, whatever the shards, the epochs, the reads, the store and the stops.
func TestAlertsDoNotDependOnHowTheEngineRuns(t *testing.T) {
	dir := t.TempDir()
	repeat(t, 2, func(t *rapid.T) { sameHoweverRun(t, dir) })
}

// TestAlertsDoNotDependOnOtherRules is the rest of that law.
func TestAlertsDoNotDependOnOtherRules(t *testing.T) { repeat(t, 2, sameAlone) }

// TestAlertsHaveTheirOwnIdentity says that the id of an alert tells it from all others of
// the run.
func TestAlertsHaveTheirOwnIdentity(t *testing.T) { repeat(t, 2, ownIdentities) }

// history is a drawn input with what came of it in one plain run.
type history struct {
	rules   string
	streams []Stream
	final   bool
	alerts  []string
}

func drawHistory(t *rapid.T) *history {
	m := &maker{t: t}
	h := &history{rules: m.ruleSet()}
	h.streams = m.streams(h.mostEvents())
	h.final = m.chance(50)
	h.alerts = h.run(t, h.rules, Options{})
	return h
}

// mostEvents keeps the streams short where every set of events is a match.
func (h *history) mostEvents() int {
	if strings.Contains(h.rules, "match all") {
		return 16
	}
	return 60
}

func (h *history) run(t tester, rules string, o Options) []string {
	t.Helper()
	o.Final = h.final
	res, err := Run(t.Context(), compile(t, rules), h.streams, o)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(rules, h.streams))
	}
	return res.Alerts
}

func sameHoweverRun(t *rapid.T, dir string) {
	h := drawHistory(t)
	m := &maker{t: t}
	for range 3 {
		o := Options{Shards: []int{1, 2, 7}[m.n(3)], EpochEvents: []int{10_000, 1, 10}[m.n(3)], BatchSize: []int{100, 1, 3}[m.n(3)], Beside: m.chance(30)}
		if m.chance(15) {
			path := filepath.Join(dir, fmt.Sprint("store", m.n(1<<30)))
			store, err := state.OpenBadger(path, state.Options{NoSync: true, MemTable: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(path)
			defer store.Close()
			o.Store, o.Stops = store, m.stops()
		} else if m.chance(50) {
			o.Store, o.Stops = durable{state.NewMemory()}, m.stops()
			if m.chance(30) {
				o.Store = late{durable{state.NewMemory()}}
			}
		}
		if m.chance(50) {
			o.RoundEvents = 1 + m.n(5)
		}
		if m.chance(20) {
			o.EpochKeys = 1 + m.n(3)
		}
		if m.chance(50) {
			o.SliceKeys = 1 + m.n(3) // with a durable store: of what a jump of time takes into memory
		}
		if m.chance(70) {
			o.Cache = 1 // with a durable store: what an epoch has not touched leaves memory
		}
		if diff := cmp.Diff(h.alerts, h.run(t, h.rules, o)); diff != "" {
			t.Fatalf("%s\nfinal: %v, %+v\n(-plain +so):\n%s", situation(h.rules, h.streams), h.final, o, diff)
		}
	}
}

// durable is a store in memory to which the engine saves as to one on disk.
type durable struct{ *state.Memory }

func (durable) Durable() bool { return true }

// late is a durable store whose commits take a while, so that the next epoch reads what was
// before them.
type late struct{ durable }

func (s late) Commit(ctx context.Context, b *state.Batch) error {
	time.Sleep(300 * time.Microsecond)
	return s.durable.Commit(ctx, b)
}

// stops draws after how many records the engine is stopped and goes on anew.
func (m *maker) stops() []int {
	var out []int
	for range m.n(4) {
		out = append(out, m.n(30))
	}
	return out
}

// sameAlone runs each rule of a set without the others, but for those that make the
// events which it may read.
func sameAlone(t *rapid.T) {
	h := drawHistory(t)
	head, rest, _ := strings.Cut(h.rules, "rule ")
	rules := strings.Split(rest, "\nrule ")
	for _, rule := range rules {
		name, _, _ := strings.Cut(rule, " ")
		text := head + "rule " + rule
		for _, other := range rules {
			if other != rule && strings.Contains(other, "emit d ") {
				text += "\nrule " + other
			}
		}
		want, got := ofRule(h.alerts, name), ofRule(h.run(t, text, Options{}), name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\nfinal: %v\n%s (-among others +alone):\n%s", situation(h.rules, h.streams), h.final, name, diff)
		}
	}
}

// ofRule keeps the alerts of a rule; never nil.
func ofRule(alerts []string, rule string) []string {
	out := []string{}
	for _, a := range alerts {
		if strings.Contains(a, `"rule":"`+rule+`"`) {
			out = append(out, a)
		}
	}
	return out
}

func ownIdentities(t *rapid.T) {
	h := drawHistory(t)
	seen := map[string]string{}
	for _, text := range h.alerts {
		var a struct{ ID string }
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if other, ok := seen[a.ID]; ok || a.ID == "" {
			t.Fatalf("%s\none id for two alerts:\n%s\n%s", situation(h.rules, h.streams), other, text)
		}
		seen[a.ID] = text
	}
}
