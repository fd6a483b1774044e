package machine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/machine"
)

// drawLine writes a rule whose pattern is mostly a line: steps, repeated and optional
// ones, negations, conditions on the event alone and on what was taken before.
func drawLine(t *rapid.T) string {
	var b strings.Builder
	mode := rapid.SampledFrom([]string{"", "last ", "every "}).Draw(t, "mode")
	steps := rapid.IntRange(1, 4).Draw(t, "steps")
	fmt.Fprintf(&b, "rule r { match %s", mode)
	var single, all []string
	for i := range steps {
		name := fmt.Sprintf("s%d", i)
		if i > 0 {
			link := rapid.SampledFrom([]string{" -> ", " -> ", " -> ", " -> ", " -> ", " ->[3s] ", " ->[1s..6s] ", " ->[2s..1h] ", " => "}).Draw(t, "link")
			b.WriteString(link)
			if link == " -> " && rapid.IntRange(0, 5).Draw(t, "negation") == 0 {
				fmt.Fprintf(&b, "!%s -> ", drawStep(t, "", nil))
			}
		}
		turns := rapid.SampledFrom([]string{"", "", "", "", "+", "{2}", "{2,}", "{1,3}", "?", "*"}).Draw(t, "turns")
		if steps == 1 && (turns == "?" || turns == "*") {
			turns = "+"
		}
		earlier := single
		if turns != "" && turns != "?" {
			earlier = nil
		}
		b.WriteString(drawStep(t, name+": ", earlier) + turns)
		if turns == "" || turns == "?" {
			single = append(single, name+".n")
		} else {
			single = append(single, "count("+name+")", "last("+name+").n")
		}
		all = append(all, last(single, turns))
	}
	within := fmt.Sprintf(" within %ds", rapid.IntRange(5, 30).Draw(t, "within"))
	end := ""
	if mode != "last " {
		end = rapid.SampledFrom([]string{"", "", " -> !c for 4s", " -> !c[n > 1] for 3s", " -> !b"}).Draw(t, "end")
	}
	if !strings.HasSuffix(end, "b") && rapid.IntRange(0, 4).Draw(t, "unbounded") == 0 {
		within = ""
	}
	b.WriteString(end + within)
	if rapid.IntRange(0, 5).Draw(t, "until") == 0 {
		b.WriteString(" until c[n > 2]")
	}
	if rapid.IntRange(0, 5).Draw(t, "having") == 0 {
		fmt.Fprintf(&b, " having %s < 3", rapid.SampledFrom(all).Draw(t, "of"))
	}
	b.WriteString(" emit {")
	for i, value := range all {
		fmt.Fprintf(&b, " x%d: %s", i, value)
	}
	b.WriteString(" } }")
	return b.String()
}

// last is what is read of the step that was added last: how often it was taken, where it
// is repeated.
func last(values []string, turns string) string {
	if turns == "" || turns == "?" {
		return values[len(values)-1]
	}
	return values[len(values)-2]
}

// drawStep writes a step with a condition on its event or on earlier ones.
func drawStep(t *rapid.T, name string, earlier []string) string {
	typ := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "type")
	var conds []string
	if rapid.IntRange(0, 2).Draw(t, "own") == 0 {
		conds = append(conds, rapid.SampledFrom([]string{"n > 1", "n < 3", "n != 2"}).Draw(t, "on"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "across") {
		if len(earlier) == 0 {
			break
		}
		other := rapid.SampledFrom(earlier).Draw(t, "earlier")
		conds = append(conds, rapid.SampledFrom([]string{"n > %s", "n >= %s", "n < %s", "n == %s", "%s <= n", "n * 1.5 > %s", "n != %s", "%s * 0.5 < n", "n > %s + 1"}).Draw(t, "compares"))
		conds[len(conds)-1] = fmt.Sprintf(conds[len(conds)-1], other)
	}
	if len(conds) == 0 {
		return name + typ
	}
	return name + typ + "[" + strings.Join(conds, " and ") + "]"
}

// features are pieces of patterns that lines must be compared with.
var features = []string{"{2,}", "{1,3}", "*", "?", "=>", "->[3s]", "->[1s..6s]", "every", "last", "-> !c for 4s", "-> !b within", "until", "having", "n > s0.n", "n == s0.n", "last(s"}

// TestLinesDoWhatTheGeneralMachineDoes compares the rooms of a line, written and read
// back now and then, with the machine in which each run looks at each event.
func TestLinesDoWhatTheGeneralMachineDoes(t *testing.T) {
	lines, all := 0, 0
	with := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		rule := drawLine(t)
		compile := machine.CompilePattern
		if rapid.Bool().Draw(t, "heaps") {
			compile = machine.CompileHeaps
		}
		fast := newRigOrSkip(t, rule, compile)
		plain := newRigOf(t, rule, machine.CompileGeneral)
		all++
		if !fast.IsLine() {
			return
		}
		lines++
		for _, what := range features {
			if strings.Contains(rule, what) {
				with[what]++
			}
		}
		limit := rapid.SampledFrom([]int{1, 2, 3, 100, 100, 100}).Draw(t, "limit")
		fast.x.Limits.RunsPerKey, plain.x.Limits.RunsPerKey = limit, limit
		second := int64(100)
		for i := range rapid.IntRange(1, 100).Draw(t, "events") {
			second += int64(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 4}).Draw(t, "step"))
			typ, n := rapid.IntRange(0, 2).Draw(t, "type"), int64(rapid.IntRange(0, 4).Draw(t, "n"))
			fast.feed(typ, int64(i), second, n)
			plain.feed(typ, int64(i), second, n)
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				old := fast.key
				fast.reload(t)
				fast.Release(&fast.x, &old)
			}
			same(t, rule, fast, plain)
		}
		for _, r := range []*rig{fast, plain} {
			r.Settle(&r.x, &r.key, 1<<60)
			r.Release(&r.x, &r.key)
			if n := r.store.Len(); n != 0 {
				t.Fatalf("%s: %d events are kept by a key that was released", rule, n)
			}
		}
		same(t, rule, fast, plain)
	})
	if lines < all/3 {
		t.Errorf("of %d patterns only %d are lines", all, lines)
	}
	for _, what := range features {
		if with[what] == 0 && all >= 1000 {
			t.Errorf("no line with %q", what)
		}
	}
}

// same compares what two machines have made and what they hold.
func same(t *rapid.T, rule string, fast, plain *rig) {
	if !slices.Equal(fast.made, plain.made) {
		t.Fatalf("%s\nline\n%s\ngeneral\n%s", rule, strings.Join(fast.made, "\n"), strings.Join(plain.made, "\n"))
	}
	if fast.key.Runs() != plain.key.Runs() || fast.x.Dropped != plain.x.Dropped || fast.x.Frame.Fault.Count != plain.x.Frame.Fault.Count {
		t.Fatalf("%s\nline: %d runs, %+v, %d faults; general: %d, %+v, %d", rule, fast.key.Runs(), fast.x.Dropped, fast.x.Frame.Fault.Count, plain.key.Runs(), plain.x.Dropped, plain.x.Frame.Fault.Count)
	}
}

// newRigOrSkip passes by rules that do not check: a negation of what stands beside it, for one.
func newRigOrSkip(t *rapid.T, rule string, compile compiler) *rig {
	var failed quiet
	r := tryRig(&failed, rule, compile)
	if r == nil {
		t.Skip(failed.why)
	}
	return r
}

// quiet notes a failure instead of ending the test.
type quiet struct{ why string }

func (q *quiet) Helper() {}

func (q *quiet) Fatal(args ...any) { q.why = fmt.Sprint(args...); panic(q) }

func tryRig(q *quiet, rule string, compile compiler) (r *rig) {
	defer func() {
		if got := recover(); got != nil && got != any(q) {
			panic(got)
		}
	}()
	return newRigOf(q, rule, compile)
}

// TestLogsForgetWhatNoRunHolds: however long a key goes on, its logs hold the events of
// open runs, their first and last ones, and the line gives what the general machine does.
func TestLogsForgetWhatNoRunHolds(t *testing.T) {
	for _, rule := range []string{
		`rule r { match every x: a{2,} -> y: b[n > 3] within 100s emit { n: count(x) } }`,
		`rule r { match every y: b? ->[2s..50s] x: a{2,} -> c[n > 3] within 100s emit { n: count(x) } }`,
		`rule r { match every y: b -> x: a{2,5} -> c[n > y.n] within 100s emit { n: count(x) } }`,
	} {
		fast, plain := newRig(t, rule), newRigOf(t, rule, machine.CompileGeneral)
		if !fast.IsLine() {
			t.Fatalf("%s is no line", rule)
		}
		most := 0
		for i := range int64(2000) {
			typ := int(i * 7 % 11 % 3)
			fast.feed(typ, i, 100+i, i*5%7)
			plain.feed(typ, i, 100+i, i*5%7)
			most = max(most, fast.store.Len())
		}
		if !slices.Equal(fast.made, plain.made) || len(fast.made) == 0 {
			t.Errorf("%s: %d matches of the line, %d of the general machine, or others", rule, len(fast.made), len(plain.made))
		}
		if most > 400 {
			t.Errorf("%s: %d events are kept", rule, most)
		}
	}
}
