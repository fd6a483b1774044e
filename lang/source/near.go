package source

import (
	"slices"
	"strings"
)

// maxNearRunes is the longest name for which near ones are looked for: no keyword or
// sensible name is longer, and the work grows with the square of it.
const maxNearRunes = 64

// Near returns the candidate that the author most likely meant by the name: the one
// with the fewest edits (insert, delete, replace, swap neighbours; case counts for
// nothing), of several the first in alphabetical order. It reports false where none
// is near: more than 1 edit for names up to 5 runes, 2 up to 9, else 3; for names of
// one or two runes only case may differ.
func Near(name string, candidates []string) (string, bool) {
	want := []rune(strings.ToLower(name))
	if len(want) == 0 || len(want) > maxNearRunes {
		return "", false
	}
	best, edits := "", limitOf(len(want))+1
	for _, c := range candidates {
		n := distance(want, []rune(strings.ToLower(c)), edits)
		if n < edits || n == edits && best != "" && c < best {
			best, edits = c, n
		}
	}
	return best, best != ""
}

// limitOf returns how many edits still make a name of n runes near.
func limitOf(n int) int {
	switch {
	case n <= 2:
		return 0
	case n <= 5:
		return 1
	case n <= 9:
		return 2
	default:
		return 3
	}
}

// distance is the optimal string alignment distance of a and b (Damerau 1964 without
// repeated edits of one place), or limit+1 where it is surely more than the limit.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func differ(a, b rune) int {
	if a == b {
		return 0
	}
	return 1
}

// DidYouMean returns the mend for an unknown name, `did you mean "amount"?`, or
// nothing where no candidate is near.
func DidYouMean(name string, candidates []string) string {
	near, ok := Near(name, candidates)
	if !ok {
		return ""
	}
	return `did you mean "` + near + `"?`
}
