package engine

import "testing"

// TestToLookAt: what is alive is looked at slowly, what has died as fast as it can have come.
func TestToLookAt(t *testing.T) {
	for _, c := range []struct {
		why                     string
		events, forgotten, want int
	}{
		{"nothing is known", 0, 0, someRows},
		{"all are alive", 80_000, 0, 2_500},
		{"some die", 80_000, 2_000, 8_000},
		{"more die", 80_000, 4_000, 16_000},
		{"all die, and as many come", 80_000, 80_000, 80_000},
		{"all die, and hardly any come", 100, 80_000, someRows},
	} {
		if got := toLookAt(c.events, c.forgotten); got != c.want {
			t.Errorf("%s: %d, want %d", c.why, got, c.want)
		}
	}
}
