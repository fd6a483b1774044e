package main

import (
	"fmt"
	"strings"
)

// around is how many lines stand before and after a change.
const around = 3

// edit is a line of a difference: ' ' of both, '-' of the old one, '+' of the new one.
type edit struct {
	sign byte
	line string
}

// unified writes the difference of two texts as diff -u does; empty where there is none.
func unified(name, before, after string) string {
	edits := difference(splitLines(before), splitLines(after))
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
	some, old, now := false, 1, 1
	for i := 0; i < len(edits); {
		from, to := hunk(edits, i)
		if from < 0 {
			break
		}
		some = true
		for ; i < from; i++ {
			old, now = old+1, now+1
		}
		writeHunk(&b, edits[from:to], &old, &now)
		i = to
	}
	if !some {
		return ""
	}
	return b.String()
}

func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		return lines[:last]
	}
	lines[len(lines)-1] += "\n\\ No newline at end of file\n"
	return lines
}

// hunk is the next stretch of edits with a change, and lines around it; -1: there is none.
func hunk(edits []edit, at int) (from, to int) {
	first := at
	for first < len(edits) && edits[first].sign == ' ' {
		first++
	}
	if first == len(edits) {
		return -1, -1
	}
	last := first
	for i := first; i < len(edits) && i-last <= 2*around; i++ {
		if edits[i].sign != ' ' {
			last = i
		}
	}
	return max(at, first-around), min(len(edits), last+around+1)
}

func writeHunk(b *strings.Builder, edits []edit, old, now *int) {
	n, m := 0, 0
	for _, e := range edits {
		if e.sign != '+' {
			n++
		}
		if e.sign != '-' {
			m++
		}
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", *old, n, *now, m)
	for _, e := range edits {
		b.WriteByte(e.sign)
		b.WriteString(e.line)
	}
	*old, *now = *old+n, *now+m
}

// difference finds the fewest lines to take out and put in (Myers, An O(ND) Difference
// Algorithm, 1986): for each number of changes, how far each diagonal can get.
func difference(a, b []string) []edit {
	most := len(a) + len(b)
	far := make([]int, 2*most+2)
	var trace [][]int
	for d := 0; d <= most; d++ {
		trace = append(trace, append([]int(nil), far...))
		for k := -d; k <= d; k += 2 {
			x := step(far, most, k, d)
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			if far[most+k] = x; x >= len(a) && x-k >= len(b) {
				return backtrack(trace, a, b, most)
			}
		}
	}
	return nil
}

// step is how far diagonal k begins with one change more than its neighbours had.
func step(far []int, most, k, d int) int {
	if k == -d || k != d && far[most+k-1] < far[most+k+1] {
		return far[most+k+1]
	}
	return far[most+k-1] + 1
}

func backtrack(trace [][]int, a, b []string, most int) []edit {
	var out []edit
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		k := x - y
		px, py := 0, 0
		if d > 0 {
			far := trace[d]
			prev := k - 1
			if k == -d || k != d && far[most+k-1] < far[most+k+1] {
				prev = k + 1
			}
			px = far[most+prev]
			py = px - prev
		}
		for x > px && y > py {
			x, y = x-1, y-1
			out = append(out, edit{' ', a[x]})
		}
		switch {
		case d == 0:
		case x == px:
			y--
			out = append(out, edit{'+', b[y]})
		default:
			x--
			out = append(out, edit{'-', a[x]})
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
