package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCountedCombinationsAgreeWithReference: the rules of the other tests seldom have what
// lets match all count: conditions that look at one event, no negation and no gap. Here all
// have, with groups of every kind, over few types, so that steps share events.
func TestCountedCombinationsAgreeWithReference(t *testing.T) { repeat(t, 5, agreeOnCombinations) }

func agreeOnCombinations(t *rapid.T) {
	defer skipTooMany(t)
	m := &maker{t: t}
	c := combination{m: m}
	pattern := c.part(2)
	if m.chance(40) {
		pattern += " -> " + c.part(1)
	}
	rules := "event a (time: t) { t time  x int }\nevent b (time: t) { t time  x int }\nrule r {\n" +
		fmt.Sprintf("    match all %s\n    within %ds\n    limit %d\n    emit { n: matches() }\n}\n", pattern, 2+m.n(20), []int{0, 0, 3, 100}[m.n(4)])
	s := Stream{Name: "p"}
	for second := range 3 + m.n(6) {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":%q,"t":"1970-01-01T00:00:%02dZ","x":%d}`, m.one("a", "a", "b"), second+10, m.n(3)))
	}
	compareWithReference(t, rules, []Stream{s}, true)
}

// combination draws the parts of a pattern and numbers its steps.
type combination struct {
	m     *maker
	steps int
}

func (c *combination) part(deep int) string {
	m := c.m
	times := m.one("", "", "+", "+", "+", "{2}", "{1,2}", "{2,}", "?", "*")
	if deep == 0 || m.chance(35) {
		c.steps++
		return fmt.Sprintf("s%d: %s%s%s", c.steps, m.one("a", "a", "b"), m.one("", "", "[x < 2]", "[x > 0]"), times)
	}
	var parts []string
	for range 2 + m.n(2) {
		parts = append(parts, c.part(deep-1))
	}
	if m.chance(20) {
		return fmt.Sprintf("any %d of (%s)%s", 1+m.n(len(parts)), strings.Join(parts, ", "), times)
	}
	return "(" + strings.Join(parts, m.one(" -> ", " | ", " & ", " & ")) + ")" + times
}
