package plan

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// String returns the expression's canonical text: the same for the same meaning,
// whatever the formatting, comments and slot numbers. Versions are hashes over it
// and tests print it. It is no rule text: every operation is written in brackets,
// steps as $number, key parts as @key number, aggregates as @agg number. It does not
// recurse into natives, whose Text says what they are. A nil Expr is "".
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	return string(e.Append(nil))
}

// Append appends what String returns; the expression is not nil.
func (e *Expr) Append(b []byte) []byte { return e.appendTo(b) }

var opWords = map[Op]string{
	OpNot: "not", OpNeg: "-", OpAnd: "and", OpOr: "or", OpCoalesce: "??", OpCond: "?:", OpEq: "==", OpNe: "!=",
	OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=", OpAdd: "+", OpSub: "-", OpMul: "*", OpDiv: "/", OpMod: "%",
	OpPow: "**", OpIn: "in", OpContains: "contains", OpStartsWith: "startsWith", OpEndsWith: "endsWith",
	OpMatch: "matches", OpConcat: "text", OpConvert: "to", OpList: "list", OpRecord: "record", OpIndex: "at", OpLen: "len",
}

func (e *Expr) appendTo(b []byte) []byte {
	switch e.Op {
	case OpConst:
		return e.appendConst(b)
	case OpField:
		return appendName(b, e.Name)
	case OpMeta:
		return append(append(b, MetaPrefix...), e.Name...)
	case OpStepField, OpStepMeta, OpTaken:
		return e.appendStep(b)
	case OpKey:
		return strconv.AppendInt(append(b, "@key"...), int64(e.Index), 10)
	case OpAgg:
		return strconv.AppendInt(append(b, "@agg"...), int64(e.Index), 10)
	case OpWindow:
		return append(append(b, "@window."...), e.Name...)
	case OpMatches:
		return append(b, "@matches"...)
	case OpElem:
		return strconv.AppendInt(append(b, '#'), int64(e.Index), 10)
	case OpElemNo:
		return strconv.AppendInt(append(b, "#index"...), int64(e.Index), 10)
	case OpAcc:
		return strconv.AppendInt(append(b, "#acc"...), int64(e.Index), 10)
	}
	return e.appendCall(b)
}

// appendCall writes what has arguments: (word arg arg …).
func (e *Expr) appendCall(b []byte) []byte {
	b = append(b, '(')
	switch e.Op {
	case OpCall, OpEach:
		b = append(b, e.Name...)
	case OpNative:
		b = append(append(b, "native "...), strconv.Quote(e.Text)...)
	case OpInFile:
		b = appendName(append(b, "infile "...), e.Name)
	case OpRow:
		b = appendName(append(b, "row "...), e.Name)
	case OpRead:
		b = appendName(append(b, "read "...), e.Name)
	case OpMember:
		b = appendName(append(b, '.'), e.Name)
	case OpConvert:
		b = append(append(b, "to "...), e.Type.Kind.String()...)
	default:
		b = append(b, opWords[e.Op]...)
	}
	for i, a := range e.Args {
		b = append(b, ' ')
		if e.Op == OpRecord {
			b = append(appendName(b, e.Names[i]), ':', ' ')
		}
		b = a.appendTo(b)
	}
	return append(b, ')')
}

var pickWords = [...]string{"", "@last.", "", "@prev."}

func (e *Expr) appendStep(b []byte) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(e.Step), 10)
	if e.Op == OpTaken {
		return append(b, "?"...)
	}
	if e.Pick == PickAt {
		b = append(e.Args[0].appendTo(append(b, '[')), ']')
	}
	b = append(append(b, '.'), pickWords[e.Pick]...)
	if e.Op == OpStepMeta {
		return append(append(b, MetaPrefix...), e.Name...)
	}
	return appendName(b, e.Name)
}

func (e *Expr) appendConst(b []byte) []byte {
	if e.Name != "" {
		return appendName(b, e.Name)
	}
	return appendValue(b, e.Const)
}

// MetaPrefix begins the names of slots that hold no field but a record's key, or a header
// of it: the path of no field begins so.
const MetaPrefix = "@meta."

// appendName quotes names that hold more than identifiers and dots, so that two
// different paths never have the same text.
func appendName(b []byte, name string) []byte {
	if strings.HasPrefix(name, MetaPrefix) {
		return append(b, name...)
	}
	for _, r := range name {
		if r != '.' && r != '_' && (r < '0' || r > '9') && (r|' ' < 'a' || r|' ' > 'z') {
			return append(append(b, '`'), strconv.Quote(name)...)
		}
	}
	return append(b, name...)
}

// appendValue writes a constant so that two different ones, also of different kinds,
// never have the same text.
func appendValue(b []byte, v event.Value) []byte {
	switch v.Kind {
	case event.Nil:
		return append(b, "nil"...)
	case event.Bool:
		return strconv.AppendBool(b, v.Bool())
	case event.Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case event.Float:
		return appendFloat(b, v.Float())
	case event.String:
		return strconv.AppendQuote(b, v.S)
	case event.IP:
		return strconv.AppendQuote(append(b, "ip"...), v.S)
	case event.Time:
		return strconv.AppendInt(append(b, "time"...), v.Int(), 10)
	case event.Duration:
		return append(strconv.AppendInt(b, v.Int(), 10), "ns"...)
	}
	return appendCompound(b, v)
}

func appendFloat(b []byte, f float64) []byte {
	at := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if f == math.Trunc(f) && !slices.ContainsFunc(b[at:], func(c byte) bool { return c == '.' || c == 'e' }) {
		b = append(b, ".0"...)
	}
	return b
}

func appendCompound(b []byte, v event.Value) []byte {
	brackets := "[]"
	if v.Kind == event.Record {
		brackets = "{}"
	}
	b = append(b, brackets[0])
	for i, x := range v.Elems() {
		if i > 0 {
			b = append(b, ' ')
		}
		if v.Kind == event.Record {
			b = append(strconv.AppendQuote(b, v.C.Names[i]), ':')
		}
		b = appendValue(b, x)
	}
	return append(b, brackets[1])
}
