package eval

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// function is the meaning of a named function: of values that are not nil, whose
// kinds the checker or the function itself has looked at. A kind that does not fit
// is a fault.
type function func(f *Frame, args []event.Value) event.Value

// call compiles a function. A nil argument makes the result nil, but where the
// function says otherwise (see withNil).
func (u *unit) call(e *plan.Expr) valueFn {
	switch e.Name {
	case "hour", "weekday":
		return u.calendar(e)
	case "cidr", "in_cidr":
		if e.Args[1].Op == plan.OpConst && !e.Args[1].Const.IsNil() {
			return u.inBlocks(e)
		}
	}
	fn := functionOf(e.Name)
	if fn == nil {
		panic("eval: no function " + e.Name)
	}
	u.faults = true
	args, strict := u.values(e.Args), !withNil(e.Name)
	if len(args) <= len(argRoom{}) {
		return callSmall(fn, args, strict)
	}
	return func(f *Frame) event.Value {
		vs := make([]event.Value, len(args))
		return invoke(f, fn, args, vs, strict)
	}
}

// argRoom is where a call with few arguments keeps them.
type argRoom [4]event.Value

// callSmall calls with a copy of the arguments on the stack of a frame.
func callSmall(fn function, args []valueFn, strict bool) valueFn {
	return func(f *Frame) event.Value {
		at := f.calls
		if at == len(f.args) {
			vs := make([]event.Value, len(args))
			return invoke(f, fn, args, vs, strict)
		}
		f.calls++
		v := invoke(f, fn, args, f.args[at][:len(args)], strict)
		f.args[at], f.calls = argRoom{}, at
		return v
	}
}

func invoke(f *Frame, fn function, args []valueFn, vs []event.Value, strict bool) event.Value {
	isNil := false
	for i, arg := range args {
		vs[i] = arg(f)
		isNil = isNil || vs[i].IsNil()
	}
	if isNil && strict {
		return event.Value{}
	}
	return fn(f, vs)
}

// withNil reports whether the function sees nil arguments: parts of lists that are
// left out.
func withNil(name string) bool { return name == "slice" || name == "string" }

// functionOf returns the meaning of a function's name, nil where there is none.
func functionOf(name string) function {
	switch name {
	case "abs":
		return absolute
	case "ceil":
		return rounding(math.Ceil)
	case "floor":
		return rounding(math.Floor)
	case "round":
		return rounding(math.Round)
	case "hours":
		return inUnits(3600e9)
	case "minutes":
		return inUnits(60e9)
	case "seconds":
		return inUnits(1e9)
	case "geo_km":
		return geoKm
	case "cidr":
		return cidr
	case "min":
		return extreme(-1)
	case "max":
		return extreme(1)
	case "sum":
		return sum
	case "mean":
		return mean
	case "median":
		return median
	case "first":
		return func(f *Frame, a []event.Value) event.Value { return at(f, a[0], event.OfInt(0)) }
	case "last":
		return func(f *Frame, a []event.Value) event.Value { return at(f, a[0], event.OfInt(-1)) }
	case "slice":
		return slice
	case "range":
		return span
	case "int":
		return toInt
	case "float":
		return toFloat
	case "string":
		return toText
	case "duration":
		return func(f *Frame, a []event.Value) event.Value { return parsed(f, a[0], event.Duration) }
	case "time":
		return func(f *Frame, a []event.Value) event.Value { return parsed(f, a[0], event.Time) }
	}
	return textFunction(name)
}

// textFunction returns the meaning of a function whose arguments are all text, but
// for split's and replace's greatest number.
func textFunction(name string) function {
	fn := textFunctions(name)
	if fn == nil {
		return nil
	}
	return func(f *Frame, a []event.Value) event.Value {
		for i, v := range a {
			counted := v.Kind == event.Int && (name == "split" && i == 2 || name == "replace" && i == 3)
			if !textual(v.Kind) && !counted {
				f.fault(name + " of " + v.Kind.String())
				return event.Value{}
			}
		}
		return fn(f, a)
	}
}

func textFunctions(name string) function {
	switch name {
	case "lower":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfString(strings.ToLower(a[0].S)) }
	case "upper":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfString(strings.ToUpper(a[0].S)) }
	case "trim":
		return trim
	case "trimPrefix":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfString(strings.TrimPrefix(a[0].S, a[1].S)) }
	case "trimSuffix":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfString(strings.TrimSuffix(a[0].S, a[1].S)) }
	case "hasPrefix":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfBool(strings.HasPrefix(a[0].S, a[1].S)) }
	case "hasSuffix":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfBool(strings.HasSuffix(a[0].S, a[1].S)) }
	case "indexOf":
		return func(_ *Frame, a []event.Value) event.Value { return runeIndex(a[0].S, strings.Index(a[0].S, a[1].S)) }
	case "lastIndexOf":
		return func(_ *Frame, a []event.Value) event.Value {
			return runeIndex(a[0].S, strings.LastIndex(a[0].S, a[1].S))
		}
	case "split":
		return split
	case "replace":
		return replace
	case "entropy":
		return func(_ *Frame, a []event.Value) event.Value { return event.OfFloat(entropy(a[0].S)) }
	case "domain":
		return domain
	case "levenshtein":
		return levenshtein
	}
	return nil
}

// isFloatCall reports whether a function of one typed argument is compiled without
// values.
func isFloatCall(e *plan.Expr) bool {
	if len(e.Args) != 1 {
		return false
	}
	switch e.Name {
	case "abs", "ceil", "floor", "round":
		return e.Args[0].Type.Kind == event.Float
	case "hours", "minutes", "seconds":
		return e.Args[0].Type.Kind == event.Duration
	}
	return false
}

// floatCall compiles such a function; nil for others.
func (u *unit) floatCall(e *plan.Expr) floatFn {
	if !isFloatCall(e) {
		return nil
	}
	x, of := u.asFloat(e.Args[0]), floatFunction(e.Name)
	return func(f *Frame) (float64, bool) {
		v, ok := x(f)
		return of(v), ok
	}
}

func floatFunction(name string) func(float64) float64 {
	switch name {
	case "abs":
		return math.Abs
	case "ceil":
		return math.Ceil
	case "floor":
		return math.Floor
	case "round":
		return math.Round
	case "hours":
		return func(ns float64) float64 { return ns / 3600e9 }
	case "minutes":
		return func(ns float64) float64 { return ns / 60e9 }
	}
	return func(ns float64) float64 { return ns / 1e9 }
}

func absolute(f *Frame, a []event.Value) event.Value {
	v := a[0]
	switch v.Kind {
	case event.Float:
		return event.OfFloat(math.Abs(v.Float()))
	case event.Int, event.Duration:
		if v.Int() >= 0 {
			return v
		}
		return applyWhole(f, plan.OpSub, v.Kind, 0, v.Int())
	}
	return wrong(f, "abs", v)
}

// wrong faults for an argument of a kind that the function does not take.
func wrong(f *Frame, name string, v event.Value) event.Value {
	f.fault(name + " of " + v.Kind.String())
	return event.Value{}
}

func rounding(round func(float64) float64) function {
	return func(f *Frame, a []event.Value) event.Value {
		x, ok := a[0].Number()
		if !ok {
			return wrong(f, "rounding", a[0])
		}
		return event.OfFloat(round(x))
	}
}

func inUnits(ns float64) function {
	return func(f *Frame, a []event.Value) event.Value {
		if a[0].Kind != event.Duration {
			return wrong(f, "duration", a[0])
		}
		return event.OfFloat(float64(a[0].Int()) / ns)
	}
}

// earthKm is the mean radius of the Earth (IUGG R₁).
const earthKm = 6371.0088

// geoKm is the great-circle distance of two points in degrees by the haversine
// formula; a point off the globe has no distance.
func geoKm(f *Frame, a []event.Value) event.Value {
	var d [4]float64
	for i := range d {
		x, ok := a[i].Number()
		if !ok {
			return wrong(f, "geo_km", a[i])
		}
		if limit := 90.0 * float64(1+i%2); math.Abs(x) > limit {
			return event.Value{}
		}
		d[i] = x * math.Pi / 180
	}
	sinLat, sinLon := math.Sin((d[2]-d[0])/2), math.Sin((d[3]-d[1])/2)
	h := sinLat*sinLat + math.Cos(d[0])*math.Cos(d[2])*sinLon*sinLon
	return event.OfFloat(2 * earthKm * math.Asin(math.Sqrt(min(1, h))))
}

// cidr is membership of a computed block; text that is no block is a fault.
func cidr(f *Frame, a []event.Value) event.Value {
	p, err := netip.ParsePrefix(a[1].S)
	if err != nil {
		f.fault("cidr: not a block of addresses")
		return event.Value{}
	}
	return inPrefixes(a[0].S, []netip.Prefix{p.Masked()})
}

// inBlocks compiles membership of constant blocks (a text, or a list of them, where
// an address is a block of one). Text that is no address gives nil.
func (u *unit) inBlocks(e *plan.Expr) valueFn {
	x, c := u.value(e.Args[0]), e.Args[1].Const
	u.faults = u.faults || e.Args[0].Type.Kind == event.Any
	blocks := prefixes(c)
	return func(f *Frame) event.Value {
		v := x(f)
		switch {
		case v.IsNil():
			return v
		case !textual(v.Kind):
			return wrong(f, "cidr", v)
		}
		return inPrefixes(v.S, blocks)
	}
}

func prefixes(v event.Value) []netip.Prefix {
	texts := v.Elems()
	if v.Kind != event.List {
		texts = []event.Value{v}
	}
	var out []netip.Prefix
	for _, t := range texts {
		if p, err := netip.ParsePrefix(t.S); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(t.S); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return out
}

func inPrefixes(address string, blocks []netip.Prefix) event.Value {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return event.Value{}
	}
	a = a.Unmap().WithZone("")
	return event.OfBool(slices.ContainsFunc(blocks, func(p netip.Prefix) bool { return p.Contains(a) }))
}

// calendar compiles hour and weekday (1 is Monday, 7 Sunday), in UTC or in the zone
// that a constant names; the checker has made sure that the zone exists.
func (u *unit) calendar(e *plan.Expr) valueFn {
	x := u.value(e.Args[0])
	u.faults = u.faults || e.Args[0].Type.Kind == event.Any
	zone := time.UTC
	if len(e.Args) > 1 {
		if z, err := time.LoadLocation(e.Args[1].Const.S); err == nil {
			zone = z
		}
	}
	read := func(t time.Time) int { return t.Hour() }
	if e.Name == "weekday" {
		read = func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }
	}
	return func(f *Frame) event.Value {
		v := x(f)
		switch v.Kind {
		case event.Nil:
			return v
		case event.Time:
			return event.OfInt(int64(read(time.Unix(0, v.Int()).In(zone))))
		}
		return wrong(f, e.Name, v)
	}
}

// extreme is the least (sign −1) or greatest (1) of its arguments, or of a list,
// nils left out.
func extreme(sign int) function {
	return func(f *Frame, a []event.Value) event.Value {
		if len(a) == 1 && a[0].Kind == event.List {
			a = a[0].Elems()
		}
		var best event.Value
		for _, v := range a {
			if v.IsNil() {
				continue
			}
			if best.IsNil() {
				best = v
				continue
			}
			c, ok := order(v, best)
			if !ok {
				return wrong(f, "min or max", v)
			}
			if c*sign > 0 {
				best = v
			}
		}
		return best
	}
}

// sum adds the elements of a list, nils left out; of nothing it is 0.
func sum(f *Frame, a []event.Value) event.Value {
	if a[0].Kind != event.List {
		return wrong(f, "sum", a[0])
	}
	total, first := event.OfInt(0), true
	for _, v := range a[0].Elems() {
		switch {
		case v.IsNil():
		case first:
			total, first = v, false
		default:
			if total = apply(f, plan.OpAdd, total, v); total.IsNil() {
				return total
			}
		}
	}
	return total
}

// numbers are the numeric elements of a list, nils left out.
func numbers(f *Frame, name string, v event.Value) ([]float64, bool) {
	if v.Kind != event.List {
		wrong(f, name, v)
		return nil, false
	}
	var xs []float64
	for _, e := range v.Elems() {
		x, ok := e.Number()
		if !ok && !e.IsNil() {
			wrong(f, name, e)
			return nil, false
		}
		if ok {
			xs = append(xs, x)
		}
	}
	return xs, true
}

func mean(f *Frame, a []event.Value) event.Value {
	xs, ok := numbers(f, "mean", a[0])
	if !ok || len(xs) == 0 {
		return event.Value{}
	}
	var total float64
	for _, x := range xs {
		total += x
	}
	return event.OfFloat(total / float64(len(xs)))
}

func median(f *Frame, a []event.Value) event.Value {
	xs, ok := numbers(f, "median", a[0])
	if !ok || len(xs) == 0 {
		return event.Value{}
	}
	slices.Sort(xs)
	mid := len(xs) / 2
	if len(xs)%2 == 1 {
		return event.OfFloat(xs[mid])
	}
	return event.OfFloat(xs[mid-1]/2 + xs[mid]/2)
}

// slice is part of a list or text: from (nil: the start) to before to (nil: the
// end), negative ones counted from the end, beyond the ends cut off.
func slice(f *Frame, a []event.Value) event.Value {
	v, n := a[0], 0
	var runes []rune
	switch v.Kind {
	case event.Nil:
		return v
	case event.List:
		n = len(v.Elems())
	case event.String:
		runes = []rune(v.S)
		n = len(runes)
	default:
		return wrong(f, "slice", v)
	}
	from, to := bound(a[1], 0, n), bound(a[2], n, n)
	from = min(from, to)
	if v.Kind == event.String {
		return event.OfString(string(runes[from:to]))
	}
	return event.Value{Kind: event.List, C: &event.Compound{Elems: v.Elems()[from:to:to]}}
}

func bound(v event.Value, otherwise, n int) int {
	if v.Kind != event.Int {
		return otherwise
	}
	i := v.Int()
	if i < 0 {
		i += int64(n)
	}
	return int(min(max(i, 0), int64(n)))
}

// maxSpan bounds the length of a computed range of integers.
const maxSpan = 10_000

// span is the list of the integers from a[0] to a[1], both included.
func span(f *Frame, a []event.Value) event.Value {
	if a[0].Kind != event.Int || a[1].Kind != event.Int {
		return wrong(f, "range", a[0])
	}
	from, to := a[0].Int(), a[1].Int()
	if from > to {
		return event.Value{Kind: event.List, C: &event.Compound{}}
	}
	if uint64(to)-uint64(from) >= maxSpan {
		f.fault("a range of more than 10000 numbers")
		return event.Value{}
	}
	c := &event.Compound{}
	for n := from; ; n++ {
		c.Elems = append(c.Elems, event.OfInt(n))
		if n == to {
			return event.Value{Kind: event.List, C: c}
		}
	}
}

func toInt(f *Frame, a []event.Value) event.Value {
	v := a[0]
	switch v.Kind {
	case event.Int:
		return v
	case event.Float:
		if x := v.Float(); x >= -1<<63 && x < 1<<63 {
			return event.OfInt(int64(x))
		}
		f.fault(overflow)
		return event.Value{}
	case event.String:
		return parsedNumber(v.S, event.Int)
	}
	return wrong(f, "int", v)
}

func toFloat(f *Frame, a []event.Value) event.Value {
	if x, ok := a[0].Number(); ok {
		return event.OfFloat(x)
	}
	if a[0].Kind == event.String {
		return parsedNumber(a[0].S, event.Float)
	}
	return wrong(f, "float", a[0])
}

func parsed(f *Frame, v event.Value, k event.Kind) event.Value {
	switch v.Kind {
	case k:
		return v
	case event.String:
		return fitText(v.S, k)
	}
	return wrong(f, k.String(), v)
}

// runeIndex counts characters up to a byte index; −1 stays.
func runeIndex(s string, at int) event.Value {
	if at < 0 {
		return event.OfInt(-1)
	}
	return event.OfInt(int64(utf8.RuneCountInString(s[:at])))
}
