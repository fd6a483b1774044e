package machine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// groups draws patterns of groups within groups, a name for each step.
type groups struct {
	t     *rapid.T
	steps int
}

func (g *groups) pattern(deep int) string {
	text := g.part(deep)
	times := []string{"", "", "", "+", "?", "*", "{2}", "{1,2}", "{2,}"}
	return text + rapid.SampledFrom(times).Draw(g.t, "times")
}

func (g *groups) part(deep int) string {
	kind := "step"
	if deep > 0 {
		kind = rapid.SampledFrom([]string{"step", " -> ", " | ", " & ", "any"}).Draw(g.t, "kind")
	}
	if kind == "step" {
		g.steps++
		return fmt.Sprintf("s%d: %c[n < %d]", g.steps, rapid.SampledFrom([]rune("abc")).Draw(g.t, "type"), rapid.IntRange(1, 3).Draw(g.t, "below"))
	}
	var parts []string
	for range rapid.IntRange(2, 3).Draw(g.t, "parts") {
		parts = append(parts, g.pattern(deep-1))
	}
	if kind == "any" {
		return fmt.Sprintf("any %d of (%s)", rapid.IntRange(1, len(parts)).Draw(g.t, "need"), strings.Join(parts, ", "))
	}
	return "(" + strings.Join(parts, kind) + ")"
}

// TestAutomatonMatchesAsPlacesDo: with groups of every kind, what is counted and written
// out from a pool is what is found by keeping each combination by itself.
func TestAutomatonMatchesAsPlacesDo(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		g := groups{t: t}
		pattern := g.pattern(2)
		if rapid.Bool().Draw(t, "then") {
			pattern += " -> " + g.pattern(1)
		}
		rule := fmt.Sprintf("rule r { match all %s within %ds limit %d emit { m: matches() } }", pattern,
			rapid.SampledFrom([]int{2, 4, 30}).Draw(t, "within"), rapid.SampledFrom([]int{0, 2, 10_000}).Draw(t, "limit"))
		if _, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: header + rule}}); errs.HasErrors() {
			return
		}
		counted, places := newAllRig(t, rule), newAllRig(t, rule)
		if !places.KeepPlaces() {
			return // too many states
		}
		counted.CountByStacks(rapid.SampledFrom([]int{1, 3, 8}).Draw(t, "few"))
		second := int64(100)
		for i := range rapid.IntRange(5, 14).Draw(t, "events") {
			second += int64(rapid.IntRange(0, 1).Draw(t, "passed"))
			typ, n := rapid.IntRange(0, 2).Draw(t, "type"), int64(rapid.IntRange(0, 2).Draw(t, "n"))
			counted.feed(typ, int64(i), second, n)
			places.feed(typ, int64(i), second, n)
			if rapid.Bool().Draw(t, "reload") {
				counted.reload(t)
			}
			if places.x.Dropped.Runs > 0 {
				return
			}
			if !slices.Equal(counted.made, places.made) {
				t.Fatalf("%s\nmakes up to event %d\n%q\nwant\n%q", rule, i, counted.made, places.made)
			}
		}
		if len(places.made) > 0 {
			compared++
		}
	})
	if compared < 3 {
		t.Errorf("%d patterns had matches to compare", compared)
	}
}

// TestAutomatonIsBounded: of patterns with too many states each combination is kept by
// itself, and finding that out takes no long.
func TestAutomatonIsBounded(t *testing.T) {
	for pattern, counted := range map[string]bool{
		`x: a{1,250} -> y: b`:                                true,
		`x: a{1,260} -> y: b`:                                false,
		`(x: a{1,15} & y: b{1,14})`:                          true,
		`(x: a{1,200} & y: b{1,200})`:                        false,
		`((x: a -> y: b)+ | z: c)+`:                          true,
		`(((x: a+){1,100} -> y: b?){1,100} -> z: c?){1,100}`: false,
	} {
		r := newRig(t, "rule r { match all "+pattern+" within 5s }")
		if r.KeepPlaces() != counted {
			t.Errorf("%s: counted is %v, want %v", pattern, !counted, counted)
		}
	}
}

// TestStepsThatShareEventsAndRepeat: events that two repeated steps can take, each at the
// same state, are shared out between them in every way but those that leave one without.
func TestStepsThatShareEventsAndRepeat(t *testing.T) {
	const rule = "rule r { match all ((s1: b+ -> s2: c) & s3: b+) within 30s limit 0 emit { m: matches() } }"
	for _, few := range []int{1, 8} {
		r := newAllRig(t, rule)
		r.CountByStacks(few)
		ways, twos := 1, 1
		for n := range 12 {
			r.made = nil
			r.feed(1, int64(2*n), 100, 0)
			r.feed(2, int64(2*n+1), 100, 0)
			ways, twos = 3*ways, 2*twos
			want := fmt.Sprintf("100:  of %d", ways-2*twos+1)
			if n > 0 && (len(r.made) == 0 || r.made[len(r.made)-1] != want) {
				t.Errorf("%d events, stacks beyond %d: %q, want %q at the last", n+1, few, r.made, want)
			}
		}
	}
}
