package source

import (
	"strings"
	"unicode/utf8"
)

// Text returns the text of the span, empty for an unknown one.
func (s Span) Text() string {
	if s.File == nil {
		return ""
	}
	return s.File.Text[s.Start:s.End]
}

// Known reports whether the span names a place.
func (s Span) Known() bool { return s.File != nil }

// To returns the span from the start of s to the end of last, which lies in the same
// file.
func (s Span) To(last Span) Span { return Span{File: s.File, Start: s.Start, End: last.End} }

// Pos is a line and a column, both from 1. A column counts runes, a tab as one, an
// invalid byte as one.
type Pos struct {
	Line, Column int
}

// Position returns the line and column of a byte offset, which may be the length of
// the text. It reads the text up to there: it is for messages, not for loops.
func (f *File) Position(offset int) Pos {
	before := f.Text[:min(max(offset, 0), len(f.Text))]
	start := strings.LastIndexByte(before, '\n') + 1
	skip := 0
	if start == 0 {
		skip = len(bom(before))
	}
	return Pos{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[start+skip:]) + 1,
	}
}

// bom returns the byte order mark that the text begins with, or nothing.
func bom(text string) string {
	const mark = "\uFEFF"
	if strings.HasPrefix(text, mark) {
		return mark
	}
	return ""
}
