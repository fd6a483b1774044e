package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Options say what is redacted.
type Options struct {
	Key    []byte              // of the hashes; needed with Mask too, for ids of alerts
	Mask   bool                // write Masked in place of hashes
	Fields map[string][]string // members, as customer.email, by event type
}

// Masked stands for a value that is masked, hashedPrefix before the digits of one that is hashed.
const (
	Masked       = "***"
	hashedPrefix = "redacted-"
	hashedBytes  = 10 // of the hash: 80 bits
)

// Redactor redacts. It is safe for several goroutines.
type Redactor struct {
	o   Options
	all []path // of all types

	mu   sync.Mutex         // leaf
	last [mostSets]setMarks // of the sets that were seen last, the newest first
}

// mostSets is of how many sets what is secret is remembered: that in service, one that rules
// are warmed in, and one of a trial.
const mostSets = 3

type setMarks struct {
	set   *plan.Set
	marks *marks
}

// path is that of a member.
type path []string

// New returns a redactor, nil where nothing is to be redacted.
func New(o Options) *Redactor {
	r := &Redactor{o: o}
	for name := range o.Fields {
		r.all = append(r.all, r.pathsOf(name)...)
	}
	if len(r.all) == 0 {
		return nil
	}
	return r
}

// pathsOf are the redacted members of a type. What a source says of a record beside it, its
// key and headers, is named as expressions name it.
func (r *Redactor) pathsOf(typ string) (all []path) {
	for _, f := range r.o.Fields[typ] {
		all = append(all, strings.Split(f, "."))
		if of, is := strings.CutPrefix(f, "meta."); is {
			all = append(all, path{plan.MetaPrefix + of})
		}
	}
	return all
}

// Alert redacts an alert of a rule of a set in its place.
func (r *Redactor) Alert(set *plan.Set, rule *plan.Rule, a *event.Alert) {
	m := r.marksOf(set).rules[rule]
	if m == nil {
		return
	}
	a.ID = r.mac([]byte("alert " + a.ID))[:32]
	for i := range a.Key {
		if m.keys[i] {
			a.Key[i].Value = r.value(a.Key[i].Value)
		}
	}
	for i := range a.Fields {
		a.Fields[i].Value = r.field(a.Fields[i].Value, m, i)
	}
	for i := range a.Events {
		a.Events[i].JSON = r.record(a.Events[i].JSON, m.evidence(rule, a.Events[i].Step))
	}
}

// field redacts a field of an alert: all of it, or in a record or a list the members.
func (r *Redactor) field(v event.Value, m *ruleMarks, i int) event.Value {
	if m.fields[i] {
		return r.value(v)
	}
	return r.parts(v, m.names)
}

// parts redacts the members of a value that have the names, whatever they are within: of what
// record the value is a part, nobody knows any more.
func (r *Redactor) parts(v event.Value, names []string) event.Value {
	if v.Kind != event.List && v.Kind != event.Record || v.C == nil {
		return v
	}
	c := &event.Compound{Elems: slices.Clone(v.C.Elems), Names: v.C.Names}
	for i, e := range c.Elems {
		if v.Kind == event.Record && slices.Contains(names, lastOf(c.Names[i])) {
			c.Elems[i] = r.value(e)
		} else {
			c.Elems[i] = r.parts(e, names)
		}
	}
	v.C = c
	return v
}

// value redacts a whole value; there is nothing to hide of nil.
func (r *Redactor) value(v event.Value) event.Value {
	if v.IsNil() {
		return v
	}
	return event.OfString(r.text(canonical(event.AppendJSON(nil, v))))
}

// text stands for a value that is written canonically. What was redacted before stays.
func (r *Redactor) text(value string) string {
	if isRedacted(value) {
		return value
	}
	if r.o.Mask {
		return Masked
	}
	return hashedPrefix + r.mac([]byte("value " + value))[:2*hashedBytes]
}

func isRedacted(text string) bool {
	digits, hashed := strings.CutPrefix(text, hashedPrefix)
	_, err := hex.DecodeString(digits)
	return text == Masked || hashed && err == nil && len(digits) == 2*hashedBytes
}

func (r *Redactor) mac(text []byte) string {
	h := hmac.New(sha256.New, r.o.Key)
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// canonical is the text of a JSON value: that of a string without its quotes, and of numbers
// that are equal the same.
func canonical(text []byte) string {
	var s string
	if len(text) > 0 && text[0] == '"' && json.Unmarshal(text, &s) == nil {
		return s
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil && math.Abs(f) < 1<<53 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	var b bytes.Buffer
	if json.Compact(&b, text) == nil {
		return b.String()
	}
	return string(text)
}

// Letter redacts a record that came to nothing, and why. Its type is not known, or not sure:
// members of all types count. What is no JSON object, nor a list, is replaced whole: a line of
// CSV may well be a JSON number. One that was redacted before stays.
func (r *Redactor) Letter(record []byte, reason string) ([]byte, string) {
	if isReplaced(record) {
		return record, unquoted(reason)
	}
	out, hidden, err := r.rewriteLetter(record)
	if err != nil {
		return []byte(replacedHead + strconv.Itoa(len(record)) + replacedEnd + r.text(string(record))), unquoted(reason)
	}
	for _, text := range hidden {
		reason = withoutWord(reason, text)
	}
	return out, reason
}

// What stands for a record that is replaced: its length and its hash are between and behind.
const (
	replacedHead = "a record of "
	replacedEnd  = " bytes that is not JSON, "
)

func isReplaced(record []byte) bool {
	text, is := strings.CutPrefix(string(record), replacedHead)
	length, hash, whole := strings.Cut(text, replacedEnd)
	_, err := strconv.Atoi(length)
	return is && whole && err == nil && isRedacted(hash)
}

// withoutWord masks a text where it is not a part of a longer word: that a member is "a" is no
// reason to mask every a.
func withoutWord(in, text string) string {
	var out strings.Builder
	for text != "" {
		at := strings.Index(in, text)
		if at < 0 {
			break
		}
		end := at + len(text)
		before, _ := utf8.DecodeLastRuneInString(in[:at])
		after, _ := utf8.DecodeRuneInString(in[end:])
		out.WriteString(in[:at])
		if inWord(before) || inWord(after) {
			out.WriteString(text)
		} else {
			out.WriteString(Masked)
		}
		in = in[end:]
	}
	return out.String() + in
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// unquoted leaves out what a reason quotes.
func unquoted(reason string) string {
	if at := strings.IndexAny(reason, "\"`'"); at >= 0 {
		return reason[:at] + Masked
	}
	return reason
}

// Reason is why a rule went wrong, without what it says of values.
func (r *Redactor) Reason(text string) string {
	text = unquoted(text) // a value may have a colon too
	if at := strings.LastIndex(text, ": "); at >= 0 {
		return text[:at+2] + Masked
	}
	return text
}

// Told redacts what is told, as JSON, of a key of a rule or a table (its other name): parts of
// the key are in a member key, aggregates in values by how the rule writes them, a row in row;
// records are anywhere.
func (r *Redactor) Told(set *plan.Set, name string, text []byte) []byte {
	return r.record(text, append(r.marksOf(set).told(set, name), r.all...))
}

// record redacts the members of a record; one that is no JSON is not shown.
func (r *Redactor) record(text []byte, paths []path) []byte {
	if len(paths) == 0 {
		return text
	}
	out, _, err := r.rewrite(text, paths)
	if err != nil {
		return []byte(`"` + Masked + `"`)
	}
	return out
}

// isMember reports whether what stands under the names, the last its own, has one of the
// paths, or is within what has. A name with dots in it, as a column of a CSV file has, is as good
// as the names between them.
func isMember(names []string, paths []path) bool {
	for _, p := range paths {
		for end := len(p); end <= len(names); end++ {
			if slices.Equal(names[end-len(p):end], p) {
				return true
			}
		}
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ".") }) && isDotted(names, paths)
}

// lastOf is the name behind the last dot.
func lastOf(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func isDotted(names []string, paths []path) bool {
	whole := "." + strings.Join(names, ".") + "."
	return slices.ContainsFunc(paths, func(p path) bool { return strings.Contains(whole, "."+strings.Join(p, ".")+".") })
}
