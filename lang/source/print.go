package source

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerptWidth is how many runes of a long line are shown around the place.
const excerptWidth = 120

// Print writes each message with its line and a caret under the place, and the second
// place where there is one.
func (es Errors) Print(w io.Writer) error {
	for _, e := range es {
		if _, err := io.WriteString(w, e.Detail()); err != nil {
			return fmt.Errorf("print errors: %w", err)
		}
	}
	return nil
}

// Detail writes the message on one line, below it the source line with a caret, and
// then the second place likewise. It ends with a line end.
func (e Error) Detail() string {
	text := e.Error() + "\n" + excerpt(e.Span)
	if e.Also.Known() {
		text += fmt.Sprintf("    %s: %s\n", e.Also, e.AlsoText) + excerpt(e.Also)
	}
	return text
}

// excerpt returns the line of the span's start and below it a line of carets, which
// ends with the span or the line. It is empty where there is no line to show.
func excerpt(s Span) string {
	if s.File == nil || strings.TrimSpace(s.File.Text) == "" {
		return ""
	}
	line, start := s.File.line(s.Start)
	from := min(s.Start-start, len(line))
	to := min(max(s.End-start, from), len(line))
	line, from, to = clip(line, from, to)
	return "    " + printable(line) + "\n    " + underline(line, from, to) + "\n"
}

// line returns the line that holds the offset, without its end and without a byte
// order mark, and the offset of its start.
func (f *File) line(offset int) (text string, start int) {
	offset = min(offset, len(f.Text))
	start = strings.LastIndexByte(f.Text[:offset], '\n') + 1
	if start == 0 {
		start = min(len(bom(f.Text)), offset)
	}
	text, _, _ = strings.Cut(f.Text[start:], "\n")
	return strings.TrimSuffix(text, "\r"), start
}

// clip cuts a long line to excerptWidth runes around the place.
func clip(line string, from, to int) (string, int, int) {
	if utf8.RuneCountInString(line) <= excerptWidth {
		return line, from, to
	}
	before := from
	for n := 0; before > 0 && n < excerptWidth/2; n++ {
		_, size := utf8.DecodeLastRuneInString(line[:before])
		before -= size
	}
	after := from
	for n := 0; after < len(line) && n < excerptWidth/2; n++ {
		_, size := utf8.DecodeRuneInString(line[after:])
		after += size
	}
	return line[before:after], from - before, min(to, after) - before
}

// printable replaces what would disturb a terminal by one rune of width 1.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || r == utf8.RuneError || direction(r)) {
			return '\uFFFD'
		}
		return r
	}, line)
}

// direction reports whether the rune changes the order in which text is shown.
func direction(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// underline puts carets under line[from:to], at least one. Tabs before the place stay
// tabs, so that they are as wide as those of the line above.
func underline(line string, from, to int) string {
	var b strings.Builder
	for _, r := range line[:from] {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteString(strings.Repeat(" ", width(r)))
		}
	}
	carets := 0
	for _, r := range line[from:to] {
		carets += width(r)
	}
	b.WriteString(strings.Repeat("^", max(carets, 1)))
	return b.String()
}

// wide are the blocks that terminals show two columns wide (Unicode's East Asian Width
// W and F, by whole blocks, and the emoji).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115F, Stride: 1},
		{Lo: 0x2E80, Hi: 0x303E, Stride: 1},
		{Lo: 0x3041, Hi: 0xA4CF, Stride: 1},
		{Lo: 0xA960, Hi: 0xA97C, Stride: 1},
		{Lo: 0xAC00, Hi: 0xD7A3, Stride: 1},
		{Lo: 0xF900, Hi: 0xFAFF, Stride: 1},
		{Lo: 0xFE30, Hi: 0xFE6F, Stride: 1},
		{Lo: 0xFF01, Hi: 0xFF60, Stride: 1},
		{Lo: 0xFFE0, Hi: 0xFFE6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16FE0, Hi: 0x18CFF, Stride: 1},
		{Lo: 0x1B000, Hi: 0x1B2FB, Stride: 1},
		{Lo: 0x1F300, Hi: 0x1F64F, Stride: 1},
		{Lo: 0x1F680, Hi: 0x1F6FF, Stride: 1},
		{Lo: 0x1F900, Hi: 0x1F9FF, Stride: 1},
		{Lo: 0x20000, Hi: 0x3FFFD, Stride: 1},
	},
}

// width is the number of columns a terminal gives the rune.
func width(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200B' || r == '\u200D' || r == '\uFEFF':
		return 0
	case unicode.Is(wide, r):
		return 2
	default:
		return 1
	}
}
