package machine_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// windowRig runs a window rule for one key, over events without fields.
type windowRig struct {
	*machine.Window
	x    machine.Context
	key  machine.WindowKey
	made []string
}

func newWindowRig(t failer, rule string) *windowRig {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: header + rule}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	w, err := machine.CompileWindow(set.Rules[0], eval.Compiler{Types: set.Types, Event: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := &windowRig{Window: w}
	r.x = machine.Context{
		Frame: eval.Frame{World: &eval.World{Types: set.Types, Partitions: []event.Partition{{Source: "s"}}}},
		Codec: plainCodec{}, Effect: r.take, Limits: machine.Limits{}.WithDefaults(), Keep: new(keep.Store),
	}
	return r
}

// take notes an effect: how many events, from when, which are shown, and its fields.
func (r *windowRig) take(e *machine.Effect) {
	line := fmt.Sprintf("%d from %d:", e.Total, e.Start)
	for i := range e.Evidence {
		line += fmt.Sprintf(" %d@%d", e.Evidence[i].Event.Offset, e.Evidence[i].Event.Time)
	}
	for _, v := range e.Fields {
		line += " " + string(event.AppendJSON(nil, v))
	}
	r.made = append(r.made, line)
}

func (r *windowRig) feed(number, own, at int64) {
	r.x.Begin()
	r.Event(&r.x, &r.key, &event.Event{Offset: number, Time: own, At: at, Slots: make([]uint64, 8)}, 1, false)
	r.x.End()
}

// reload writes the key and reads it back; what was read is written the same.
func (r *windowRig) reload(t *rapid.T) {
	record := r.Append(&r.x, nil, &r.key)
	r.Release(&r.x, &r.key)
	if n := r.x.Log.Len(); n != 0 {
		t.Fatalf("%d events are kept of a key that is released", n)
	}
	if err := r.Decode(&r.x, record, &r.key); err != nil {
		t.Fatalf("decode what Append wrote: %v", err)
	}
	if again := r.Append(&r.x, nil, &r.key); !bytes.Equal(again, record) {
		t.Fatalf("written anew:\n%x\nwas\n%x", again, record)
	}
}

// windowRules are rules whose windows are counted only, have states, or both.
var windowRules = []struct {
	text  string
	spans []int64 // of windows of time
	lasts []int   // of others
}{
	{`rule r { from a window sliding 30s emit { n: count() } }`, []int64{30e9}, nil},
	{`rule r { from a window last 25 emit { n: count() } }`, nil, []int{25}},
	{`rule r { from a window last 3 emit { n: count() } }`, nil, []int{3}},
	{`rule r { from a window w sliding 9s window v sliding 40s emit { n: count(w), m: count(v) } }`, []int64{9e9, 40e9}, nil},
	{`rule r { from a window w sliding 20s window v last 24 emit { n: count(w), m: count(v) } }`, []int64{20e9}, []int{24}},
	{`rule r { from a window w sliding 20s window v last 24 emit { n: count(w), m: count(v), s: sum(w.n) } }`, []int64{20e9}, []int{24}},
	{`rule r { from a window sliding 30s emit { n: count(), s: max(n) } }`, []int64{30e9}, nil},
}

// TestWindowsShowTheirEvents compares the total, the start and the evidence of alerts
// with a list of all events.
func TestWindowsShowTheirEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(windowRules).Draw(t, "rule")
		r := newWindowRig(t, c.text)
		if rapid.Bool().Draw(t, "bounded") {
			r.x.Limits.EventsPerWindow = 22
		}
		var list [][2]int64 // own time and time
		now := int64(0)
		for i := range rapid.IntRange(1, 120).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 0, 1e9, 1e9, 2e9, 15e9}).Draw(t, "later")
			own := now - rapid.SampledFrom([]int64{0, 0, 0, 5e9}).Draw(t, "late")
			list = append(list, [2]int64{own, now})
			r.made = nil
			r.feed(int64(i), own, now)
			sizes := sizesOf(c.spans, c.lasts, list, r.x.Limits.EventsPerWindow)
			if diff := cmp.Diff([]string{show(list, sizes)}, cutAll(r.made, sizes)); diff != "" {
				t.Fatalf("%s at event %d: %s", c.text, i, diff)
			}
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				r.reload(t)
			case 1:
				r.Settle(&r.x, &r.key, now)
			}
		}
		if due := r.Deadline(&r.key); len(c.lasts) == 0 {
			r.Settle(&r.x, &r.key, due)
			if !r.Empty(&r.key) || r.x.Log.Len() != 0 {
				t.Fatalf("%d events are kept of a key whose windows are empty", r.x.Log.Len())
			}
		}
		r.Release(&r.x, &r.key)
		if n := r.x.Log.Len(); n != 0 {
			t.Fatalf("%d events are kept", n)
		}
	})
}

// TestCountsAreComparedWithoutAsking compares windows whose having is an interval of
// counts with the same ones that ask it as an expression.
func TestCountsAreComparedWithoutAsking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]string{"==", "<", "<=", ">", ">="}).Draw(t, "op")
		n := rapid.SampledFrom([]string{"0", "3", "21", "25", "-1", "9223372036854775807"}).Draw(t, "count")
		once := rapid.SampledFrom([]string{"", " once"}).Draw(t, "once")
		text := `rule r { from a window sliding 30s having count() ` + op + " " + n + once + ` emit { n: count() } }`
		counts, asks := newWindowRig(t, text), newWindowRig(t, text)
		if !counts.Counts() {
			t.Fatalf("%s is asked", text)
		}
		asks.Window = machine.Asking(asks.Window)
		if rapid.Bool().Draw(t, "bounded") {
			counts.x.Limits.EventsPerWindow, asks.x.Limits.EventsPerWindow = 22, 22
		}
		now := int64(0)
		for i := range rapid.Int64Range(1, 120).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 0, 1e9, 1e9, 2e9, 15e9}).Draw(t, "later")
			own := now - rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 0, 5e9}).Draw(t, "late")
			counts.feed(i, own, now)
			asks.feed(i, own, now)
			if rapid.IntRange(0, 9).Draw(t, "then") == 0 {
				counts.reload(t)
			}
		}
		if diff := cmp.Diff(asks.made, counts.made); diff != "" {
			t.Fatalf("%s: %s", text, diff)
		}
		if a, b := asks.Append(&asks.x, nil, &asks.key), counts.Append(&counts.x, nil, &counts.key); !bytes.Equal(a, b) {
			t.Fatalf("%s: the key is\n%x\nwant\n%x", text, b, a)
		}
	})
}

// sizesOf counts the events of each window, the newest last.
func sizesOf(spans []int64, lasts []int, list [][2]int64, most int) []int {
	var sizes []int
	now := list[len(list)-1][1]
	for _, span := range spans {
		n := 0
		for n < len(list) && list[len(list)-1-n][1] > now-span {
			n++
		}
		sizes = append(sizes, min(n, most))
	}
	for _, n := range lasts {
		sizes = append(sizes, min(n, len(list), most))
	}
	return sizes
}

// show is what take notes, with the sizes as the first fields.
func show(list [][2]int64, sizes []int) string {
	most := 0
	for _, n := range sizes {
		most = max(most, n)
	}
	line := fmt.Sprintf("%d from %d:", most, list[len(list)-most][0])
	for i := len(list) - min(most, machine.MaxEvidence); i < len(list); i++ {
		line += fmt.Sprintf(" %d@%d", i, list[i][0])
	}
	for _, n := range sizes {
		line += fmt.Sprintf(" %d", n)
	}
	return line
}

// cutAll leaves of each line out what is more than the sizes: results of aggregates over
// fields that the events do not have.
func cutAll(lines []string, sizes []int) []string {
	var out []string
	for _, line := range lines {
		fields := bytes.Fields([]byte(line))
		shown := 0
		for _, f := range fields {
			if bytes.IndexByte(f, '@') >= 0 {
				shown++
			}
		}
		out = append(out, string(bytes.Join(fields[:3+shown+len(sizes)], []byte(" "))))
	}
	return out
}

// FuzzWindowDecode: no bytes make Decode panic, and what it takes can be written, read
// and gone on with, with nothing of it left behind.
func FuzzWindowDecode(f *testing.F) {
	for i, c := range windowRules {
		r := newWindowRig(f, c.text)
		for n := range int64(30) {
			r.feed(n, n*1e9-n%2, n*1e9)
			if n%7 == 1 {
				f.Add(uint8(i), r.Append(&r.x, nil, &r.key))
			}
		}
	}
	f.Fuzz(func(t *testing.T, rule uint8, record []byte) {
		r := newWindowRig(t, windowRules[int(rule)%len(windowRules)].text)
		if err := r.Decode(&r.x, record, &r.key); err != nil {
			if !errors.Is(err, machine.ErrRecord) {
				t.Fatalf("another error: %v", err)
			}
			if n := r.x.Log.Len(); n != 0 {
				t.Fatalf("%d events are kept of what was refused", n)
			}
			return
		}
		once := r.Append(&r.x, nil, &r.key)
		var again machine.WindowKey
		if err := r.Decode(&r.x, once, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(once, r.Append(&r.x, nil, &again)); diff != "" {
			t.Fatal(diff)
		}
		r.Release(&r.x, &again)
		for range 3 {
			r.feed(1, 1<<62, 1<<62)
		}
		r.Settle(&r.x, &r.key, 1<<62+1)
		r.Release(&r.x, &r.key)
		if n := r.x.Log.Len(); n != 0 {
			t.Errorf("%d events are still kept", n)
		}
	})
}

// TestOldRecordsOfWindowsAreRefused: the first form of a record is refused by its
// version, not misread.
func TestOldRecordsOfWindowsAreRefused(t *testing.T) {
	r := newWindowRig(t, windowRules[0].text)
	r.feed(1, 1e9, 1e9)
	record := r.Append(&r.x, nil, &r.key)
	record[0] = 1
	var again machine.WindowKey
	if err := r.Decode(&r.x, record, &again); !errors.Is(err, machine.ErrRecord) {
		t.Errorf("the error is %v", err)
	}
}

// TestWindowEventsAllocateNothing: once a key's rings have their size.
func TestWindowEventsAllocateNothing(t *testing.T) {
	for _, c := range windowRules {
		r := newWindowRig(t, c.text)
		r.x.Effect = func(*machine.Effect) {}
		ev := &event.Event{Slots: make([]uint64, 8)}
		step := func() {
			ev.Time += 1e8
			ev.At = ev.Time
			r.x.Begin()
			r.Event(&r.x, &r.key, ev, 1, false)
			r.x.End()
		}
		for range 2000 {
			step()
		}
		if n := testing.AllocsPerRun(1000, step); n > 0 {
			t.Errorf("%s: %v allocations an event", c.text, n)
		}
	}
}
