package plan

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// File is a list or a table of the rule set that is read from a file. Expressions
// name it by its place in Set.Files (OpInFile, OpRow).
type File struct {
	Name string // of the list or table
	Path string // as the rule file writes it
	At   string // where it is: Path as seen from the rule file

	// Key is the column that a table is looked up by; empty: a list. Columns are all
	// columns of the table, in the order they had at load. Each is optional: an empty
	// cell is nil.
	Key     string
	Columns []event.Field

	// Asked are the kinds of value that expressions look up, each once, ascending: of
	// String, Int, Float, IP and Any.
	Asked []event.Kind

	// Contents are those at load. They fit the file.
	Contents *Contents
}

// Contents is what a file of a list or table held when it was read: text only, for
// what a cell means follows from what rules ask. It is immutable and shared by all
// goroutines.
type Contents struct {
	Hash    string     // SHA-256 of the file's bytes, hexadecimal
	Header  []string   // names of a table's columns; nil: a list
	Columns [][]string // by column, then row; a list has one, of its entries
	Lines   []int32    // by row: its line in the file, from 1
}

// Rows is the number of rows, or of a list's entries.
func (c *Contents) Rows() int { return len(c.Lines) }

// Ask notes that expressions look values of a kind up in the file.
func (f *File) Ask(k event.Kind) {
	if at, found := slices.BinarySearch(f.Asked, k); !found {
		f.Asked = slices.Insert(f.Asked, at, k)
	}
}

// Column is the place of a column of that name in the header; -1: there is none.
func (c *Contents) Column(name string) int { return slices.Index(c.Header, name) }

// ColumnTypes gives each column the narrowest type that all its cells have: int,
// float, bool, else string. A number is one as JSON writes it: cells such as 007 and
// +1 keep their column text, so that no code loses a part of it. Empty cells have any
// type; a column of nothing else is text.
func (c *Contents) ColumnTypes() []event.Field {
	fields := make([]event.Field, len(c.Header))
	for i, name := range c.Header {
		fields[i] = event.Field{Name: name, Type: event.Type{Kind: columnKind(c.Columns[i]), Optional: true}}
	}
	return fields
}

func columnKind(cells []string) event.Kind {
	kinds := []event.Kind{event.Int, event.Float, event.Bool}
	filled := false
	for _, s := range cells {
		if s == "" {
			continue
		}
		filled = true
		kinds = slices.DeleteFunc(kinds, func(k event.Kind) bool { return ReadCell(s, k).IsNil() })
		if len(kinds) == 0 {
			break
		}
	}
	if !filled || len(kinds) == 0 {
		return event.String
	}
	return kinds[0]
}

// ReadCell reads text as a value of a kind (Bool, Int, Float or String); nil where it
// is none, and where it is empty.
func ReadCell(s string, k event.Kind) event.Value {
	switch k {
	case event.String:
		if s != "" {
			return event.OfString(s)
		}
	case event.Bool:
		if s == "true" || s == "false" {
			return event.OfBool(s == "true")
		}
	case event.Int:
		if n, ok := ReadWhole(s); ok {
			return event.OfInt(n)
		}
	case event.Float:
		if x, ok := ReadNumber(s); ok {
			return event.OfFloat(x)
		}
	}
	return event.Value{}
}

// ReadWhole reads an integer as JSON writes it: no plus, no leading zeros.
func ReadWhole(s string) (int64, bool) {
	if n := wholeLen(s); n == 0 || n < len(s) || s == "-0" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// ReadNumber reads a number as JSON writes it; one that no float can hold is none.
func ReadNumber(s string) (float64, bool) {
	at := wholeLen(s)
	if at == 0 {
		return 0, false
	}
	if at < len(s) && s[at] == '.' {
		n := digits(s[at+1:])
		if n == 0 {
			return 0, false
		}
		at += 1 + n
	}
	if at < len(s) && s[at]|' ' == 'e' {
		at++
		if at < len(s) && (s[at] == '+' || s[at] == '-') {
			at++
		}
		n := digits(s[at:])
		if n == 0 {
			return 0, false
		}
		at += n
	}
	if at < len(s) {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && !math.IsInf(x, 0)
}

// wholeLen is the length of the integer that the text begins with; 0: there is none.
func wholeLen(s string) int {
	sign := 0
	if strings.HasPrefix(s, "-") {
		sign = 1
	}
	n := digits(s[sign:])
	if n == 0 || n > 1 && s[sign] == '0' {
		return 0
	}
	return sign + n
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// ReadBlock reads a block of addresses, or an address, which is a block of one. An
// IPv4 address within IPv6 is that IPv4 address, a zone does not count.
func ReadBlock(s string) (netip.Prefix, bool) {
	if a, ok := ReadAddress(s); ok {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	if strings.IndexByte(s, '/') < 0 {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// ReadAddress reads an address; see [ReadBlock]. Text that does not look like one costs
// no allocation.
func ReadAddress(s string) (netip.Addr, bool) {
	if !looksLikeAddress(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// looksLikeAddress reports whether a text has the characters of an address.
func looksLikeAddress(s string) bool {
	dots, colons, letters := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c == '%':
			return colons > 1
		case c >= '0' && c <= '9':
		case c|' ' >= 'a' && c|' ' <= 'f':
			letters++
		default:
			return false
		}
	}
	return colons > 1 || dots == 3 && letters == 0
}

// Fit holds contents against what the rules ask of the file; the error names the
// first lines that do not fit. What fits can be looked up in without further checks.
func (f *File) Fit(c *Contents) error {
	if f.Key == "" {
		return f.fitList(c)
	}
	for _, col := range f.Columns {
		if c.Column(col.Name) < 0 {
			return fmt.Errorf("the column %q is gone", col.Name)
		}
	}
	var faults LineFaults
	f.fitKeys(c, &faults)
	for _, col := range f.Columns {
		if k := col.Type.Kind; k != event.String {
			fitColumn(c, c.Column(col.Name), col, &faults)
		}
	}
	return faults.Err()
}

func (f *File) fitList(c *Contents) error {
	var faults LineFaults
	for _, k := range f.Asked {
		for row, s := range c.Columns[0] {
			if message := misfit(s, k); message != "" {
				faults.Add(c.Lines[row], message)
			}
		}
	}
	return faults.Err()
}

// misfit says why an entry cannot be compared with values of a kind; empty: it can.
func misfit(s string, k event.Kind) string {
	var fits bool
	var what string
	switch k {
	case event.Int:
		_, fits = ReadWhole(s)
		what = "whole number, and rules look whole numbers up"
	case event.Float:
		_, fits = ReadNumber(s)
		what = "number, and rules look numbers up"
	case event.IP:
		_, fits = ReadBlock(s)
		what = "address or block of addresses, and rules look addresses up"
	default:
		return ""
	}
	if fits {
		return ""
	}
	return fmt.Sprintf("%s is no %s", quoted(s), what)
}

// quoted shows a cell, short.
func quoted(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return strconv.Quote(s)
}

// fitKeys asks of the key column that each row has a key of its own.
func (f *File) fitKeys(c *Contents, faults *LineFaults) {
	cells := c.Columns[c.Column(f.Key)]
	first := make(map[string]int32, len(cells))
	for row, s := range cells {
		at := c.Lines[row]
		if s == "" {
			faults.Add(at, "no "+f.Key)
			continue
		}
		if before, ok := first[s]; ok {
			faults.Add(at, fmt.Sprintf("%s %s stands in line %d already", f.Key, quoted(s), before))
			continue
		}
		first[s] = at
	}
	for _, k := range f.Asked {
		switch k {
		case event.IP:
			oneSpelling(c, cells, faults, func(s string) (any, bool) { return boxed(ReadAddress(s)) }, "address")
		case event.Float:
			oneSpelling(c, cells, faults, func(s string) (any, bool) { return boxed(ReadNumber(s)) }, "number")
		case event.Int:
			oneSpelling(c, cells, faults, func(s string) (any, bool) { return boxed(ReadWhole(s)) }, "whole number")
		}
	}
}

func boxed[T any](x T, ok bool) (any, bool) { return x, ok }

// oneSpelling asks that every key is a value of a kind, and no two the same one.
func oneSpelling(c *Contents, cells []string, faults *LineFaults, read func(string) (any, bool), what string) {
	first := make(map[any]int, len(cells))
	for row, s := range cells {
		x, ok := read(s)
		before, again := first[x]
		switch {
		case s == "":
		case !ok:
			faults.Add(c.Lines[row], fmt.Sprintf("%s is no %s, and rules look one up", quoted(s), what))
		case again && cells[before] != s:
			faults.Add(c.Lines[row], fmt.Sprintf("%s is the %s of line %d", quoted(s), what, c.Lines[before]))
		default:
			first[x] = row
		}
	}
}

func fitColumn(c *Contents, i int, col event.Field, faults *LineFaults) {
	for row, s := range c.Columns[i] {
		if s != "" && ReadCell(s, col.Type.Kind).IsNil() {
			faults.Add(c.Lines[row], fmt.Sprintf("%s in column %s, which was %s when the rules were loaded", quoted(s), col.Name, withArticle(col.Type.Kind)))
		}
	}
}

func withArticle(k event.Kind) string {
	if k == event.Int {
		return "an int"
	}
	return "a " + k.String()
}

// LineFaults gathers what is wrong with the lines of a file. The zero value is ready.
type LineFaults struct {
	shown []string
	count int
}

// maxShown is how many faults an error names: enough to see what they have in common.
const maxShown = 3

// Add notes a fault of a line.
func (l *LineFaults) Add(line int32, message string) {
	l.count++
	if len(l.shown) < maxShown {
		l.shown = append(l.shown, fmt.Sprintf("line %d: %s", line, message))
	}
}

// Err is nil without faults, else names the first ones and the number of the others.
func (l *LineFaults) Err() error {
	switch {
	case l.count == 0:
		return nil
	case l.count > len(l.shown):
		return fmt.Errorf("%s; and %d more", strings.Join(l.shown, "; "), l.count-len(l.shown))
	}
	return errors.New(strings.Join(l.shown, "; "))
}
