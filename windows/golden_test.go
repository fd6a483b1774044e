package windows

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/golden"
)

// goldenValues are what the fixed events give, by kind of the argument.
var goldenValues = map[event.Kind][]Arg{
	event.Nil:    {{Take: true}, {}, {Take: true}, {Take: true}},
	event.Int:    {{Take: true, N: 7}, {Take: true, N: 300}, {}, {Take: true, N: 7}},
	event.Float:  {{Take: true, N: math.Float64bits(12.5)}, {Take: true, N: math.Float64bits(1.0 / 3)}, {Take: true, N: math.Float64bits(-7)}, {}},
	event.String: {{Take: true, S: "ann"}, {Take: true, S: ""}, {Take: true, S: "bob"}, {Take: true, S: "ann"}},
	event.Time:   {{Take: true, N: 1_700_000_000e9}, {}, {Take: true, N: 1_700_000_000_250e6}, {Take: true, N: 5}},
}

var goldenKinds = []event.Kind{event.Nil, event.Int, event.Float, event.String, event.Time}

// goldenPrograms are a sliding window and an accumulator for each aggregate and argument.
func goldenPrograms(each func(kind, name string, p *Program, arg event.Kind)) {
	for _, f := range allFuncs {
		for _, arg := range goldenKinds {
			aggs := []Agg{{Func: f, Arg: arg}}
			if f == Percentile || f == Top || f == Collect {
				aggs[0].Param = 2
			}
			if p, err := NewProgram(Spec{Kind: Sliding, Size: 60e9}, aggs); err == nil {
				each(f.String(), fmt.Sprintf("sliding, of %s", arg), p, arg)
			}
			if p, err := NewAcc(aggs); err == nil {
				each(f.String(), fmt.Sprintf("accumulated, of %s", arg), p, arg)
			}
		}
	}
}

// goldenTime is the time of a fixed event.
func goldenTime(i int) int64 { return 1_700_000_000e9 + int64(i)*1_250e6 }

func feedGolden(p *Program, s *State, arg event.Kind) (about string) {
	for i, a := range goldenValues[arg] {
		p.Add(s, goldenTime(i), []Arg{a})
	}
	return fmt.Sprintf("4 events, 1.25 s apart from 2023-11-14T22:13:20Z; the result is %s", event.AppendJSON(nil, p.Result(s, 0)))
}

// TestGoldenRecords: states of every aggregate are written as they were, and what was
// written is read as the same.
func TestGoldenRecords(t *testing.T) {
	if len(allFuncs) != len(funcNames) {
		t.Fatalf("allFuncs has %d aggregates of %d", len(allFuncs), len(funcNames))
	}
	var records []golden.Record
	var programs []*Program
	goldenPrograms(func(kind, name string, p *Program, arg event.Kind) {
		var s State
		about := feedGolden(p, &s, arg)
		records = append(records, golden.Record{Kind: kind, Name: name, About: about, Bytes: p.Append(nil, &s)})
		programs = append(programs, p)
	})
	buckets, p := goldenBuckets(t)
	records = append(records, golden.Record{Kind: "buckets", Name: "hopping", About: "three windows of 60 s, one every 20 s, of the 4 events; sum of float", Bytes: p.AppendBuckets(nil, buckets)})
	kinds := append(append([]string(nil), funcNames[:]...), "buckets")
	records = golden.Check(t, filepath.Join("testdata", "records.golden"), state.Format, kinds, records)
	for i, p := range programs {
		var s State
		if err := p.Decode(records[i].Bytes, &s); err != nil || !bytes.Equal(p.Append(nil, &s), records[i].Bytes) {
			t.Errorf("%s %s: not read as written: %v", records[i].Kind, records[i].Name, err)
		}
	}
	var again Buckets
	last := records[len(records)-1].Bytes
	if err := p.DecodeBuckets(last, &again); err != nil || !bytes.Equal(p.AppendBuckets(nil, &again), last) {
		t.Errorf("buckets: not read as written: %v", err)
	}
}

func goldenBuckets(t testing.TB) (*Buckets, *Program) {
	p, err := NewProgram(Spec{Kind: Hopping, Size: 60e9, Every: 20e9}, []Agg{{Func: Sum, Arg: event.Float}})
	if err != nil {
		t.Fatal(err)
	}
	b := new(Buckets)
	for i, a := range goldenValues[event.Float] {
		p.Put(b, goldenTime(i), []Arg{a})
	}
	b.Open()[0].Alerted = true
	return b, p
}

// FuzzState: whatever the bytes, an aggregate's state is refused, or is written and read
// again as the same, and takes further events.
func FuzzState(f *testing.F) {
	var programs []*Program
	var args []event.Kind
	goldenPrograms(func(_, _ string, p *Program, arg event.Kind) {
		var s State
		feedGolden(p, &s, arg)
		f.Add(uint8(len(programs)), p.Append(nil, &s))
		programs, args = append(programs, p), append(args, arg)
	})
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		n := int(which) % len(programs)
		p := programs[n]
		var s, again State
		if err := p.Decode(b, &s); err != nil {
			if s.live != 0 || s.mem != nil || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("a state in spite of an error, or another one: %v", err)
			}
			return
		}
		once := p.Append(nil, &s)
		if err := p.Decode(once, &again); err != nil || !bytes.Equal(once, p.Append(nil, &again)) {
			t.Fatalf("%x is read, but what is written of it is not: %v", b, err)
		}
		p.Result(&s, 0)
		at, ok := p.Newest(&s)
		if !ok {
			at = math.MaxInt64
		}
		p.Add(&s, at, []Arg{goldenValues[args[n]][0]})
		p.Result(&s, 0)
	})
}

// FuzzBuckets is the same for open windows.
func FuzzBuckets(f *testing.F) {
	buckets, p := goldenBuckets(f)
	f.Add(p.AppendBuckets(nil, buckets))
	f.Fuzz(func(t *testing.T, b []byte) {
		var w, again Buckets
		if err := p.DecodeBuckets(b, &w); err != nil {
			return
		}
		once := p.AppendBuckets(nil, &w)
		if err := p.DecodeBuckets(once, &again); err != nil || !bytes.Equal(once, p.AppendBuckets(nil, &again)) {
			t.Fatalf("%x is read, but what is written of it is not: %v", b, err)
		}
		p.Close(&w, math.MaxInt64, func(*Bucket) {})
	})
}
