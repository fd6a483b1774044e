package main

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDifference applies what it finds, and compares its length with a plain table's.
func TestDifference(t *testing.T) {
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n"}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		a, b := lines.Draw(t, "a"), lines.Draw(t, "b")
		var old, now []string
		changes := 0
		for _, e := range difference(a, b) {
			if e.sign != '+' {
				old = append(old, e.line)
			}
			if e.sign != '-' {
				now = append(now, e.line)
			}
			if e.sign != ' ' {
				changes++
			}
		}
		if strings.Join(old, "") != strings.Join(a, "") || strings.Join(now, "") != strings.Join(b, "") {
			t.Fatalf("%q to %q: %q, %q", a, b, old, now)
		}
		if want := len(a) + len(b) - 2*common(a, b); changes != want {
			t.Fatalf("%q to %q: %d changes, want %d", a, b, changes, want)
		}
	})
}

// common is the length of the longest common subsequence.
func common(a, b []string) int {
	switch {
	case len(a) == 0 || len(b) == 0:
		return 0
	case a[0] == b[0]:
		return 1 + common(a[1:], b[1:])
	}
	return max(common(a[1:], b), common(a, b[1:]))
}

func TestUnified(t *testing.T) {
	got := unified("x", "1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n")
	want := "--- x\n+++ x\n@@ -2,8 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n-9\n\\ No newline at end of file\n+9\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := unified("x", "1\n", "1\n"); got != "" {
		t.Errorf("got %q", got)
	}
}
