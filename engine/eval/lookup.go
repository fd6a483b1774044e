package eval

import (
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Lookup is what a list or table from a file holds, made ready for the kinds of value
// that expressions look up. It is immutable and safe for concurrent use.
type Lookup struct {
	text    map[string]int32 // the row of a text; of a list any row
	whole   map[int64]int32  // of a whole number
	number  map[uint64]int32 // of a number, by the bits of its float
	blocks  *blocks          // addresses and blocks of them, with their rows
	texts   bool             // text is also looked up as an address: the list has a block
	names   []string         // of the columns, in the order of the plan
	columns []column
}

// column holds the cells of a column by row: text, or the bits of another kind.
type column struct {
	kind event.Kind
	text []string
	bits []uint64
	has  []uint64 // bit set of the rows that have a value; text has one if it is not empty
}

// NewLookup makes contents that fit the file ready.
func NewLookup(f *plan.File, c *plan.Contents) *Lookup {
	l := &Lookup{}
	keys := c.Columns[max(0, c.Column(f.Key))]
	for _, k := range f.Asked {
		l.index(k, keys, f.Key == "")
	}
	for _, col := range f.Columns {
		l.names = append(l.names, col.Name)
		l.columns = append(l.columns, newColumn(col.Type.Kind, c.Columns[c.Column(col.Name)]))
	}
	return l
}

// index makes the keys ready for a kind.
func (l *Lookup) index(k event.Kind, keys []string, list bool) {
	if k == event.String || k == event.Any {
		l.text = indexOf(keys, func(s string) (string, bool) { return s, true })
	}
	if k == event.Int || k == event.Any {
		l.whole = indexOf(keys, plan.ReadWhole)
	}
	if k == event.Float || k == event.Any {
		l.number = indexOf(keys, func(s string) (uint64, bool) { x, ok := plan.ReadNumber(s); return floatKey(x), ok })
	}
	if k == event.IP || list && k != event.Int && k != event.Float {
		l.addresses(keys, k == event.IP)
	}
}

// addresses makes addresses and blocks ready; for text only where a block is there.
func (l *Lookup) addresses(keys []string, always bool) {
	if l.blocks != nil {
		return
	}
	var all []block
	for row, s := range keys {
		if p, ok := plan.ReadBlock(s); ok {
			all = append(all, blockOf(p, int32(row)))
			l.texts = l.texts || !p.IsSingleIP()
		}
	}
	if always || l.texts {
		l.blocks = newBlocks(all)
	}
}

// indexOf maps what keys mean to the first row that means it.
func indexOf[K comparable](keys []string, read func(string) (K, bool)) map[K]int32 {
	m := make(map[K]int32, len(keys))
	for row, s := range keys {
		k, ok := read(s)
		if _, there := m[k]; ok && !there {
			m[k] = int32(row)
		}
	}
	return m
}

func newColumn(k event.Kind, cells []string) column {
	c := column{kind: k}
	if k == event.String {
		c.text = cells
		return c
	}
	c.bits, c.has = make([]uint64, len(cells)), make([]uint64, (len(cells)+63)/64)
	for row, s := range cells {
		if v := plan.ReadCell(s, k); !v.IsNil() {
			c.bits[row] = v.N
			c.has[row>>6] |= 1 << (row & 63)
		}
	}
	return c
}

// get returns the bits of a cell that is no text.
func (c *column) get(row int32) (uint64, bool) {
	return c.bits[row], c.has[row>>6]&(1<<(row&63)) != 0
}

func (c *column) value(row int32) event.Value {
	if c.kind == event.String {
		if c.text[row] == "" {
			return event.Value{}
		}
		return event.OfString(c.text[row])
	}
	n, ok := c.get(row)
	if !ok {
		return event.Value{}
	}
	return event.Value{Kind: c.kind, N: n}
}

// noRow is the row of what is not there.
const noRow = -1

func rowOf[K comparable](m map[K]int32, k K) int32 {
	if row, ok := m[k]; ok {
		return row
	}
	return noRow
}

// byText is the row of a text.
func (l *Lookup) byText(s string) int32 {
	row := rowOf(l.text, s)
	if row == noRow && l.texts {
		return l.byAddress(s)
	}
	return row
}

// byAddress is the row of an address, or of a block that holds it; text that is no
// address has none.
func (l *Lookup) byAddress(s string) int32 {
	a, ok := plan.ReadAddress(s)
	if !ok {
		return noRow
	}
	return l.blocks.find(a)
}

func (l *Lookup) byNumber(x float64) int32 { return rowOf(l.number, floatKey(x)) }

// byValue is the row of a value whose kind is known at run time only.
func (l *Lookup) byValue(v event.Value) int32 {
	switch v.Kind {
	case event.String:
		return l.byText(v.S)
	case event.Int:
		return rowOf(l.whole, v.Int())
	case event.Float:
		return l.byNumber(v.Float())
	}
	return noRow
}

// floatKey is a float as a key: both zeros are one.
func floatKey(x float64) uint64 {
	if x == 0 {
		return 0
	}
	return toBits(x)
}

// finder finds the row of a look-up.
type finder = func(*Frame) (*Lookup, int32)

// find compiles the look-up of an OpInFile or OpRow.
func (u *unit) find(e *plan.Expr) finder {
	file, x := e.Index, e.Args[0]
	switch k := x.Type.Kind; {
	case k == event.String:
		return findBy(file, u.text(x), (*Lookup).byText)
	case k == event.IP:
		return findBy(file, u.text(x), (*Lookup).byAddress)
	case whole(k):
		return findBy(file, u.whole(x), func(l *Lookup, n int64) int32 { return rowOf(l.whole, n) })
	case k == event.Float:
		return findBy(file, u.float(x), (*Lookup).byNumber)
	}
	fn := u.value(x)
	return func(f *Frame) (*Lookup, int32) {
		l := f.World.Files[file]
		return l, l.byValue(fn(f))
	}
}

func findBy[T any](file int, x func(*Frame) (T, bool), by func(*Lookup, T) int32) finder {
	return func(f *Frame) (*Lookup, int32) {
		l := f.World.Files[file]
		v, ok := x(f)
		if !ok {
			return l, noRow
		}
		return l, by(l, v)
	}
}

// inFile compiles membership of a list, and of the keys of a table.
func (u *unit) inFile(e *plan.Expr) condFn {
	find := u.find(e)
	return func(f *Frame) bool {
		_, row := find(f)
		return row != noRow
	}
}

// row compiles a whole row of a table.
func (u *unit) row(e *plan.Expr) valueFn {
	find := u.find(e)
	return func(f *Frame) event.Value {
		l, row := find(f)
		if row == noRow {
			return event.Value{}
		}
		c := &event.Compound{Names: l.names, Elems: make([]event.Value, len(l.columns))}
		for i := range l.columns {
			c.Elems[i] = l.columns[i].value(row)
		}
		return event.Value{Kind: event.Record, C: c}
	}
}

// isCell reports whether e is a column of a row, which is read without the row.
func isCell(e *plan.Expr) bool { return e.Op == plan.OpMember && e.Args[0].Op == plan.OpRow }

// cell compiles a cell of any kind.
func (u *unit) cell(e *plan.Expr) valueFn {
	find, col := u.find(e.Args[0]), e.Index
	return func(f *Frame) event.Value {
		l, row := find(f)
		if row == noRow {
			return event.Value{}
		}
		return l.columns[col].value(row)
	}
}

// cellAs compiles a cell that is a number.
func cellAs[T any](u *unit, e *plan.Expr, of func(uint64) T) func(*Frame) (T, bool) {
	find, col := u.find(e.Args[0]), e.Index
	return func(f *Frame) (T, bool) {
		var zero T
		l, row := find(f)
		if row == noRow {
			return zero, false
		}
		n, ok := l.columns[col].get(row)
		if !ok {
			return zero, false
		}
		return of(n), true
	}
}

// cellText compiles a cell that is text.
func (u *unit) cellText(e *plan.Expr) textFn {
	find, col := u.find(e.Args[0]), e.Index
	return func(f *Frame) (string, bool) {
		l, row := find(f)
		if row == noRow {
			return "", false
		}
		s := l.columns[col].text[row]
		return s, s != ""
	}
}
