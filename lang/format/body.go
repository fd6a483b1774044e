package format

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// item is a part of a body, or a declaration, with the comments that go with it.
type item struct {
	from, to     int
	print        func(*item) string
	order        int
	holdsComment bool
	gap          bool // an empty line stands before it, or before its comments
	before       []comment
	behind       []string // on its last line
}

// comment is one that stands on lines of its own.
type comment struct {
	text  string
	empty bool // an empty line follows it
}

func (p *printer) item(span source.Span, print func(*item) string) *item {
	return &item{from: span.Start, to: span.End, print: print, holdsComment: p.anyComment(span.Start, span.End)}
}

func (p *printer) anyComment(from, to int) bool {
	return slices.ContainsFunc(p.within(from, to), func(t syntax.Token) bool { return t.Kind == syntax.CommentToken })
}

// comments gives the comments between items, from one offset to another, to the item that
// they stand behind or before; those after the last item are returned. The items stand in
// order.
func (p *printer) comments(from, to int, items []*item) (rest []comment) {
	last := from
	for i := 0; i <= len(items); i++ {
		end := to
		if i < len(items) {
			end = items[i].from
		}
		var before []comment
		if i > 0 {
			before = p.between(last, end, items[i-1])
		} else {
			before = p.between(last, end, nil)
		}
		if i == len(items) {
			return before
		}
		it := items[i]
		it.before, it.gap = before, p.emptyLine(last, p.firstOf(last, end))
		last = it.to
	}
	return nil
}

// firstOf is where the first comment between two offsets begins, the second one where there
// is none. Commas do not count.
func (p *printer) firstOf(from, to int) int {
	for _, t := range p.within(from, to) {
		if t.Kind == syntax.CommentToken && !p.sameLine(from, t.Start) {
			return t.Start
		}
	}
	return to
}

// between parts the comments after an item into those on its line and those on their own.
func (p *printer) between(from, to int, after *item) (own []comment) {
	last := from
	for _, t := range p.within(from, to) {
		if t.Kind != syntax.CommentToken {
			continue
		}
		if after != nil && len(own) == 0 && p.sameLine(from, t.Start) {
			after.behind = append(after.behind, p.comment(t))
			last = t.End
			continue
		}
		if n := len(own); n > 0 {
			own[n-1].empty = p.emptyLine(last, t.Start)
		}
		own = append(own, comment{text: p.comment(t)})
		last = t.End
	}
	if n := len(own); n > 0 {
		own[n-1].empty = p.emptyLine(last, to)
	}
	return own
}

// comment is a comment's text without white space at the ends of its lines.
func (p *printer) comment(t syntax.Token) string {
	lines := strings.Split(strings.ReplaceAll(p.text(t), "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r")
	}
	return strings.Join(lines, "\n")
}

// How the items of a block are laid out.
type blockKind uint8

const (
	keepGaps blockKind = iota // in their order, with the empty lines between them
	inOrder                   // by their order
)

// block writes a head and items in braces.
func (p *printer) block(head string, open, end int, items []*item, kind blockKind) string {
	opener := &item{to: open + 1}
	rest := p.comments(open+1, end, items)
	opener.behind, items = p.behindBrace(open, items, &rest)
	if kind == inOrder {
		slices.SortStableFunc(items, func(a, b *item) int { return a.order - b.order })
	}
	sub := &printer{file: p.file, toks: p.toks}
	for i, it := range items {
		if i > 0 && kind == keepGaps && it.gap {
			sub.out.WriteByte('\n')
		}
		sub.write(it, indent)
	}
	if len(rest) > 0 && len(items) > 0 && kind == keepGaps && p.emptyLine(items[len(items)-1].to, p.firstOf(items[len(items)-1].to, end)) {
		sub.out.WriteByte('\n')
	}
	for n := len(rest); n > 0; n = 0 {
		rest[n-1].empty = false
	}
	sub.lead(rest, indent)
	head = joined(head, "{")
	if len(opener.behind) > 0 {
		head += " " + strings.Join(opener.behind, " ")
	}
	if sub.out.Len() == 0 && len(opener.behind) == 0 {
		return head + "}"
	}
	return head + "\n" + strings.TrimSuffix(sub.out.String(), "\n") + "\n}"
}

// behindBrace takes the comments on the line of the opening brace from the first item, or
// from the rest.
func (p *printer) behindBrace(open int, items []*item, rest *[]comment) ([]string, []*item) {
	from := rest
	if len(items) > 0 {
		from = &items[0].before
	}
	n := 0
	for _, t := range p.within(open+1, len(p.file.Text)) {
		if t.Kind != syntax.CommentToken || n == len(*from) || !p.sameLine(open, t.Start) {
			break
		}
		n++
	}
	var behind []string
	for _, c := range (*from)[:n] {
		behind = append(behind, c.text)
	}
	*from = (*from)[n:]
	return behind, items
}

// lead writes comments that stand on their own lines.
func (p *printer) lead(list []comment, at int) {
	for _, c := range list {
		p.out.WriteString(strings.Repeat(" ", at) + c.text + "\n")
		if c.empty {
			p.out.WriteByte('\n')
		}
	}
}

// write writes an item with its comments, indented.
func (p *printer) write(it *item, at int) {
	p.lead(it.before, at)
	space := strings.Repeat(" ", at)
	text := it.print(it)
	p.out.WriteString(space + indented(text, space))
	for _, c := range it.behind {
		p.out.WriteString(" " + c)
	}
	p.out.WriteByte('\n')
}

// indented puts space before all lines but the first and those that are empty or go on
// within a block comment.
func indented(text, space string) string {
	if space == "" || !strings.Contains(text, "\n") {
		return text
	}
	var b strings.Builder
	inside := false
	for i, line := range strings.SplitAfter(text, "\n") {
		if i > 0 && line != "" && line != "\n" && !inside {
			b.WriteString(space)
		}
		b.WriteString(line)
		inside = endsInside(line, inside)
	}
	return b.String()
}

// endsInside reports whether a line ends within a block comment.
func endsInside(line string, inside bool) bool {
	for i := 0; i < len(line); i++ {
		switch {
		case inside:
			if strings.HasPrefix(line[i:], "*/") {
				inside = false
				i++
			}
		case strings.HasPrefix(line[i:], "//"):
			return false
		case strings.HasPrefix(line[i:], "/*"):
			inside = true
			i++
		case line[i] == '"' || line[i] == '\'' || line[i] == '`':
			i += quotedLen(line[i:]) - 1
		}
	}
	return inside
}

// quotedLen is the length of the quoted text that a line begins with, roughly: of one with
// interpolations that hold quotes it may be short, and what follows is looked at as code.
func quotedLen(line string) int {
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && line[0] == '"':
			i++
		case line[i] == line[0]:
			return i + 1
		}
	}
	return len(line)
}

func length(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-length(s))) }
