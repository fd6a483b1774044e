package machine_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/golden"
)

// anyKey is a key of any machine, in a context of its own: what it takes, and how it is
// written and read.
type anyKey interface {
	feed(i int64)
	append() []byte
	decode(b []byte) error
	since(last int64)
	shown() []string
}

// keyMachine is a machine, as the engine sees it.
type keyMachine[K any] interface {
	Event(x *machine.Context, k *K, ev *event.Event, mask uint64, until bool) int64
	Settle(x *machine.Context, k *K, now int64)
	Append(x *machine.Context, b []byte, k *K) []byte
	Decode(x *machine.Context, b []byte, k *K) error
}

// keyOf runs one key of a machine over a, b and c in turn, a second apart.
type keyOf[K any] struct {
	keyMachine[K]
	rig *rig
	key K
}

func (k *keyOf[K]) append() []byte        { return k.Append(&k.rig.x, nil, &k.key) }
func (k *keyOf[K]) decode(b []byte) error { return k.Decode(&k.rig.x, b, &k.key) }
func (k *keyOf[K]) since(last int64)      { k.rig.x.Since = last }
func (k *keyOf[K]) shown() []string       { return k.rig.made }

func (k *keyOf[K]) feed(i int64) {
	k.rig.to = func(ev *event.Event, mask uint64, until, seen bool) {
		k.rig.x.Since = ev.At
		k.Settle(&k.rig.x, &k.key, ev.At)
		if seen {
			k.Event(&k.rig.x, &k.key, ev, mask, until)
		}
	}
	k.rig.feed(int(i)%3, i, 1_700_000_000+i, i%4)
}

// newAnyKey makes the machine of the last table, or else the first rule, of a text.
func newAnyKey(t failer, text string) anyKey {
	set := compileText(t, text)
	c := eval.Compiler{Types: set.Types, Event: -1}
	rule := set.Rules[0]
	switch {
	case len(set.Projections) > 0:
		p, err := machine.CompileProjection(set, 0, c)
		return keyIn(t, set, p.Tests(), keyMachine[machine.ProjectionKey](p), err)
	case rule.Pattern != nil:
		p, err := machine.CompilePattern(rule, c)
		return keyIn(t, set, p.Tests(), keyMachine[machine.PatternKey](p), err)
	case rule.Windows[0].Spec.Kind.AtEvent():
		w, err := machine.CompileWindow(rule, c)
		return keyIn(t, set, w.Tests(), keyMachine[machine.WindowKey](w), err)
	}
	b, err := machine.CompileBucket(rule, c)
	return keyIn(t, set, b.Tests(), keyMachine[machine.BucketKey](b), err)
}

func keyIn[K any](t failer, set *plan.Set, tests []machine.Test, m keyMachine[K], err error) anyKey {
	if err != nil {
		t.Fatal(err)
	}
	return &keyOf[K]{keyMachine: m, rig: rigOf(set, tests)}
}

// goldenRules are rules whose records are of every kind.
var goldenRules = slices.Concat(rules, []string{
	windowRules[0].text, windowRules[4].text, windowRules[5].text,
	`rule r { from a window tumbling 1m emit { n: count(), s: sum(n) } }`,
	`rule r { from a window hopping 20s every 10s early having sum(n) > 3 once }`,
	`rule r { from a window session 5s max 9s emit { d: distinct(n), p: percentile(n, 50) } }`,
	`rule r { from a window batch 10 emit { v: values(n) } }`,
	"table known by n from a keep 1h { s: sum(n), f: max(n) }\nrule r { from b emit { k: known[n].s } }",
})

const goldenEvents = 11

// feedAll feeds the events from one number up to another, which is not fed.
func feedAll(k anyKey, from, to int64) {
	for i := from; i < to; i++ {
		k.feed(i)
	}
}

// TestGoldenRecords: what keys remember is written as it was, and what was written is read
// as the same: it says the same ever after.
func TestGoldenRecords(t *testing.T) {
	var records []golden.Record
	for _, text := range goldenRules {
		k := newAnyKey(t, text)
		feedAll(k, 0, goldenEvents)
		b := k.append()
		records = append(records, golden.Record{
			Kind: machine.KindOf(b), Name: strings.ReplaceAll(text, "\n", " "), Bytes: b,
			About: fmt.Sprintf("%d events a, b, c in turn, a second apart, of n = 0, 1, 2, 3 in turn; alerts so far:\n%s", goldenEvents, strings.Join(k.shown(), "\n")),
		})
	}
	records = golden.Check(t, filepath.Join("testdata", "records.golden"), state.Format, machine.RecordKinds(), records)
	for i, text := range goldenRules {
		once, again := newAnyKey(t, text), readAt(t, text, records[i].Bytes)
		feedAll(once, 0, goldenEvents)
		said := len(once.shown())
		feedAll(once, goldenEvents, 3*goldenEvents)
		feedAll(again, goldenEvents, 3*goldenEvents)
		if !slices.Equal(once.shown()[said:], again.shown()) || !bytes.Equal(once.append(), again.append()) {
			t.Errorf("%s: says %q of what was read, %q of what was written", text, again.shown(), once.shown()[said:])
		}
	}
}

// readAt reads a record, written after the golden events, into a key of its own.
func readAt(t *testing.T, text string, record []byte) anyKey {
	k := newAnyKey(t, text)
	k.since((1_700_000_000 + goldenEvents - 1) * 1e9)
	if err := k.decode(record); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return k
}

// TestRecordOfAnotherKindIsRefused: no machine takes the record of another one.
func TestRecordOfAnotherKindIsRefused(t *testing.T) {
	of := map[string][]byte{}
	for _, text := range goldenRules {
		k := newAnyKey(t, text)
		feedAll(k, 0, goldenEvents)
		of[machine.KindOf(k.append())] = k.append()
	}
	for _, text := range goldenRules {
		own := machine.KindOf(newAnyKey(t, text).append())
		for kind, record := range of {
			if err := newAnyKey(t, text).decode(record); kind != own && !(errors.Is(err, machine.ErrRecord) && strings.Contains(err.Error(), kind)) {
				t.Errorf("a %s takes the record of a %s: %v", own, kind, err)
			}
		}
	}
}

// FuzzRecord: whatever the bytes, a machine refuses them, or can write and go on with what
// it has read.
func FuzzRecord(f *testing.F) {
	for n, text := range goldenRules {
		k := newAnyKey(f, text)
		for i := range int64(goldenEvents) {
			k.feed(i)
			f.Add(uint8(n), k.append())
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, record []byte) {
		text := goldenRules[int(n)%len(goldenRules)]
		k := newAnyKey(t, text)
		if err := k.decode(record); err != nil {
			if !errors.Is(err, machine.ErrRecord) {
				t.Fatalf("error %v does not wrap ErrRecord", err)
			}
			return
		}
		b := k.append()
		again := newAnyKey(t, text)
		if err := again.decode(b); err != nil {
			t.Fatalf("what was read is written as a record that is refused: %v", err)
		}
		if c := again.append(); !bytes.Equal(b, c) {
			t.Fatalf("written anew:\n%x\nwas\n%x", c, b)
		}
		feedAll(k, goldenEvents, 2*goldenEvents)
	})
}
