package infer

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
)

// Bounds of what is looked at.
const (
	maxTypes  = 200
	maxFields = 500
	maxValues = 20_000 // distinct values of a field that are remembered
	few       = 20     // records below which nothing is sure
	maxDepth  = 20     // of records and lists within each other: deeper ones are any
)

// Guess is what was seen in records. Its zero value is not ready; see [New].
type Guess struct {
	typeField string
	typ       string // of every record, if not empty
	types     map[string]*seenType
	order     []string
	Records   uint64
	Malformed uint64 // that are no objects, or have no type
	Over      uint64 // of types beyond the most
	TooLong   uint64 // that the source could not hand on whole

	header  []byte // of the last row of CSV
	columns []string
}

// New makes a guess. The type of a record is typ, or, where that is empty, what its field
// typeField holds.
func New(typ, typeField string) *Guess {
	return &Guess{typ: typ, typeField: cmp.Or(typeField, "type"), types: map[string]*seenType{}}
}

// seenType is what was seen of the records of one type.
type seenType struct {
	n      uint64
	fields map[string]*seenField
	order  []string
	depth  int
	rows   bool // of CSV, where all is text at first
}

// seenField is what was seen of one field.
type seenField struct {
	n, nulls               uint64
	ints, floats, strings  uint64
	bools, lists, records  uint64
	times, ips, spans      uint64 // of the strings
	least, most            float64
	values                 map[string]bool
	repeats                bool // some value came twice
	depth                  int
	cells                  bool // of CSV
	elem                   *seenField
	inner                  *seenType
	last                   float64
	lastTime               int64
	ordered, orderedChecks uint64
}

// Add looks at a record.
func (g *Guess) Add(record []byte) { g.add(event.ParseJSON(record)) }

// add looks at a record; what is none counts as malformed.
func (g *Guess) add(v event.Value) {
	g.Records++
	if v.Kind != event.Record {
		g.Malformed++
		return
	}
	name := g.typ
	if name == "" {
		if name = member(v, g.typeField); !IsName(name) {
			g.Malformed++
			return
		}
	}
	t := g.types[name]
	if t == nil {
		if len(g.types) == maxTypes {
			g.Over++
			return
		}
		t = newType(0)
		t.rows = len(g.columns) > 0
		g.types[name] = t
		g.order = append(g.order, name)
	}
	skip := g.typeField
	if g.typ != "" {
		skip = ""
	}
	t.add(v, skip)
}

func member(v event.Value, name string) string {
	for i, n := range v.C.Names {
		if n == name && v.C.Elems[i].Kind == event.String {
			return v.C.Elems[i].S
		}
	}
	return ""
}

func newType(depth int) *seenType { return &seenType{fields: map[string]*seenField{}, depth: depth} }

func (t *seenType) add(v event.Value, skip string) {
	t.n++
	for i, x := range v.Elems() {
		name := v.C.Names[i]
		f := t.fields[name]
		if name == skip || f == nil && (len(t.fields) == maxFields || !IsName(name)) {
			continue
		}
		if f == nil {
			f = newField(t.depth)
			f.cells = t.rows
			t.fields[name] = f
			t.order = append(t.order, name)
		}
		f.add(x)
	}
}

func newField(depth int) *seenField {
	return &seenField{depth: depth, values: map[string]bool{}, least: math.Inf(1), most: math.Inf(-1)}
}

func (f *seenField) add(v event.Value) {
	switch v.Kind {
	case event.Nil:
		f.nulls++
		return
	case event.Int:
		f.ints++
		f.number(float64(v.Int()))
	case event.Float:
		f.floats++
		f.number(v.Float())
	case event.Bool:
		f.bools++
	case event.List:
		f.lists++
		f.addElems(v)
	case event.Record:
		f.records++
		if f.inner == nil {
			f.inner = newType(f.depth + 1)
		}
		if f.depth < maxDepth {
			f.inner.add(v, "")
		}
	default:
		f.text(v.S)
	}
	f.n++
	f.value(string(event.AppendJSON(nil, v)))
}

func (f *seenField) addElems(v event.Value) {
	if f.elem == nil {
		f.elem = newField(f.depth + 1)
	}
	for i, e := range v.Elems() {
		if i < 100 && f.depth < maxDepth {
			f.elem.add(e)
		}
	}
}

func (f *seenField) number(x float64) {
	f.least, f.most = min(f.least, x), max(f.most, x)
	if f.n > 0 {
		f.orderedChecks++
		if x >= f.last {
			f.ordered++
		}
	}
	f.last = x
}

func (f *seenField) text(s string) {
	f.strings++
	if ns, err := event.ParseTime(s); err == nil {
		f.times++
		if f.lastTime <= ns {
			f.ordered++
		}
		f.orderedChecks++
		f.lastTime = ns
		return
	}
	if _, err := netip.ParseAddr(s); err == nil {
		f.ips++
	} else if _, err := event.ParseDuration(s); err == nil {
		f.spans++
	}
}

func (f *seenField) value(text string) {
	if len(f.values) < maxValues {
		f.repeats = f.repeats || f.values[text]
		f.values[strings.Clone(text)] = true
	}
}

// kind is the type that the values have, and a doubt about it.
func (f *seenField) kind() (typ, doubt string) {
	switch {
	case f.n == 0:
		return "any", "never anything but null"
	case f.ints == f.n:
		return "int", ""
	case f.ints+f.floats == f.n:
		return "float", ""
	case f.bools == f.n:
		return "bool", ""
	case f.times == f.n:
		return "time", ""
	case f.ips == f.n:
		return "ip", ""
	case f.spans == f.n:
		return "duration", ""
	case f.strings == f.n:
		return "string", f.nearly()
	case (f.lists > 0 || f.records > 0) && f.depth == maxDepth:
		return "any", "nested deeper than is told here"
	case f.lists == f.n && f.elem.n == 0:
		return "[any]", "never anything in it"
	case f.lists == f.n:
		inner, doubt := f.elem.kind()
		return "[" + inner + "]", doubt
	case f.records == f.n:
		return f.inner.record(), ""
	}
	if f.cells {
		return "string", "some read as numbers or truth values"
	}
	return "any", "values of several types"
}

// nearly says of text what most of it seems to be.
func (f *seenField) nearly() string {
	for _, k := range []struct {
		n    uint64
		what string
	}{{f.times, "times"}, {f.ips, "addresses"}} {
		if k.n*10 > f.n*9 {
			return fmt.Sprintf("%d of %d are %s", k.n, f.n, k.what)
		}
	}
	return ""
}

// record writes the type of an inner record on one line.
func (t *seenType) record() string {
	parts := make([]string, 0, len(t.order))
	for _, name := range t.order {
		f := t.fields[name]
		typ, _ := f.kind()
		parts = append(parts, quoted(name)+" "+typ+t.optional(f))
	}
	if len(parts) == 0 {
		return "{ }"
	}
	return "{ " + strings.Join(parts, "  ") + " }"
}

func (t *seenType) optional(f *seenField) string {
	if f.n < t.n {
		return "?"
	}
	return ""
}

// Names that time and id fields tend to have, likelier ones first.
var (
	timeNames = []string{"at", "time", "ts", "timestamp", "@timestamp", "event_time", "occurred_at", "created_at", "date", "datetime", "when", "t"}
	idNames   = []string{"id", "event_id", "uuid", "guid", "seq", "sequence", "offset"}
)

// timeField chooses the field of the event's time, with its unit for numbers, and why.
func (t *seenType) timeField() (name, unit, why string) {
	best := -1
	for _, n := range t.order {
		f := t.fields[n]
		u, ok := f.timeUnit()
		if !ok || f.n < t.n {
			continue
		}
		score := rank(timeNames, n)
		if f.times == f.n {
			score += 50
		} else if score == 0 {
			continue // a number that could be anything
		}
		if f.ordered == f.orderedChecks {
			score += 5
		}
		if score > best {
			best, name, unit = score, n, u
		}
	}
	switch {
	case best < 0:
		return "", "", "no field looks like a time: events count at the time of arrival"
	case best < 55:
		why = "time: " + name + " is a guess by its form"
	}
	return name, unit, why
}

// rank is the higher the likelier a name is; 0: it is none of them.
func rank(names []string, name string) int {
	if i := slices.Index(names, strings.ToLower(name)); i >= 0 {
		return 20 - i
	}
	low := strings.ToLower(name)
	if strings.HasSuffix(low, "_at") || strings.HasSuffix(low, "time") || strings.HasSuffix(low, "timestamp") || strings.HasSuffix(low, "_ts") {
		return 5
	}
	return 0
}

// timeUnit is the unit in which numbers would be times between 2001 and 2100.
func (f *seenField) timeUnit() (unit string, ok bool) {
	if f.times == f.n && f.n > 0 {
		return "", true
	}
	if f.ints != f.n || f.n == 0 {
		return "", false
	}
	const from, to = 978307200, 4102444800 // seconds
	for _, u := range []struct {
		name string
		per  float64
	}{{"s", 1}, {"ms", 1e3}, {"us", 1e6}, {"ns", 1e9}} {
		if f.least >= from*u.per && f.most < to*u.per {
			return u.name, true
		}
	}
	return "", false
}

// idField chooses the field that tells events apart.
func (t *seenType) idField(name string, time string) (field, why string) {
	best := 0
	for _, n := range t.order {
		f := t.fields[n]
		if f.n < t.n || f.repeats || n == time || !f.tellsApart() {
			continue
		}
		low, score := strings.ToLower(n), 0
		switch {
		case slices.Contains(idNames, low), low == strings.ToLower(name)+"_id":
			score = 3
		case strings.HasSuffix(low, "_id") || strings.HasSuffix(n, "Id") || strings.HasSuffix(n, "ID"):
			score = 2
		}
		if score > best {
			best, field = score, n
		}
	}
	if best == 2 {
		why = "id: " + field + " never came twice"
	}
	return field, why
}

// tellsApart reports whether the field is of a type that an id can have.
func (f *seenField) tellsApart() bool {
	kind, _ := f.kind()
	return kind == "int" || kind == "string"
}

// Declarations writes the declarations, types in order of first coming.
func (g *Guess) Declarations() string {
	var b strings.Builder
	for i, name := range g.order {
		if i > 0 {
			b.WriteByte('\n')
		}
		g.types[name].declare(&b, name)
	}
	return b.String()
}

func (t *seenType) declare(b *strings.Builder, name string) {
	time, unit, why := t.timeField()
	id, whyID := t.idField(name, time)
	sure := "sure of types"
	if t.n < few {
		sure = "few to be sure"
	}
	records := "records"
	if t.n == 1 {
		records = "record"
	}
	fmt.Fprintf(b, "// From %d %s: %s.\n", t.n, records, sure)
	for _, w := range []string{why, whyID} {
		if w != "" {
			fmt.Fprintf(b, "// %s; look at it.\n", strings.ToUpper(w[:1])+w[1:])
		}
	}
	b.WriteString("event " + quoted(name) + attributes(time, unit, id) + " {")
	if len(t.order) == 0 {
		b.WriteString("}\n")
		return
	}
	b.WriteByte('\n')
	width := 0
	for _, n := range t.order {
		width = max(width, len([]rune(quoted(n))))
	}
	for _, n := range t.order {
		f := t.fields[n]
		typ, doubt := f.kind()
		typ += t.optional(f)
		line := "    " + quoted(n) + strings.Repeat(" ", width-len([]rune(quoted(n)))) + " " + typ
		if note := t.note(f, doubt); note != "" {
			line += " // " + note
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("}\n")
}

func attributes(time, unit, id string) string {
	var parts []string
	if time != "" {
		text := "time: " + quoted(time)
		if unit != "" {
			text += "(" + unit + ")"
		}
		parts = append(parts, text)
	}
	if id != "" {
		parts = append(parts, "id: "+quoted(id))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// note says what is not sure of a field.
func (t *seenType) note(f *seenField, doubt string) string {
	var notes []string
	if doubt != "" {
		notes = append(notes, doubt)
	}
	if f.n < t.n {
		notes = append(notes, fmt.Sprintf("in %s of records", percent(f.n, t.n)))
	}
	return strings.Join(notes, ", ")
}

func percent(n, of uint64) string {
	p := 100 * float64(n) / float64(of)
	if p > 0 && p < 1 {
		return "under 1 %"
	}
	return strconv.Itoa(int(p)) + " %"
}

// reserved are the words that are names only in backticks.
var reserved = []string{"and", "contains", "endsWith", "false", "in", "let", "matches", "nil", "not", "or", "startsWith", "true"}

// quoted writes a name, in backticks where it is no identifier.
func quoted(name string) string {
	plain := name != "" && !slices.Contains(reserved, name)
	for i, r := range name {
		letter := r == '_' || unicode.IsLetter(r)
		plain = plain && (letter || i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r)))
	}
	if plain {
		return name
	}
	return "`" + name + "`"
}

// IsName reports whether a rule file can write a name, in backticks if need be.
func IsName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return r == '`' || unicode.IsControl(r) || r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
	})
}
