package machine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// rig runs the pattern of one rule for one key over events that carry a letter and a
// number, as in a7 at second 3.
type rig struct {
	*machine.Pattern
	x     machine.Context
	store keep.Store
	set   *plan.Set
	key   machine.PatternKey
	tests []machine.Test
	to    func(ev *event.Event, mask uint64, until, seen bool) // takes an event; seen: it passed a test
	made  []string
}

const header = `event a (time: t(s)) { t int n int }  event b (time: t(s)) { t int n int }  event c (time: t(s)) { t int n int }
`

// failer is what the tests of this file need of a test.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func newRig(t failer, rule string) *rig {
	t.Helper()
	return newRigOf(t, rule, machine.CompilePattern)
}

type compiler = func(*plan.Rule, eval.Compiler) (*machine.Pattern, error)

// newRigOf makes a rig of a pattern compiled in a given way.
func newRigOf(t failer, rule string, compile compiler) *rig {
	t.Helper()
	set := compileText(t, rule)
	p, err := compile(set.Rules[0], eval.Compiler{Types: set.Types, Event: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := rigOf(set, p.Tests())
	r.Pattern = p
	r.to = func(ev *event.Event, mask uint64, until, seen bool) {
		r.Settle(&r.x, &r.key, ev.At)
		if seen {
			r.Event(&r.x, &r.key, ev, mask, until)
		}
	}
	return r
}

func compileText(t failer, rule string) *plan.Set {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: header + rule}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	return set
}

// rigOf makes a rig without a machine.
func rigOf(set *plan.Set, tests []machine.Test) *rig {
	r := &rig{set: set, tests: tests}
	r.x = machine.Context{
		Frame: eval.Frame{World: &eval.World{Types: set.Types, Partitions: []event.Partition{{Source: "s"}}}},
		Keep:  &r.store, Codec: plainCodec{}, Effect: r.take, Limits: machine.Limits{}.WithDefaults(),
	}
	return r
}

// take notes an effect with its evidence.
func (r *rig) take(e *machine.Effect) {
	line := fmt.Sprintf("%d %x of %d from %d to %d:", e.Time/1e9, e.ID, e.Total, e.Start/1e9, e.End/1e9)
	for _, v := range e.Fields {
		line += fmt.Sprintf(" %v", v.N)
	}
	for _, ev := range e.Evidence {
		line += fmt.Sprintf(" %d@%d", ev.Step, ev.Event.Offset)
	}
	r.made = append(r.made, line)
}

// feed hands the key one event of a type, as the index would.
func (r *rig) feed(typ int, number int64, second, n int64) {
	l := &r.set.Types[typ].Layout
	ev := &event.Event{Type: int32(typ), Offset: number, Time: second * 1e9, At: second * 1e9, Slots: make([]uint64, l.Words()+len(l.Slots)), Side: make([]event.Value, 1)}
	for i := range l.Slots {
		ev.Slots[0] |= 1 << i
		ev.Slots[l.Words()+i] = uint64(n)
	}
	frame := eval.Frame{Event: ev, World: r.x.Frame.World}
	var mask uint64
	until, seen := false, false
	for _, test := range r.tests {
		c := eval.Compiler{Types: r.set.Types, Event: typ}
		if test.Type != typ || slices.ContainsFunc(test.Cond, func(e *plan.Expr) bool { return !c.Bool(e)(&frame) }) {
			continue
		}
		mask, until, seen = mask|test.Bit, until || test.Until, true
	}
	r.x.Begin()
	r.to(ev, mask, until, seen)
	r.x.End()
}

// reload writes the key and reads it back, and requires that the writing of what was
// read is the same.
func (r *rig) reload(t interface{ Fatalf(string, ...any) }) {
	record := r.Append(&r.x, nil, &r.key)
	var read machine.PatternKey
	if err := r.Decode(&r.x, record, &read); err != nil {
		t.Fatalf("decode what Append wrote: %v", err)
	}
	if again := r.Append(&r.x, nil, &read); !bytes.Equal(again, record) {
		t.Fatalf("written anew:\n%x\nwas\n%x", again, record)
	}
	r.key = read
}

// plainCodec writes events as their numbers.
type plainCodec struct{}

func (plainCodec) AppendEvent(b []byte, ev, _ *event.Event, _ int64) []byte {
	for _, n := range []int64{int64(ev.Type), ev.Offset, ev.Time, ev.At} {
		b = binary.AppendVarint(b, n)
	}
	for _, s := range ev.Slots {
		b = binary.AppendUvarint(b, s)
	}
	return b
}

var errPlain = errors.New("no event")

func (c plainCodec) ReadShown(b []byte, after *event.Event, base int64) (*event.Event, error) {
	return c.ReadEvent(b, after, base)
}

func (plainCodec) ReadEvent(b []byte, _ *event.Event, _ int64) (*event.Event, error) {
	ev := &event.Event{}
	var n [4]int64
	for i := range n {
		v, used := binary.Varint(b)
		if used <= 0 {
			return nil, errPlain
		}
		n[i], b = v, b[used:]
	}
	ev.Type, ev.Offset, ev.Time, ev.At = int32(n[0]), n[1], n[2], n[3]
	for len(b) > 0 {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return nil, errPlain
		}
		ev.Slots, b = append(ev.Slots, v), b[used:]
	}
	return ev, nil
}

// rules are patterns whose keys remember every kind of thing there is.
var rules = []string{
	`rule r { match a -> b within 5s }`,
	`rule r { match every a[n > 1] -> b: b[n > a.n] -> c within 9s }`,
	`rule r { match x: a{2,} -> b: b[n > avg(x.n) and n > x[1].n] within 20s emit { n: count(x) } }`,
	`rule r { match a -> !b -> c: c within 6s }`,
	`rule r { match a+ -> !b for 3s }`,
	`rule r { match !a ->[3s] b => c within 5s }`,
	`rule r { match last a{2} strict -> b within 8s }`,
	`rule r { match (x: a -> y: b){2} -> c within 15s emit { n: count(y) } }`,
	`rule r { match (x: a -> y: b & z: c+) -> w: a within 15s }`,
	`rule r { match any 2 of (y: a, b, c) -> x: a within 15s }`,
	`rule r { match (x: a[n > 1] | (y: a[n > 0] -> b)) => z: a within 15s }`,
	`rule r { match all a+ -> b within 6s limit 5 }`,
	`rule r { match all a -> !b for 2s within 9s limit 0 }`,
	`rule r { match x: a{1,30} -> b within 60s until c[n > 2] }`,
}

// TestRecordKeepsAllThatAKeyRemembers: writing and reading a key between any two
// events changes no match, and what is written of it again is the same. When all is
// over nothing is kept.
func TestRecordKeepsAllThatAKeyRemembers(t *testing.T) {
	for _, rule := range rules {
		t.Run(rule, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				once, often := newRig(t, rule), newRig(t, rule)
				second := int64(100)
				for i := range rapid.IntRange(1, 60).Draw(t, "events") {
					second += int64(rapid.SampledFrom([]int{0, 0, 1, 1, 2, 4}).Draw(t, "step"))
					typ, n := rapid.IntRange(0, 2).Draw(t, "type"), int64(rapid.IntRange(0, 3).Draw(t, "n"))
					once.feed(typ, int64(i), second, n)
					often.feed(typ, int64(i), second, n)
					often.reload(t)
				}
				for _, r := range []*rig{once, often} {
					r.Settle(&r.x, &r.key, 1<<60)
				}
				if !slices.Equal(once.made, often.made) {
					t.Fatalf("with records\n%q\nwithout\n%q", often.made, once.made)
				}
				if n := once.store.Len(); n != 0 && once.Empty(&once.key) {
					t.Fatalf("%d events are kept by a key that remembers nothing", n)
				}
			})
		})
	}
}

// TestRecordsAreWrittenWithoutAllocating once the first has been.
func TestRecordsAreWrittenWithoutAllocating(t *testing.T) {
	r := newRig(t, `rule r { match x: a{2,} -> b within 90s emit { n: count(x) } }`)
	for i := range 20 {
		r.feed(0, int64(i), int64(i), 5)
	}
	var b []byte
	if n := testing.AllocsPerRun(10, func() { b = r.Append(&r.x, b[:0], &r.key) }); n != 0 || len(b) < 50 {
		t.Errorf("%v allocations for a record of %d bytes", n, len(b))
	}
}

// FuzzPatternRecord: bytes that are no record are an error, never a panic, and leave no
// event kept.
func FuzzPatternRecord(f *testing.F) {
	for n, rule := range rules {
		r := newRig(f, rule)
		for i := range int64(12) {
			r.feed(int(i)%3, i, 100+i/3, i%4)
		}
		f.Add(n, r.Append(&r.x, nil, &r.key))
	}
	f.Fuzz(func(t *testing.T, n int, record []byte) {
		r := newRig(t, rules[uint(n)%uint(len(rules))])
		if err := r.Decode(&r.x, record, &r.key); err == nil {
			r.Append(&r.x, nil, &r.key)
		} else if !errors.Is(err, machine.ErrRecord) {
			t.Fatalf("error %v does not wrap ErrRecord", err)
		}
	})
}
