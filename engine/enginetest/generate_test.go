package enginetest

import (
	"fmt"
	"hash/fnv"
	"strings"

	"pgregory.net/rapid"
)

// maker draws rule sets and streams. Everything is drawn so that less is drawn as a
// failure shrinks: chances to false, choices to the first, spans and lists to shorter.
type maker struct {
	t     *rapid.T
	unit  string   // of the time field: "" for RFC 3339 texts, s, ms
	kinds []string // the event types that the rule at hand may read
	emits bool     // the rule at hand emits d
	table bool     // the rule at hand may read the projection tab
}

// n draws a number below another, all alike often: rapid's own numbers are small ones
// for the most part.
func (m *maker) n(below int) int {
	return rapid.Custom(func(t *rapid.T) int {
		drawn, of := 0, 1
		for of < 8*below {
			drawn, of = 2*drawn+btoi(rapid.Bool().Draw(t, "bit")), 2*of
		}
		return drawn * below / of
	}).Draw(m.t, "n")
}

// chance is true in so many of 100 cases.
func (m *maker) chance(percent int) bool { return m.n(100) >= 100-percent }

func (m *maker) one(choices ...string) string { return choices[m.n(len(choices))] }

// seconds draws a span that the steps of a stream meet exactly now and then.
func (m *maker) seconds() int { return []int{5, 3, 2, 10, 1, 4, 6, 8, 15, 20}[m.n(10)] }

func (m *maker) span() string { return fmt.Sprintf("%ds", m.seconds()) }

// kinds are the event types of the input; a fourth, d, is made by rules. They have the same
// fields, but for one that only c has, so that no field has two types.
var kinds = []string{"a", "b", "c"}

// declarations draws the event types.
func (m *maker) declarations() string {
	m.unit = m.one("", "s", "ms")
	var b strings.Builder
	for _, kind := range kinds {
		attributes := "time: t"
		if m.unit != "" {
			attributes += "(" + m.unit + ")"
		}
		if m.chance(30) {
			attributes += ", id: id"
		}
		if m.chance(15) {
			attributes += ", lateness: " + m.span()
		}
		if m.chance(15) {
			attributes += ", late: drop"
		}
		extra := ""
		if kind == "c" {
			extra = "  k2 int"
		}
		fmt.Fprintf(&b, "event %s (%s) { id string  t %s  k int  g string  x int?  y float?  s string?  f bool?%s }\n",
			kind, attributes, map[string]string{"": "time", "s": "int", "ms": "int"}[m.unit], extra)
	}
	b.WriteString("event d { k int?  g string?  x int?  y float?  s string?  f bool? }\n")
	return b.String()
}

// projection draws the projection tab.
func (m *maker) projection() string {
	where := ""
	if m.chance(40) {
		where = " where " + m.condition(&scope{fields: true})
	}
	return fmt.Sprintf("table tab by k from %s%s { n: count()  sum: sum(x)  top: max(y)  at: last(x) }\n", m.one(kinds...), where)
}

// streams draws one to three partitions of so many events at most in all.
func (m *maker) streams(most int) []Stream {
	count := 1
	if m.chance(25) {
		count += 1 + m.n(2)
	}
	disorder := 0
	if m.chance(35) {
		disorder = 20
	}
	keys := 1 + m.n(3)
	draft := rapid.Custom(func(t *rapid.T) *draft { return (&maker{t: t, unit: m.unit}).draft(disorder, keys) })
	var out []Stream
	serial := 0
	least := []int{0, 4, 12, 25, 45}[m.n(5)]
	for i := range count {
		s := Stream{Name: fmt.Sprintf("p%d", i), Beside: keyAndHeader}
		now := 1000
		for _, d := range rapid.SliceOfN(draft, min(least, most)/count, most/count).Draw(m.t, s.Name) {
			serial++
			now += d.step
			s.Records = append(s.Records, d.record(fmt.Sprintf("e%d", serial), m.timestamp(now-d.back)))
		}
		out = append(out, s)
	}
	return out
}

// draft is a record before it has its identity and its time: so many seconds after the
// one before it, less how far it is out of order.
type draft struct {
	step, back int
	broken     string // a record that is no event
	kind       string
	fields     []string
}

// draft draws a record, now and then one that is no event.
func (m *maker) draft(disorder, keys int) *draft {
	d := &draft{step: []int{0, 1, 0, 2, 1, 5, 3, 0}[m.n(8)], kind: m.one(kinds...)}
	if m.chance(disorder) {
		d.back = 1 + m.n(8)
	}
	if m.chance(2) {
		d.broken = m.one(`{"type":"zz"}`, `{"type":"a"`, `{"type":"a","id":"q","t":true}`, `[]`)
	}
	add := func(name, value string) {
		switch {
		case !m.chance(4):
			d.fields = append(d.fields, fmt.Sprintf("%q:%s", name, value))
		case m.chance(50):
			d.fields = append(d.fields, fmt.Sprintf("%q:%s", name, m.one("null", "[1]")))
		}
	}
	add("k", fmt.Sprint(1+m.n(keys)))
	add("g", m.one(`"u"`, `"v"`))
	add("x", fmt.Sprint(m.n(5)-1))
	add("y", m.one("0", "0.5", "1", "1.5", "2", "-2.5"))
	add("s", m.one(`"p"`, `"q"`, `"pq"`))
	add("f", m.one("true", "false"))
	if d.kind == "c" {
		add("k2", fmt.Sprint(1+m.n(keys)))
	}
	return d
}

func (d *draft) record(id, at string) string {
	if d.broken != "" {
		return d.broken
	}
	return fmt.Sprintf(`{"type":%q,"id":%q,"t":%s,%s}`, d.kind, id, at, strings.Join(d.fields, ","))
}

// keyAndHeader is what is beside a record, which is drawn with it: now and then no key, or no
// header h.
func keyAndHeader(record string) (key []byte, headers map[string]string) {
	h := fnv.New32a()
	h.Write([]byte(record))
	n := h.Sum32() >> 8
	if n%8 != 0 {
		key = []byte{"pqz"[n%3]}
	}
	headers = map[string]string{"other": "p"}
	if n>>8%4 != 0 {
		headers["h"] = []string{"p", "q", ""}[n>>8%3]
	}
	return key, headers
}

func (m *maker) timestamp(at int) string {
	switch m.unit {
	case "s":
		return fmt.Sprint(at)
	case "ms":
		return fmt.Sprint(at * 1000)
	}
	return fmt.Sprintf("%q", rfc3339(int64(at)*1e9))
}

// scope is what a drawn expression may name.
type scope struct {
	fields  bool     // those of the event at hand
	local   bool     // the let loc, where fields are
	foreign bool     // the step has a key of its own, so that k could mean two things
	self    string   // the repeated step whose condition it is
	single  []string // steps of one event
	many    []string // repeated steps
	windows []string // "" for the one without a name
}

// operand draws a number.
func (m *maker) operand(s *scope) string {
	var from []string
	if s.fields {
		from = append(from, "x", "y", "x", "abs(x)", "(x + 1)", "(y * 2)", "(x ?? 0)")
		if !s.foreign {
			from = append(from, "k")
		}
		if !s.foreign && m.table {
			from = append(from, "tab[k].n", "tab[k].sum", "tab[k].top", "(tab[k].at ?? 0)", "tab[x].n")
		}
		if s.local {
			from = append(from, "loc", "loc")
		}
	}
	for _, name := range s.single {
		from = append(from, name+".x", name+".y", name+".x", "("+name+".x + 1)")
	}
	for _, name := range s.many {
		from = append(from, "first("+name+").x", "last("+name+").x", name+"[0].x", name+"[1].y",
			"count("+name+")", m.aggregate(name+"."), m.aggregate(name+"."))
	}
	for _, name := range s.windows {
		if name == "" {
			from = append(from, "count()", m.aggregate(""), m.aggregate(""))
		} else {
			from = append(from, "count("+name+")", m.aggregate(name+"."), m.aggregate(name+"."))
		}
	}
	if s.self != "" {
		from = append(from, "prev.x", "prev.y", "count("+s.self+")", "last("+s.self+").x", m.aggregate(s.self+"."))
	}
	if len(from) == 0 {
		return m.constant()
	}
	return m.one(from...)
}

func (m *maker) constant() string { return m.one("1", "0", "2", "3", "0.5", "1.5") }

// aggregate draws one that is a number, over fields with a prefix.
func (m *maker) aggregate(prefix string) string {
	of := prefix + m.one("x", "y")
	return m.one("sum("+of+")", "avg("+of+")", "max("+of+")", "min("+of+")", "count("+of+" > 0)", "count("+of+")",
		"first("+of+")", "last("+of+")", "distinct("+of+")", "median("+of+")", "sum("+of+" + 1)",
		"distinct("+prefix+"s)", "count("+prefix+"s == 'p')", "count("+prefix+"f)")
}

// condition draws a condition that holds rather often.
func (m *maker) condition(s *scope) string {
	switch m.n(10) {
	case 0, 1, 2, 3, 4:
		return m.operand(s) + m.one(" > ", " >= ", " < ", " <= ", " != ", " == ") + m.constant()
	case 5:
		return m.operand(s) + m.one(" >= ", " <= ", " > ", " != ", " == ") + m.operand(s)
	case 6:
		return m.test(s)
	case 7:
		return "not (" + m.condition(s) + ")"
	case 8:
		return "(" + m.condition(s) + " or " + m.condition(s) + ")"
	}
	return "(" + m.condition(s) + " and " + m.condition(s) + ")"
}

// test draws a condition over something else than numbers.
func (m *maker) test(s *scope) string {
	var of []string
	if s.fields {
		of = append(of, "")
	}
	for _, name := range s.single {
		of = append(of, name+".")
	}
	for _, name := range s.many {
		of = append(of, "last("+name+").")
	}
	if s.self != "" {
		of = append(of, "prev.")
	}
	if len(of) == 0 {
		return m.operand(s) + " != nil"
	}
	field := m.one(of...)
	return field + m.one("s == 'p'", "s in ['p', \"q\"]", "s != nil", "f", "x == nil", "s contains 'q'", "g != \"u\"",
		"s startsWith 'p'", "x in [0, 1, 2]", "x not in [0]", "s in words", "x > low",
		"meta.key == 'p'", "meta.headers.h != 'q'")
}

// constants are the declarations that test uses.
const constants = "let low = 0\nlist words = [\"p\", 'pq']\n"
