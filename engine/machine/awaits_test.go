package machine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRunsWaitForWhatTheyCanTake: the steps that a run is shown to wait for are those by
// which it would take the next event, whatever groups the pattern is made of.
func TestRunsWaitForWhatTheyCanTake(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		rule := "rule r { match every " + drawnGroup(t, 2, new(int)) + " -> z: c within 1h }"
		r := newRig(t, rule)
		for i := range rapid.IntRange(1, 8).Draw(t, "events") {
			r.feed(rapid.IntRange(0, 2).Draw(t, "type"), int64(i), int64(100+i), 0)
			shown, taken := r.Awaited(&r.x, &r.key)
			if !slices.Equal(shown, taken) {
				t.Fatalf("%s\nafter event %d the runs are shown to wait for %b and would take %b", rule, i, shown, taken)
			}
			compared += len(shown)
		}
	})
	if compared < 100 {
		t.Errorf("%d runs were compared", compared)
	}
}

// drawnGroup draws a step, or a group of such at most so deep.
func drawnGroup(t *rapid.T, deep int, steps *int) string {
	repeat := rapid.SampledFrom([]string{"", "", "", "{2}", "{1,}", "{2} strict"})
	if deep == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
		*steps++
		return fmt.Sprintf("s%d: %s%s", *steps, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "type"), repeat.Draw(t, "repeat"))
	}
	var kids []string
	for range rapid.IntRange(2, 3).Draw(t, "kids") {
		kids = append(kids, drawnGroup(t, deep-1, steps))
	}
	kind := rapid.SampledFrom([]string{" -> ", " => ", " | ", " & ", ", "}).Draw(t, "kind")
	if strings.ContainsAny(kind, ">") && !strings.HasSuffix(kids[1], "}") && !strings.HasSuffix(kids[1], "t") && rapid.Bool().Draw(t, "optional") {
		kids[1] = "(" + kids[1] + ")?"
	}
	text := "(" + strings.Join(kids, kind) + ")" + repeat.Draw(t, "repeat")
	if kind == ", " {
		text = fmt.Sprintf("any %d of (%s)", rapid.IntRange(1, len(kids)).Draw(t, "need"), strings.Join(kids, kind))
	}
	return text
}
