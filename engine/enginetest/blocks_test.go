package enginetest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang/source"
	blocks "github.com/cepheus-cep/cepheus/rules/tester"
)

// TestTestBlocksAgreeWithReference says that a test block which expects what the reference
// gives passes, and that one with another expectation in the place of one of these fails for
// that expectation alone.
func TestTestBlocksAgreeWithReference(t *testing.T) {
	passed, failed := 0, 0
	repeat(t, 2, func(t *rapid.T) {
		changed := blocksAgree(t)
		passed, failed = passed+1, failed+btoi(changed)
	})
	if failed < passed/4 {
		t.Errorf("of %d blocks an expectation was changed in %d", passed, failed)
	}
}

// blocksAgree reports whether there was an expectation that could be changed.
func blocksAgree(t *rapid.T) bool {
	defer skipTooMany(t)
	m := &maker{t: t}
	h := &history{rules: m.ruleSet()}
	compile(t, h.rules)
	b := m.block(h)
	text := h.rules + b.text("as it is", -1)
	if b.change >= 0 {
		text += b.text("changed", b.change)
	}
	suite, messages := blocks.Load([]*source.File{{Name: "rules.cep", Text: text}}, nil)
	if suite == nil {
		t.Fatalf("%v\n%s", messages, text)
	}
	err := suite.Run(t.Context(), blocks.Options{Now: time.Now}, func(r *blocks.Result) error {
		if r.Err != nil {
			t.Fatalf("%v\n%s", r.Err, text)
		}
		b.judge(t, r, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.change >= 0
}

// block is a test block that is drawn, with what the reference says to it.
type block struct {
	rules   []string // of its header
	events  []string // at …
	expects []expectation
	change  int // the expectation that is changed; -1: none can be
}

// expectation is one line of a block, with the line that it is changed to.
type expectation struct {
	rule, text, other string
	count             bool
}

// zero is the time at which tests begin, in seconds.
const zero = blocks.Zero / 1e9

// clock is the event type of what moves the time of a block on for the reference.
const clock = "event clock (time: at(ns)) { at int }\n"

// block draws events, a header and expectations that hold.
func (m *maker) block(h *history) *block {
	b := &block{change: -1}
	book := readRules(h.rules)
	for _, r := range book.rules {
		if m.chance(75) {
			b.rules = append(b.rules, r.Name.Text)
		}
	}
	if len(b.rules) == 0 {
		b.rules = []string{book.rules[0].Name.Text}
	}
	stream := b.drawEvents(m, book, h.mostEvents())
	alerts := map[string][]*alert{}
	for _, a := range evaluate(clock+live(h.rules, b.rules), []Stream{stream}, false) {
		alerts[a.rule] = append(alerts[a.rule], a)
	}
	for _, name := range b.rules {
		b.expect(m, name, alerts[name])
	}
	if len(b.expects) > 0 {
		b.change = m.n(len(b.expects))
	}
	return b
}

var modes = regexp.MustCompile(`\n    mode \w+`)

// live takes the modes off the rules that a test names: it runs them whatever they are.
func live(rules string, names []string) string {
	for _, name := range names {
		head, rule, _ := strings.Cut(rules, "rule "+name+" {")
		body, rest, _ := strings.Cut(rule, "\n}\n")
		rules = head + "rule " + name + " {" + modes.ReplaceAllString(body, "") + "\n}\n" + rest
	}
	return rules
}

// drawEvents draws what comes, and what moves time on, and writes both as lines of the block and
// as records.
func (b *block) drawEvents(m *maker, book *ruleBook, most int) Stream {
	s := Stream{Name: "test", Beside: keyAndHeader}
	lateness := int64(0)
	for _, t := range book.types {
		if t.Lateness != nil {
			lateness = max(lateness, t.Lateness.Nanos)
		}
	}
	tick := func(at int) {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":"clock","at":%d}`, (zero+int64(at))*1e9+lateness))
	}
	disorder, keys, now, last := m.n(2)*20, 1+m.n(3), 20, 0
	for i := range m.n(most) {
		d := m.draft(disorder, keys)
		d.broken = ""
		d.fields = slices.DeleteFunc(d.fields, func(f string) bool { return strings.HasSuffix(f, "[1]") })
		now += d.step
		last = max(last, now)
		if m.chance(5) {
			tick(now)
			b.events = append(b.events, fmt.Sprintf("at %ds", now))
			continue
		}
		at := now - d.back
		record := d.record(fmt.Sprintf("e%d", i), m.timestamp(int(zero)+at))
		s.Records = append(s.Records, record)
		b.events = append(b.events, d.line(fmt.Sprintf("e%d", i), at, record))
	}
	last += m.n(2) * m.seconds()
	tick(last)
	b.events = append(b.events, fmt.Sprintf("at %ds", last))
	return s
}

// line writes the draft as an event of a test; its time is filled in.
func (d *draft) line(id string, at int, record string) string {
	fields := []string{fmt.Sprintf("id: %q", id)}
	for _, f := range d.fields {
		name, value, _ := strings.Cut(f, ":")
		if value == "null" {
			value = "nil"
		}
		fields = append(fields, strings.Trim(name, `"`)+": "+value)
	}
	line := fmt.Sprintf("at %ds %s { %s }", at, d.kind, strings.Join(fields, ", "))
	key, headers := keyAndHeader(record)
	if key != nil {
		line += fmt.Sprintf(" key %q", key)
	}
	var pairs []string
	for name, value := range headers {
		pairs = append(pairs, fmt.Sprintf("%s: %q", name, value))
	}
	slices.Sort(pairs)
	return line + " headers { " + strings.Join(pairs, ", ") + " }"
}

// expect draws expectations of a rule: all its alerts, their number, or both.
func (b *block) expect(m *maker, name string, alerts []*alert) {
	kind := m.n(3)
	if len(alerts) > 60 {
		kind = 1
	}
	if kind != 1 {
		for _, a := range alerts {
			b.expects = append(b.expects, m.expectAlert(a))
		}
	}
	if kind != 0 {
		b.expects = append(b.expects, expectCount(name, len(alerts)))
	}
}

func expectCount(name string, n int) expectation {
	text := func(n int) string {
		if n == 0 {
			return "expect no " + name
		}
		return fmt.Sprintf("expect %d %s", n, name)
	}
	return expectation{rule: name, text: text(n), other: text(n + 1), count: true}
}

// expectAlert writes an alert with its time and some of its values, and otherwise: at a time at
// which nothing ever comes, or with a value that nothing drawn ever has.
func (m *maker) expectAlert(a *alert) expectation {
	at := fmt.Sprintf("expect %s at %ds", a.rule, a.time/1e9-zero)
	other := fmt.Sprintf("expect %s at %dms", a.rule, a.time/1e6-zero*1e3-500)
	names, values := slices.Concat(a.keyNames, a.names), slices.Concat(a.key, a.fields)
	var fields, changed []string
	for i, name := range names {
		text, ok := literal(values[i])
		if !ok || m.chance(25) {
			continue
		}
		fields = append(fields, name+": "+text)
		if strange, ok := strangeTo(values[i]); ok && changed == nil && m.chance(50) {
			text, other = strange, at
			changed = fields
		}
		if changed != nil {
			changed = append(slices.Clone(changed[:len(fields)-1]), name+": "+text)
		}
	}
	if changed == nil {
		changed = fields
	}
	return expectation{rule: a.rule, text: at + inBraces(fields), other: other + inBraces(changed)}
}

func inBraces(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return " { " + strings.Join(fields, ", ") + " }"
}

// literal writes a value as a test has it. Floats near 0, and in texts, are left out: sums may
// be taken in another order.
func literal(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "nil", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), math.Abs(v) > 1e-2
	case string:
		return strconv.Quote(v), !strings.Contains(v, ".")
	case instant:
		return strconv.Quote(rfc3339(int64(v))), true
	case span:
		return time.Duration(v).String(), v >= 0
	case []any:
		return literals(v)
	}
	return "", false
}

func literals(list []any) (string, bool) {
	var items []string
	for _, v := range list {
		text, ok := literal(v)
		if !ok {
			return "", false
		}
		items = append(items, text)
	}
	return "[" + strings.Join(items, ", ") + "]", true
}

// strangeTo writes a value of the same type that nothing drawn ever has; not of types that have
// few values.
func strangeTo(v any) (string, bool) {
	switch v.(type) {
	case int64:
		return "987654321", true
	case float64:
		return "987654321.5", true
	case string:
		return `"strange"`, true
	case instant:
		return `"1999-12-31T00:00:00Z"`, true
	}
	return "", false
}

// text writes the block, with one of its expectations changed (-1: with none).
func (b *block) text(title string, change int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "test %s %q {\n", strings.Join(b.rules, ", "), title)
	for _, line := range b.events {
		out.WriteString("    " + line + "\n")
	}
	for i, x := range b.expects {
		if i == change {
			x.text = x.other
		}
		out.WriteString("    " + x.text + "\n")
	}
	return out.String() + "}\n"
}

// judge asks for the result that the block is to have.
func (b *block) judge(t *rapid.T, r *blocks.Result, text string) {
	if r.Test.Title == "as it is" {
		if !r.Passed() {
			t.Fatalf("it does not pass: %+v\n%s", r.Failures, text)
		}
		return
	}
	x := b.expects[b.change]
	if len(r.Failures) != 1 {
		t.Fatalf("%d failures of one changed expectation, %s: %+v\n%s", len(r.Failures), x.other, r.Failures, text)
	}
	f := &r.Failures[0]
	if f.Rule != x.rule || f.Span.Text() != x.other || !strings.Contains(f.Expected, x.rule) || !x.count && len(f.Actual) == 0 {
		t.Fatalf("a failure that does not tell of %s, but of %s: %+v\n%s", x.other, f.Span.Text(), f, text)
	}
}
