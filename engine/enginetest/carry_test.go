package enginetest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// TestRunsThatAreNotPastAChangeGoOn: where a later step of a pattern changes, be it in a
// running engine or between two starts, the runs before it go on as if the step had
// always been so from that place on, and those behind it give no alert.
func TestRunsThatAreNotPastAChangeGoOn(t *testing.T) { repeat(t, 4, carriesOn) }

// staged is a drawn pattern of which one step changes.
type staged struct {
	steps   []string // with a verb for more of its condition
	links   []string
	changed int
	was, is string // conditions of that step
	rest    string
}

func drawStaged(m *maker) *staged {
	s := &staged{}
	n := 2 + m.n(3)
	s.changed = 1 + m.n(n-1)
	var plain []int
	for i := range n {
		repeat := ""
		if i != s.changed && m.chance(40) {
			repeat = m.one("+", "{2}", "{2,3}", "{1,2}", "{1,2} strict")
			if i > 0 && i < n-1 && m.chance(40) {
				repeat = m.one("?", "*")
			}
		}
		cond := "x > " + m.one("0", "1", "2")
		if len(plain) > 0 && repeat == "" && m.chance(50) {
			cond = fmt.Sprintf("x %s s%d.x", m.one(">", "!=", "=="), plain[m.n(len(plain))])
		}
		if repeat == "" {
			plain = append(plain, i)
		}
		step := fmt.Sprintf("s%d: %s[%s%%s]%s", i, m.one("a", "b"), cond, repeat)
		if i == s.changed {
			step = fmt.Sprintf("s%d: %s[%%s]", i, m.one("a", "b"))
			s.was, s.is = cond, "x "+m.one("<", "==", ">", "!=")+" "+m.one("0", "1", "2", "3")
		} else if repeat == "" && i > 0 && i != n-1 && m.chance(20) {
			step = fmt.Sprintf("(%s | o%d: b[x == 3%%s])", step, i)
			plain = plain[:len(plain)-1]
		}
		s.steps = append(s.steps, step)
		link := m.one(" -> ", " -> ", " => ", " ->[9s] ", " ->[2s..20s] ")
		if m.chance(25) {
			link = fmt.Sprintf(" -> !n%d: %s[x == %d] -> ", i, m.one("a", "b"), m.n(4))
		}
		s.links = append(s.links, link)
	}
	s.rest = fmt.Sprintf("within %ds", 10+m.n(60))
	if m.chance(20) {
		s.rest += "  until b[x == 0]"
	}
	s.rest += m.one("", "  select last", "  select every")
	return s
}

const stagedHead = `
event a (time: t) { t time  k string  n int  x int }
event b (time: t) { t time  k string  n int  x int }
`

// text writes the rule; cond is that of the changed step, more what the later ones ask for
// besides.
func (s *staged) text(cond, more string) string {
	var b strings.Builder
	match := "match "
	rest := s.rest
	for _, how := range []string{"last", "every"} {
		if head, ok := strings.CutSuffix(rest, "  select "+how); ok {
			rest, match = head, "match "+how+" "
		}
	}
	b.WriteString(stagedHead + "rule r {\n    by k\n    " + match)
	for i, step := range s.steps {
		if i > 0 {
			b.WriteString(s.links[i])
		}
		own := ""
		if i == s.changed {
			own = cond
		} else if i > s.changed {
			own = more
		}
		b.WriteString(strings.ReplaceAll(step, "%s", own))
	}
	b.WriteString("\n    " + rest + "\n}\n")
	return b.String()
}

// twin is one rule that does what the two do, the second from record place on.
func (s *staged) twin(place int64) string {
	return s.text(fmt.Sprintf("(n < %d and %s) or (n >= %d and %s)", place, s.was, place, s.is),
		fmt.Sprintf(" and (n < %d or s%d.n >= %d)", place, s.changed, place))
}

func stagedStream(m *maker) Stream {
	s := Stream{Name: "in"}
	at := 0
	for n := range 10 + m.n(50) {
		at += m.n(3)
		s.Records = append(s.Records, fmt.Sprintf(`{"type":%q,"t":"2026-01-01T00:%02d:%02dZ","k":%q,"n":%d,"x":%d}`,
			m.one("a", "b"), at/60, at%60, m.one("u", "v"), n, m.n(4)))
	}
	return s
}

var versionField = regexp.MustCompile(`"version":"[0-9a-f]*",`)

// unversioned are alerts without the version of their rule.
func unversioned(alerts []string) (all []string) {
	for _, a := range alerts {
		all = append(all, versionField.ReplaceAllString(a, ""))
	}
	return all
}

func carriesOn(t *rapid.T) {
	m := &maker{t: t}
	s, stream := drawStaged(m), stagedStream(m)
	streams := []Stream{stream}
	was, is := compileChecked(t, s.text(s.was, "")), compileChecked(t, s.text(s.is, ""))
	o := Options{Final: true, Swaps: []Swap{{Epoch: 1 + m.n(8), Set: is}}}
	m.drawRun(&o)
	o.Beside = false
	var left engine.Remembered
	o.Watch = func(r engine.Remembered) { left = r }
	res, err := Run(t.Context(), was, streams, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.text(s.was, ""))
	}
	if len(res.Reports) != 1 {
		t.Skip("it came too late")
	}
	if left.Runs == 0 && left.Events > 0 {
		t.Fatalf("no run is left, and of events %d\n%s\n%s", left.Events, s.text(s.was, ""), s.text(s.is, ""))
	}
	change := res.Reports[0].Rules[0]
	if change.Fate != engine.InPart {
		t.Skip(change.Fate)
	}
	place := min(res.Reports[0].At[0].Offset, int64(len(stream.Records)))
	want, err := Run(t.Context(), compileChecked(t, s.twin(place)), streams, Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unversioned(want.Alerts), unversioned(res.Alerts)); diff != "" {
		t.Fatalf("%s\n%s\n%s\nat %d: %+v, %+v\n(-twin +swap):\n%s", strings.Join(stream.Records, "\n"), s.text(s.was, ""), s.twin(place), place, change, o, diff)
	}
	var started Result
	so, set := Options{Store: durable{state.NewMemory()}, Shards: 1}, was
	if err := runOnce(t.Context(), &set, &streams, &so, int(place), false, &started); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(started.Alerts)
	so.Shards, set = 2, is
	if err := runOnce(t.Context(), &set, &streams, &so, -1, true, &started); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unversioned(want.Alerts), unversioned(started.Alerts)); diff != "" {
		t.Fatalf("%s\n%s\n%s\nat %d: %+v, %d alerts before\n(-twin +start):\n%s", strings.Join(stream.Records, "\n"), s.text(s.was, ""), s.twin(place), place, change, len(before), diff)
	}
}
