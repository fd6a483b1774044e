package eval

import (
	"regexp"
	"strings"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// textTest compiles contains, startsWith, endsWith and matches; nil is false.
func (u *unit) textTest(e *plan.Expr) condFn {
	a, b := e.Args[0], e.Args[1]
	if !textual(a.Type.Kind) || !textual(b.Type.Kind) {
		return u.textTestAny(e)
	}
	if b.Op == plan.OpConst && !b.Const.IsNil() {
		return u.textTestConst(e.Op, u.text(a), b.Const.S)
	}
	test := u.textOp(e.Op)
	x, y := u.text(a), u.text(b)
	return func(f *Frame) bool {
		s, ok := x(f)
		t, ok2 := y(f)
		return ok && ok2 && test(f, s, t)
	}
}

func (u *unit) textTestConst(op plan.Op, x textFn, c string) condFn {
	switch op {
	case plan.OpContains:
		return func(f *Frame) bool { s, ok := x(f); return ok && strings.Contains(s, c) }
	case plan.OpStartsWith:
		return func(f *Frame) bool { s, ok := x(f); return ok && strings.HasPrefix(s, c) }
	case plan.OpEndsWith:
		return func(f *Frame) bool { s, ok := x(f); return ok && strings.HasSuffix(s, c) }
	}
	re := regexp.MustCompile(c)
	return func(f *Frame) bool { s, ok := x(f); return ok && re.MatchString(s) }
}

// textOp is the test on two computed texts.
func (u *unit) textOp(op plan.Op) func(f *Frame, s, t string) bool {
	switch op {
	case plan.OpContains:
		return func(_ *Frame, s, t string) bool { return strings.Contains(s, t) }
	case plan.OpStartsWith:
		return func(_ *Frame, s, t string) bool { return strings.HasPrefix(s, t) }
	case plan.OpEndsWith:
		return func(_ *Frame, s, t string) bool { return strings.HasSuffix(s, t) }
	}
	u.faults = true
	return matcher()
}

// textTestAny compiles a text test on values of undeclared types.
func (u *unit) textTestAny(e *plan.Expr) condFn {
	x, y, test := u.value(e.Args[0]), u.value(e.Args[1]), u.textOp(e.Op)
	u.faults = true
	return func(f *Frame) bool {
		a, b := x(f), y(f)
		switch {
		case a.IsNil() || b.IsNil():
			return false
		case !textual(a.Kind) || !textual(b.Kind):
			f.fault("a text test on " + a.Kind.String() + " and " + b.Kind.String())
			return false
		}
		return test(f, a.S, b.S)
	}
}

// maxPattern bounds the length of a computed regular expression, in bytes.
const maxPattern = 1000

// matcher tests against computed regular expressions. It keeps the last one: such
// patterns change seldom.
func matcher() func(f *Frame, s, pattern string) bool {
	var last atomic.Pointer[regexp.Regexp]
	return func(f *Frame, s, pattern string) bool {
		re := last.Load()
		if re == nil || re.String() != pattern {
			re = compilePattern(f, pattern)
			if re == nil {
				return false
			}
			last.Store(re)
		}
		return re.MatchString(s)
	}
}

func compilePattern(f *Frame, pattern string) *regexp.Regexp {
	if len(pattern) > maxPattern {
		f.fault("a computed regular expression of more than 1000 bytes")
		return nil
	}
	// The pattern may be memory of an event, which does not outlive it.
	re, err := regexp.Compile(strings.Clone(pattern))
	if err != nil {
		f.fault("a computed regular expression that is none")
		return nil
	}
	return re
}

// concat compiles interpolation: every part as text, nil as nothing.
func (u *unit) concat(e *plan.Expr) textFn {
	u.faults = true
	parts := u.values(e.Args)
	return func(f *Frame) (string, bool) {
		var room [128]byte
		b := room[:0]
		for _, fn := range parts {
			v := fn(f)
			if !fits(f, len(b)+textWeight(v, maxText)) {
				return "", false
			}
			if b = appendText(b, v); !fits(f, len(b)) {
				return "", false
			}
		}
		return string(b), true
	}
}

// join compiles the addition of texts.
func (u *unit) join(e *plan.Expr) textFn {
	u.faults = true
	x, y := u.text(e.Args[0]), u.text(e.Args[1])
	return func(f *Frame) (string, bool) {
		s, ok := x(f)
		t, ok2 := y(f)
		if !ok || !ok2 || !fits(f, len(s)+len(t)) {
			return "", false
		}
		return s + t, true
	}
}

// maxText bounds the length of a text that an expression puts together, in bytes: as
// much as a rule file may have.
const maxText = 1 << 20

func fits(f *Frame, n int) bool {
	if n > maxText {
		f.fault("a text of more than 1 MB")
	}
	return n <= maxText
}

// toText is the value as an interpolation shows it.
func toText(f *Frame, a []event.Value) event.Value {
	if !fits(f, textWeight(a[0], maxText)) {
		return event.Value{}
	}
	return textOf(appendText(nil, a[0]))
}

// textWeight is how many bytes of text a value holds, names and elements within it
// included; it stops counting above most.
func textWeight(v event.Value, most int) int {
	n := len(v.S)
	if v.C == nil {
		return n
	}
	for _, name := range v.C.Names {
		n += len(name)
	}
	for _, e := range v.C.Elems {
		if n > most {
			break
		}
		n += textWeight(e, most-n)
	}
	return n
}

// textLength is the number of a text's characters.
func textLength(x textFn) intFn {
	return func(f *Frame) (int64, bool) {
		s, ok := x(f)
		return int64(utf8.RuneCountInString(s)), ok
	}
}

// length is the number of characters, elements or fields.
func length(f *Frame, v event.Value) event.Value {
	switch v.Kind {
	case event.Nil:
		return v
	case event.String, event.IP:
		return event.OfInt(int64(utf8.RuneCountInString(v.S)))
	case event.List, event.Record:
		return event.OfInt(int64(len(v.Elems())))
	}
	f.fault("len of " + v.Kind.String())
	return event.Value{}
}

// appendText writes a value as an interpolation shows it: nil as nothing, text as
// it is, floats in their shortest form, times as RFC 3339 in UTC, durations as rule
// files write them, compounds as JSON.
func appendText(b []byte, v event.Value) []byte {
	switch v.Kind {
	case event.Nil:
		return b
	case event.String, event.IP:
		return append(b, v.S...)
	case event.Time:
		return event.AppendTime(b, v.Int())
	case event.Duration:
		return event.AppendDuration(b, v.Int())
	}
	return event.AppendJSON(b, v)
}

// textOf makes a string of bytes that nobody else holds.
func textOf(b []byte) event.Value {
	return event.OfString(unsafe.String(unsafe.SliceData(b), len(b)))
}
