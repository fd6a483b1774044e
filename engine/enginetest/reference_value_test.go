package enginetest

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value of the reference is nil, bool, int64, float64, string, instant, span, or a
// []any of them.
type (
	instant int64 // nanoseconds since the Unix epoch
	span    int64 // nanoseconds
)

// truth is what a value counts as in a condition: nil counts as false.
func truth(v any) bool { b, _ := v.(bool); return b }

// number returns an int64 or float64 as a float64.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// finite turns what is no number into nil.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// same is the equality of the language: numbers are compared as numbers, nil is equal
// to nil alone.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	if x, ok := a.([]any); ok {
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	}
	return a == b
}

// compare orders two values of one kind; ok is false where one is nil.
func compare(a, b any) (order int, ok bool) {
	if a == nil || b == nil {
		return 0, false
	}
	switch x := a.(type) {
	case bool:
		return cmp.Compare(btoi(x), btoi(truth(b))), true
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case instant:
		y, ok := b.(instant)
		return cmp.Compare(x, y), ok
	case span:
		y, ok := b.(span)
		return cmp.Compare(x, y), ok
	}
	x, ok1 := number(a)
	y, ok2 := number(b)
	return cmp.Compare(x, y), ok1 && ok2
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// arithmetic is + - * / % and **; with nil it is nil.
func arithmetic(op string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	if x, ok := a.(string); ok && op == "+" {
		return x + b.(string)
	}
	if v, ok := timeArithmetic(op, a, b); ok {
		return v
	}
	x, isInt := a.(int64)
	y, isInt2 := b.(int64)
	if isInt && isInt2 && op != "/" && op != "**" && op != "^" {
		return intArithmetic(op, x, y)
	}
	f, _ := number(a)
	g, _ := number(b)
	switch op {
	case "+":
		return finite(f + g)
	case "-":
		return finite(f - g)
	case "*":
		return finite(f * g)
	case "/":
		return finite(f / g)
	case "**", "^":
		return finite(math.Pow(f, g))
	}
	panic("reference: no arithmetic " + op)
}

func intArithmetic(op string, x, y int64) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "%":
		if y == 0 {
			return nil
		}
		return x % y
	}
	panic("reference: no arithmetic " + op)
}

func timeArithmetic(op string, a, b any) (any, bool) {
	switch x := a.(type) {
	case instant:
		if y, ok := b.(instant); ok {
			return span(x - y), true
		}
		if op == "-" {
			return x - instant(b.(span)), true
		}
		return x + instant(b.(span)), true
	case span:
		switch y := b.(type) {
		case instant:
			return instant(x) + y, true
		case span:
			return spanArithmetic(op, x, y), true
		}
		f, _ := number(b)
		if op == "/" {
			return scale(float64(x) / f), true
		}
		return scale(float64(x) * f), true
	}
	if y, ok := b.(span); ok {
		f, _ := number(a)
		return scale(float64(y) * f), true
	}
	return nil, false
}

func spanArithmetic(op string, x, y span) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	}
	return finite(float64(x) / float64(y))
}

func scale(f float64) any {
	if finite(f) == nil {
		return nil
	}
	return span(math.Round(f))
}

// asText is how a value is written into a text: nil is empty.
func asText(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	case instant:
		return rfc3339(int64(v))
	}
	return ""
}

func rfc3339(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
