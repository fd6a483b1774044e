package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

func TestResultTypes(t *testing.T) {
	for _, c := range []struct {
		f    Func
		arg  event.Kind
		want string
	}{
		{Count, event.Nil, "int"},
		{Count, event.Bool, "int"},
		{Sum, event.Int, "int"},
		{Sum, event.Float, "float"},
		{Sum, event.Duration, "duration"},
		{Sum, event.Time, "sum takes a number or a duration, not time"},
		{Avg, event.Int, "float?"},
		{Avg, event.Duration, "duration?"},
		{Min, event.String, "string?"},
		{Max, event.Time, "time?"},
		{Max, event.Bool, "max takes numbers, durations, times or strings, not bool"},
		{First, event.IP, "ip?"},
		{LastOf, event.Bool, "bool?"},
		{LastOf, event.Nil, "last takes an argument, not nil"},
		{Distinct, event.String, "int"},
		{Values, event.String, "[string]?"},
		{Top, event.Int, "[int]?"},
		{Collect, event.Float, "[float]?"},
		{Stddev, event.Float, "float?"},
		{Stddev, event.Duration, "duration?"},
		{Variance, event.Int, "float?"},
		{Variance, event.Duration, "variance takes a number, not duration"},
		{Median, event.Int, "float?"},
		{Median, event.Time, "time?"},
		{Percentile, event.Duration, "duration?"},
		{Percentile, event.String, "percentile takes a number, a duration or a time, not string"},
		{ZScore, event.Duration, "float?"},
		{Slope, event.Int, "float?"},
		{Rate, event.Nil, "float"},
		{Rate, event.Int, "rate takes no argument, not int"},
	} {
		typ, err := ResultType(c.f, event.Type{Kind: c.arg, Optional: true})
		got := typ.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.f, c.arg, got, c.want)
		}
	}
}

// What Result gives is of the type that ResultType said.
func TestResultsHaveTheirTypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Kind: Sliding, Size: 10}
		aggs := drawAggs(t, func(a []Agg) error { _, err := NewProgram(spec, a); return err })
		p, err := NewProgram(spec, aggs)
		if err != nil {
			t.Fatal(err)
		}
		var s State
		for at := range rapid.Int64Range(0, 5).Draw(t, "events") {
			p.Add(&s, at, drawArgs(t, aggs, false))
		}
		for i, a := range aggs {
			typ, err := ResultType(a.Func, event.Type{Kind: a.Arg})
			if err != nil {
				t.Fatal(err)
			}
			v := p.Result(&s, i)
			if v.IsNil() && (typ.Optional || a.Func == Sum) {
				continue
			}
			if v.Kind != typ.Kind {
				t.Fatalf("%s of %s is %v, want %v", a.Func, a.Arg, v, typ)
			}
			for _, e := range v.Elems() {
				if e.Kind != typ.Elem.Kind {
					t.Fatalf("%s of %s holds %v, want %v", a.Func, a.Arg, e, typ.Elem)
				}
			}
		}
	})
}

func TestWindowBounds(t *testing.T) {
	p, s := filled(t, Spec{Kind: Sliding, Size: 10}, []Agg{{Func: Count}, {Func: Rate}}, 25, 1)
	if n := p.Len(s); n != 10 {
		t.Errorf("(15, 25] holds %d events", n)
	}
	if at, ok := p.Newest(s); at != 25 || !ok {
		t.Errorf("newest is %d, %v", at, ok)
	}
	at, ok := p.Expiry(s)
	if at != 35 || !ok {
		t.Errorf("expires at %d, %v", at, ok)
	}
	p.Expire(s, at-1)
	if n := p.Len(s); n != 1 {
		t.Errorf("%d events just before it expires", n)
	}
	p.Drop(s)
	p.Drop(s)
	if n := p.Len(s); n != 0 {
		t.Errorf("%d events after the last is dropped", n)
	}
	if _, ok := p.Expiry(s); ok {
		t.Error("an empty window expires")
	}
	if v := p.Result(s, 1); v.Float() != 0 {
		t.Errorf("rate of nothing is %v", v)
	}
}

func TestSumsThatDoNotFit(t *testing.T) {
	p, err := NewProgram(Spec{Kind: Last, Count: 2}, []Agg{{Func: Sum, Arg: event.Int}, {Func: Sum, Arg: event.Float}, {Func: Avg, Arg: event.Float, Same: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var s State
	put := func(n int64, f float64) {
		p.Add(&s, 0, []Arg{{Take: true, N: uint64(n)}, {Take: true, N: math.Float64bits(f)}, {}})
	}
	put(math.MaxInt64, math.MaxFloat64)
	put(1, math.MaxFloat64)
	if a, b := p.Result(&s, 0), p.Result(&s, 1); !a.IsNil() || !b.IsNil() {
		t.Errorf("sums beyond their type are %v and %v, want nil", a, b)
	}
	if v := p.Result(&s, 2); v.Float() != math.MaxFloat64 {
		t.Errorf("the average, which fits, is %v", v.Float())
	}
	put(-1, 1)
	if v := p.Result(&s, 0); v.Int() != 0 {
		t.Errorf("sum is %v after the overflow, want 0", v)
	}
}

// Bytes cut short, changed or added to never read as another state of the same kind
// without an error or a state that can be used; most are errors.
func TestCorruptBytesAreRefused(t *testing.T) {
	aggs := []Agg{{Func: Sum, Arg: event.Float}, {Func: Values, Arg: event.String}, {Func: Median, Arg: event.Int}, {Func: Collect, Arg: event.Int, Param: 3, Same: 3}}
	for _, spec := range []Spec{{Kind: Sliding, Size: 100}, {Kind: Batch, Count: 50}} {
		p, s := filled(t, spec, aggs, 20, 5)
		b := p.Append(nil, s)
		for n := range len(b) {
			var again State
			if err := p.Decode(b[:n], &again); err == nil {
				t.Errorf("%+v: the first %d of %d bytes are read", spec, n, len(b))
			}
		}
		var again State
		err := p.Decode(append(b, 0), &again)
		if want := "windows: corrupt state: 1 bytes too many"; fmt.Sprint(err) != want {
			t.Errorf("%+v: got %v, want %s", spec, err, want)
		}
	}
}

// Lists and records go in as JSON text and come out as values of their type.
func TestCompoundArguments(t *testing.T) {
	times := event.Type{Kind: event.List, Elem: &event.Type{Kind: event.Time}}
	aggs := []Agg{{Func: LastOf, Arg: event.List, As: &times}, {Func: Distinct, Arg: event.Any}, {Func: Collect, Arg: event.Any, Param: 2, Same: 2}}
	evicting, err := NewProgram(Spec{Kind: Last, Count: 9}, aggs)
	if err != nil {
		t.Fatal(err)
	}
	inserting, err := NewAcc(aggs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Program{evicting, inserting} {
		var s State
		for _, text := range []string{`1`, `"1"`, `1`, `{"a":[true]}`} {
			p.Add(&s, 0, []Arg{{Take: true, S: `["1970-01-01T00:00:00Z"]`}, {Take: true, S: text}, {}})
		}
		want := []event.Value{
			listOf([]event.Value{event.OfKind(event.Time, 0)}),
			event.OfInt(3),
			listOf([]event.Value{event.OfInt(1), event.ParseJSON([]byte(`{"a":[true]}`))}),
		}
		for i := range aggs {
			if diff := gocmp.Diff(want[i], p.Result(&s, i)); diff != "" {
				t.Errorf("%s: %s", aggs[i].Func, diff)
			}
		}
	}
}

func TestKeysOutOfOrderAreRefused(t *testing.T) {
	p, err := NewAcc([]Agg{{Func: Median, Arg: event.Int}})
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{2, 2, 2}
	b = binary.AppendUvarint(b, math.MaxUint64)
	b = binary.AppendUvarint(b, 1)
	if err := p.Decode(b, new(State)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}
