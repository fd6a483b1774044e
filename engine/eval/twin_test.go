package eval

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// twin evaluates an expression by walking its tree, in the plainest way: every
// operand is a value, every rule of nil stands where it applies.
type twin struct {
	f     *Frame
	r     *rig
	elems [plan.MaxEach]elem
	fails bool
}

func (w *twin) fail() event.Value {
	w.fails = true
	return event.Value{}
}

func (w *twin) true(e *plan.Expr) bool {
	v := w.eval(e)
	if v.Kind > event.Bool {
		w.fails = true
	}
	return v.Kind == event.Bool && v.Bool()
}

func (w *twin) field(ev *event.Event, e *plan.Expr) event.Value {
	l := &w.r.typ.Layout
	if ev == nil || ev.Slots[e.Index/64]>>(e.Index%64)&1 == 0 {
		return event.Value{}
	}
	n := ev.Slots[l.Words()+e.Index]
	text := func() []byte { return ev.Text[n>>32 : n>>32+n&(1<<32-1)] }
	switch e.Type.Kind {
	case event.String, event.IP:
		return event.Value{Kind: e.Type.Kind, S: string(text())}
	case event.List, event.Any, event.Record:
		return event.ParseAs(text(), &e.Type)
	}
	return event.Value{Kind: e.Type.Kind, N: n}
}

func (w *twin) step(e *plan.Expr) *event.Event {
	b := w.f.Steps[e.Step]
	switch {
	case b.N == 0:
		return nil
	case e.Pick == plan.PickFirst:
		return b.List.At(0)
	case e.Pick == plan.PickAt:
		i := w.eval(e.Args[0])
		n := i.Int()
		if n < 0 {
			n += int64(b.N)
		}
		if i.IsNil() || n < 0 || n >= int64(b.N) {
			return nil
		}
		return b.List.At(int(n))
	}
	return b.List.At(b.N - 1)
}

func (w *twin) eval(e *plan.Expr) event.Value {
	switch e.Op {
	case plan.OpConst:
		return e.Const
	case plan.OpField:
		return w.field(w.f.Event, e)
	case plan.OpStepField:
		return w.field(w.step(e), e)
	case plan.OpTaken:
		return event.OfBool(w.f.Steps[e.Step].N > 0)
	case plan.OpNot:
		return event.OfBool(!w.true(e.Args[0]))
	case plan.OpAnd:
		return event.OfBool(w.true(e.Args[0]) && w.true(e.Args[1]))
	case plan.OpOr:
		return event.OfBool(w.true(e.Args[0]) || w.true(e.Args[1]))
	case plan.OpCond:
		if w.true(e.Args[0]) {
			return w.eval(e.Args[1])
		}
		return w.eval(e.Args[2])
	case plan.OpCoalesce:
		if v := w.eval(e.Args[0]); !v.IsNil() {
			return v
		}
		return w.eval(e.Args[1])
	case plan.OpElem:
		return w.elems[e.Index].value
	case plan.OpElemNo:
		return event.OfInt(int64(w.elems[e.Index].no))
	case plan.OpEach:
		return w.each(e)
	}
	args := make([]event.Value, len(e.Args))
	for i, a := range e.Args {
		args[i] = w.eval(a)
	}
	return w.apply(e, args)
}

func (w *twin) each(e *plan.Expr) event.Value {
	list := w.eval(e.Args[0])
	switch {
	case list.IsNil():
		return list
	case list.Kind != event.List:
		return w.fail()
	}
	n := 0
	var mapped []event.Value
	for i, x := range list.Elems() {
		w.elems[e.Index] = elem{value: x, no: i}
		if e.Name == "map" {
			mapped = append(mapped, w.eval(e.Args[1]))
			continue
		}
		if !w.true(e.Args[1]) {
			if e.Name == "all" {
				return event.OfBool(false)
			}
			continue
		}
		n++
		if e.Name == "any" {
			return event.OfBool(true)
		}
	}
	switch e.Name {
	case "any":
		return event.OfBool(false)
	case "all":
		return event.OfBool(true)
	case "count":
		return event.OfInt(int64(n))
	}
	return event.Value{Kind: event.List, C: &event.Compound{Elems: mapped}}
}

func (w *twin) apply(e *plan.Expr, args []event.Value) event.Value {
	switch e.Op {
	case plan.OpEq:
		return event.OfBool(w.equal(args[0], args[1]))
	case plan.OpNe:
		return event.OfBool(!w.equal(args[0], args[1]))
	case plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe:
		return w.order(e.Op, args[0], args[1])
	case plan.OpIn:
		return w.in(args[0], args[1])
	case plan.OpConcat:
		out := ""
		for _, a := range args {
			if a.Kind == event.String {
				out += a.S
			} else if !a.IsNil() {
				out += strings.Trim(string(event.AppendJSON(nil, a)), `"`)
			}
		}
		return event.OfString(out)
	case plan.OpRecord, plan.OpList:
		return event.Value{Kind: e.Type.Kind, C: &event.Compound{Elems: args, Names: e.Names}}
	}
	for _, a := range args {
		if a.IsNil() {
			if e.Type.Kind == event.Bool {
				return event.OfBool(false)
			}
			return a
		}
	}
	return w.strict(e, args)
}

// strict applies what is nil, or false, of nil.
func (w *twin) strict(e *plan.Expr, args []event.Value) event.Value {
	switch e.Op {
	case plan.OpContains, plan.OpStartsWith, plan.OpEndsWith, plan.OpMatch:
		if args[0].S == "" && args[0].Kind != event.String || args[1].Kind != event.String {
			return w.fail()
		}
		return w.text(e.Op, args[0].S, args[1].S)
	case plan.OpConvert:
		if args[0].Kind == event.Int {
			return event.OfFloat(float64(args[0].Int()))
		}
		return args[0]
	case plan.OpLen:
		if args[0].Kind == event.String {
			return event.OfInt(int64(len([]rune(args[0].S))))
		}
		return event.OfInt(int64(len(args[0].Elems())))
	case plan.OpIndex:
		xs, i := args[0].Elems(), args[1].Int()
		if i < 0 {
			i += int64(len(xs))
		}
		if i < 0 || i >= int64(len(xs)) {
			return event.Value{}
		}
		return xs[i]
	case plan.OpNeg:
		zero := event.Value{Kind: args[0].Kind}
		if args[0].Kind == event.Float {
			return event.OfFloat(-args[0].Float())
		}
		return w.arith(plan.OpSub, zero, args[0])
	}
	return w.arith(e.Op, args[0], args[1])
}

func (w *twin) text(op plan.Op, s, t string) event.Value {
	switch op {
	case plan.OpContains:
		return event.OfBool(strings.Contains(s, t))
	case plan.OpStartsWith:
		return event.OfBool(strings.HasPrefix(s, t))
	case plan.OpEndsWith:
		return event.OfBool(strings.HasSuffix(s, t))
	}
	re, err := regexp.Compile(t)
	if err != nil {
		return w.fail()
	}
	return event.OfBool(re.MatchString(s))
}

func real(v event.Value) float64 {
	if v.Kind == event.Float {
		return v.Float()
	}
	return float64(v.Int())
}

func numeric(v event.Value) bool { return v.Kind == event.Int || v.Kind == event.Float }

func (w *twin) equal(a, b event.Value) bool {
	if numeric(a) && numeric(b) && a.Kind != b.Kind {
		return real(a) == real(b)
	}
	return a.Kind == b.Kind && (same(a, b) || a.Kind == event.Float && a.Float() == b.Float())
}

func (w *twin) in(x, list event.Value) event.Value {
	for _, y := range list.Elems() {
		if w.equal(x, y) {
			return event.OfBool(true)
		}
	}
	return event.OfBool(false)
}

func (w *twin) order(op plan.Op, a, b event.Value) event.Value {
	if a.IsNil() || b.IsNil() {
		return event.OfBool(false)
	}
	var less, eq bool
	switch {
	case a.Kind == event.String && b.Kind == event.String:
		less, eq = a.S < b.S, a.S == b.S
	case a.Kind == b.Kind && a.Kind != event.Float && a.Kind != event.String:
		less, eq = a.Int() < b.Int(), a.Int() == b.Int()
	case numeric(a) && numeric(b):
		less, eq = real(a) < real(b), real(a) == real(b)
	default:
		return w.fail()
	}
	return event.OfBool(map[plan.Op]bool{plan.OpLt: less, plan.OpLe: less || eq, plan.OpGt: !less && !eq, plan.OpGe: !less}[op])
}

// arith computes whole numbers with integers of any size, and looks whether they fit.
func (w *twin) arith(op plan.Op, a, b event.Value) event.Value {
	if a.Kind == event.String && b.Kind == event.String {
		return event.OfString(a.S + b.S)
	}
	scaledBy := numeric(b) && a.Kind == event.Duration || numeric(a) && b.Kind == event.Duration
	switch {
	case op == plan.OpDiv && scaledBy:
		if real(b) == 0 {
			return event.Value{}
		}
		return w.rounded(real(a) / real(b))
	case op == plan.OpMul && scaledBy && (a.Kind == event.Float || b.Kind == event.Float):
		return w.rounded(real(a) * real(b))
	case op == plan.OpDiv:
		return event.OfFloat(real(a) / real(b))
	case op == plan.OpPow:
		return event.OfFloat(math.Pow(real(a), real(b)))
	case a.Kind == event.Float || b.Kind == event.Float:
		return event.OfFloat(map[plan.Op]float64{plan.OpAdd: real(a) + real(b), plan.OpSub: real(a) - real(b), plan.OpMul: real(a) * real(b)}[op])
	}
	return w.whole(op, a, b)
}

func (w *twin) rounded(ns float64) event.Value {
	if math.IsInf(ns, 0) {
		return w.fail()
	}
	n, _ := big.NewFloat(math.RoundToEven(ns)).Int(nil)
	if !n.IsInt64() {
		return w.fail()
	}
	return event.OfKind(event.Duration, n.Int64())
}

func (w *twin) whole(op plan.Op, a, b event.Value) event.Value {
	x, y, n := big.NewInt(a.Int()), big.NewInt(b.Int()), new(big.Int)
	k := a.Kind
	switch op {
	case plan.OpAdd:
		n.Add(x, y)
		if b.Kind == event.Time {
			k = event.Time
		}
	case plan.OpSub:
		n.Sub(x, y)
		if a.Kind == event.Time && b.Kind == event.Time {
			k = event.Duration
		}
	case plan.OpMul:
		n.Mul(x, y)
		if b.Kind == event.Duration {
			k = event.Duration
		}
	case plan.OpMod:
		if b.Int() == 0 {
			return event.Value{}
		}
		n.Rem(x, y)
	default:
		panic(fmt.Sprint("twin: no operation ", op))
	}
	if !n.IsInt64() {
		return w.fail()
	}
	return event.OfKind(k, n.Int64())
}

// drawer draws the text of an expression of a kind. Plain ones are those that expr's
// VM means the same by: no nil, no times, no division by what may be zero.
type drawer struct {
	t     *rapid.T
	plain bool
	depth int
	inAny bool
}

func (s *drawer) pick(options ...string) string {
	return rapid.SampledFrom(options).Draw(s.t, "option")
}

func (s *drawer) of(k event.Kind) string {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > 4 || rapid.IntRange(0, 3).Draw(s.t, "leaf") == 0 {
		return s.leaf(k)
	}
	return "(" + s.node(k) + ")"
}

func (s *drawer) leaf(k event.Kind) string {
	name := map[event.Kind]string{event.Bool: "b", event.Int: "i", event.Float: "x", event.String: "s", event.Time: "t", event.Duration: "d"}[k]
	options := []string{name + "1", name + "2", map[event.Kind]string{
		event.Bool: "true", event.Int: "3", event.Float: "1.5", event.String: `"ab"`, event.Time: "t1", event.Duration: "90s",
	}[k]}
	if s.plain {
		return s.pick(options...)
	}
	options = append(options, "one."+name+"1", "first(many)."+name+"1", "last(many)."+name+"2", "many[i1]."+name+"1", "prev."+name+"1")
	switch k {
	case event.Int:
		options = append(options, "9223372036854775807", "0", "is[i1]", "len(s1)", "count(is, # > i1)")
	case event.Float:
		options = append(options, "1e308", "0.0", "xs[0]")
	case event.String:
		options = append(options, `""`, "ss[-1]")
	}
	return s.pick(options...)
}

func (s *drawer) node(k event.Kind) string {
	if rapid.IntRange(0, 5).Draw(s.t, "choice") == 0 {
		cond, x, y := s.of(event.Bool), s.of(k), s.of(k)
		if s.plain || rapid.Bool().Draw(s.t, "ternary") {
			return cond + " ? " + x + " : " + y
		}
		return x + " ?? " + y
	}
	switch k {
	case event.Bool:
		return s.boolean()
	case event.Int:
		if s.plain {
			return s.of(event.Int) + s.pick(" + ", " - ") + s.of(event.Int)
		}
		if rapid.IntRange(0, 4).Draw(s.t, "neg") == 0 {
			return "-" + s.of(event.Int)
		}
		return s.of(event.Int) + s.pick(" + ", " - ", " * ", " % ") + s.of(event.Int)
	case event.Float:
		k2 := rapid.SampledFrom([]event.Kind{event.Int, event.Float}).Draw(s.t, "kind")
		if s.plain {
			return s.of(event.Float) + s.pick(" + ", " - ", " * ") + s.of(k2)
		}
		if rapid.IntRange(0, 4).Draw(s.t, "durations") == 0 {
			return s.of(event.Duration) + " / " + s.of(event.Duration)
		}
		return s.of(event.Float) + s.pick(" + ", " - ", " * ", " / ", " ** ") + s.of(k2)
	case event.String:
		if s.plain || rapid.Bool().Draw(s.t, "plus") {
			return s.of(event.String) + " + " + s.of(event.String)
		}
		return `"<${` + s.of(rapid.SampledFrom([]event.Kind{event.Int, event.String, event.Bool, event.Float}).Draw(s.t, "kind")) + `}>"`
	case event.Time:
		return s.of(event.Time) + s.pick(" + ", " - ") + s.of(event.Duration)
	}
	switch rapid.IntRange(0, 3).Draw(s.t, "duration") {
	case 0:
		return s.of(event.Time) + " - " + s.of(event.Time)
	case 1:
		return s.of(event.Duration) + s.pick(" * ", " / ") + s.of(rapid.SampledFrom([]event.Kind{event.Int, event.Float}).Draw(s.t, "kind"))
	case 2:
		return "-" + s.of(event.Duration)
	}
	return s.of(event.Duration) + s.pick(" + ", " - ") + s.of(event.Duration)
}

func (s *drawer) boolean() string {
	kinds := []event.Kind{event.Int, event.Float, event.String}
	if !s.plain {
		kinds = append(kinds, event.Time, event.Duration)
	}
	k := rapid.SampledFrom(kinds).Draw(s.t, "kind")
	switch rapid.IntRange(0, 8).Draw(s.t, "boolean") {
	case 0:
		return s.of(event.Bool) + s.pick(" and ", " or ") + s.of(event.Bool)
	case 1:
		return "not " + s.of(event.Bool)
	case 2:
		return s.of(event.String) + s.pick(" contains ", " startsWith ", " endsWith ", " matches ") + s.pick(`"a"`, `"b"`, "s2")
	case 3:
		return s.of(event.Int) + s.pick(" in [1, 3]", " not in [2]", " in [1,2,3,4,5,6,7,8,9,10]")
	case 4:
		return s.of(event.String) + s.pick(` in ["ab", "b"]`, ` in [s1, "a"]`)
	case 5:
		return s.of(event.Bool) + s.pick(" == ", " != ") + s.of(event.Bool)
	case 6:
		if s.inAny || s.plain {
			break
		}
		s.inAny = true
		defer func() { s.inAny = false }()
		return s.pick("any", "all") + "(is, # " + s.pick("<", "==", ">=") + " " + s.of(event.Int) + ")"
	case 7:
		if !s.plain {
			return s.of(k) + s.pick(" == nil", " != nil")
		}
	}
	return s.of(k) + s.pick(" == ", " != ", " < ", " <= ", " > ", " >= ") + s.of(k)
}

// fields draws values for the fields; full ones have no nil and small numbers.
func fields(t *rapid.T, full bool) map[string]event.Value {
	small := rapid.Int64Range(-4, 4)
	large := rapid.OneOf(small, rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1 << 40, -1 << 62}))
	if full {
		large = small
	}
	out := map[string]event.Value{}
	for _, n := range []string{"1", "2"} {
		out["b"+n] = event.OfBool(rapid.Bool().Draw(t, "b"))
		out["i"+n] = event.OfInt(large.Draw(t, "i"))
		out["x"+n] = event.OfFloat(rapid.SampledFrom([]float64{0, 1, -1, 1.5, 2.25, -3, 1e3}).Draw(t, "x"))
		out["s"+n] = event.OfString(rapid.SampledFrom([]string{"", "a", "ab", "bb", "äa"}).Draw(t, "s"))
		out["t"+n] = event.OfKind(event.Time, large.Draw(t, "t"))
		out["d"+n] = event.OfKind(event.Duration, large.Draw(t, "d"))
	}
	out["is"] = event.OfString(rapid.SampledFrom([]string{"[]", "[1]", "[3,null,-2]"}).Draw(t, "is"))
	out["xs"] = event.OfString(rapid.SampledFrom([]string{"[]", "[1.5]", "[null]"}).Draw(t, "xs"))
	out["ss"] = event.OfString(rapid.SampledFrom([]string{"[]", `["a"]`}).Draw(t, "ss"))
	if full {
		return out
	}
	for _, name := range []string{"b1", "i1", "x1", "s1", "t1", "d1", "b2", "i2", "x2", "s2", "t2", "d2", "is", "xs", "ss"} {
		if rapid.IntRange(0, 3).Draw(t, "nil") == 0 {
			delete(out, name)
		}
	}
	return out
}

var drawnKinds = []event.Kind{event.Bool, event.Bool, event.Int, event.Float, event.String, event.Time, event.Duration}

func TestClosuresAgreeWithTheTreeWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &drawer{t: t}
		text := s.of(rapid.SampledFrom(drawnKinds).Draw(t, "kind"))
		r := newRig()
		e, errs := r.compile(text)
		if errs != nil {
			t.Fatalf("%s: %v", text, errs)
		}
		f := r.frame(r.event(fields(t, false)))
		f.Steps[0] = taken(r.event(fields(t, false)))
		f.Steps[1] = taken(r.event(fields(t, false)), r.event(fields(t, false)), r.event(fields(t, false)))
		compare(t, r, f, e, text)
	})
}

func compare(t *rapid.T, r *rig, f *Frame, e *plan.Expr, text string) {
	w := &twin{f: f, r: r}
	want := w.eval(e)
	if w.fails {
		want = event.Value{}
	}
	got := r.compiler().Value(e)(f)
	if !same(got, want) || f.Fault.Count > 0 != w.fails {
		t.Fatalf("%s\n%s: got %s (%d faults, %s), want %s (fails: %v)", text, e, show(got), f.Fault.Count, f.Fault.Last, show(want), w.fails)
	}
	switch e.Type.Kind {
	case event.Int, event.Float, event.Time, event.Duration:
		compareBits(t, r, f, e, want, text)
		return
	case event.Bool:
	default:
		return
	}
	if is := r.compiler().Bool(e)(f); is != (want.Kind == event.Bool && want.Bool()) {
		t.Fatalf("%s\n%s: as a condition %v, want %s", text, e, is, show(want))
	}
}

// compareBits compares the number without a Value, where there is one, with the value.
func compareBits(t *rapid.T, r *rig, f *Frame, e *plan.Expr, want event.Value, text string) {
	bits := r.compiler().Bits(e)
	if bits == nil {
		return
	}
	got := event.Value{}
	if n, ok := bits(f); ok {
		got = event.Value{Kind: e.Type.Kind, N: n}
	}
	if !same(got, want) {
		t.Fatalf("%s\n%s: as bits %s, want %s", text, e, show(got), show(want))
	}
}

// Where expr's VM is defined, the language means what it does.
func TestClosuresAgreeWithTheVM(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &drawer{t: t, plain: true}
		text := s.of(rapid.SampledFrom([]event.Kind{event.Bool, event.Int, event.Float, event.String}).Draw(t, "kind"))
		values := fields(t, true)
		env := map[string]any{}
		for name, v := range values {
			env[name] = map[event.Kind]any{event.Bool: v.Bool(), event.Int: int(v.Int()), event.Float: v.Float(), event.String: v.S}[v.Kind]
		}
		program, err := expr.Compile(text, expr.Env(env))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want, err := expr.Run(program, env)
		if err != nil {
			t.Skip("the VM fails: " + err.Error())
		}
		r := newRig()
		e, errs := r.compile(text)
		if errs != nil {
			t.Fatalf("%s: %v", text, errs)
		}
		f := r.frame(r.event(values))
		got := r.compiler().Value(e)(f)
		if show(got) != show(ofGo(want)) {
			t.Fatalf("%s\n%s: got %s, the VM says %v", text, e, show(got), want)
		}
	})
}

func ofGo(x any) event.Value {
	switch x := x.(type) {
	case bool:
		return event.OfBool(x)
	case int:
		return event.OfInt(int64(x))
	case float64:
		return event.OfFloat(x)
	}
	return event.OfString(x.(string))
}

func BenchmarkVM(b *testing.B) {
	env := map[string]any{"x1": 2.5, "i1": 7, "s1": "Hello"}
	for _, text := range []string{`x1 > 5`, `i1 == 7`, `s1 == "Hello"`, `x1 > 1 and s1 == "Hello" and i1 < 9`, `s1 in ["a", "b", "Hello"]`, `s1 startsWith "He"`} {
		b.Run("expr="+strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			program, err := expr.Compile(text, expr.Env(env), expr.AsBool())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := expr.Run(program, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzEval runs any expression that compiles over an event full of values and one
// full of nil: it ends, without a panic, and the same way twice.
func FuzzEval(f *testing.F) {
	for _, text := range hotShapes {
		f.Add(text)
	}
	f.Add(`reduce(1..9, #acc + "${#}", "")`)
	f.Add(`map(is, split(s1, "")[#])`)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 300 {
			return
		}
		r := newRig()
		e, errs := r.compile(text)
		if errs.HasErrors() {
			return
		}
		fn, is := r.compiler().Value(e), r.compiler().Bool(e)
		for _, values := range []map[string]event.Value{sample(), nil} {
			f := r.frame(r.event(values))
			f.Steps[0], f.Steps[1] = taken(f.Event), taken(f.Event, f.Event)
			if x, y := fn(f), fn(f); !same(x, y) {
				t.Fatalf("%s: %s, then %s", text, show(x), show(y))
			}
			is(f)
		}
	})
}
