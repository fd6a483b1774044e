package windows

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// closed is what one window said when it closed.
type closed struct {
	start, end int64
	events     int
	results    []event.Value
}

// twinWindows computes all windows of a finished stream afresh, in order of their ends.
func twinWindows(spec Spec, aggs []Agg, events []twinEvent) []closed {
	held := map[[2]int64][]twinEvent{}
	var order [][2]int64
	put := func(start, end int64, e ...twinEvent) {
		k := [2]int64{start, end}
		if held[k] == nil {
			order = append(order, k)
		}
		held[k] = append(held[k], e...)
	}
	switch spec.Kind {
	case Tumbling:
		spec.Every = spec.Size
		fallthrough
	case Hopping:
		for _, e := range events {
			for k := int64(-1000); k < 1000; k++ {
				if start := k * spec.Every; start <= e.at && e.at < start+spec.Size {
					put(start, start+spec.Size, e)
				}
			}
		}
	case Session:
		for i := 0; i < len(events); {
			j := i + 1
			for j < len(events) && events[j].at-events[j-1].at < spec.Size && (spec.Max == 0 || events[j].at-events[i].at < spec.Max) {
				j++
			}
			end := events[j-1].at + spec.Size
			if spec.Max > 0 {
				end = min(end, events[i].at+spec.Max)
			}
			put(events[i].at, end, events[i:j]...)
			i = j
		}
	case Batch:
		var all []closed
		for ; len(events) >= spec.Count; events = events[spec.Count:] {
			all = append(all, twinClosed(aggs, events[0].at, events[spec.Count-1].at, events[:spec.Count]))
		}
		return all
	}
	slices.SortStableFunc(order, func(a, b [2]int64) int { return cmp.Compare(a[1], b[1]) })
	var all []closed
	for _, k := range order {
		all = append(all, twinClosed(aggs, k[0], k[1], held[k]))
	}
	return all
}

func twinClosed(aggs []Agg, start, end int64, events []twinEvent) closed {
	w := &twin{aggs: aggs, acc: true, live: events, length: end - start}
	c := closed{start: start, end: end, events: len(events)}
	for i := range aggs {
		c.results = append(c.results, w.result(i))
	}
	return c
}

func drawSpec(t *rapid.T) Spec {
	spec := Spec{Kind: rapid.SampledFrom([]Kind{Tumbling, Hopping, Session, Batch}).Draw(t, "kind")}
	switch spec.Kind {
	case Batch:
		spec.Count = rapid.IntRange(1, 6).Draw(t, "count")
		return spec
	case Hopping:
		spec.Every = rapid.Int64Range(1, 12).Draw(t, "every")
	case Session:
		spec.Max = rapid.SampledFrom([]int64{0, 1, 7, 20}).Draw(t, "max")
	}
	spec.Size = rapid.Int64Range(1, 20).Draw(t, "size")
	return spec
}

func TestWindowsEvaluatedAtTheirEndEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		aggs := drawAggs(t, func(a []Agg) error { _, err := NewProgram(spec, a); return err })
		p, err := NewProgram(spec, aggs)
		if err != nil {
			t.Fatal(err)
		}
		var b Buckets
		var got []closed
		end := func(w *Bucket) {
			c := closed{start: w.Start, end: w.End, events: p.Len(&w.State)}
			for i := range aggs {
				c.results = append(c.results, p.Result(&w.State, i))
			}
			got = append(got, c)
		}
		tame := rapid.Bool().Draw(t, "tame")
		var events []twinEvent
		now := rapid.Int64Range(-30, 30).Draw(t, "start")
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 0, 1, 2, 5, 19, 33}).Draw(t, "step")
			p.Close(&b, now, end)
			e := twinEvent{now, drawArgs(t, aggs, tame)}
			p.Put(&b, now, e.args)
			events = append(events, e)
			if spec.Kind == Batch {
				p.Close(&b, now, end)
			}
			if rapid.Bool().Draw(t, "recode") {
				recodeBuckets(t, p, &b)
			}
			if due, ok := p.Due(&b); ok && due <= now {
				t.Fatalf("due at %d, already %d", due, now)
			}
		}
		p.Close(&b, math.MaxInt64, end)
		compareClosed(t, aggs, got, twinWindows(spec, aggs, events))
	})
}

func compareClosed(t *rapid.T, aggs []Agg, got, want []closed) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.start != w.start || g.end != w.end || g.events != w.events {
			t.Fatalf("window %d: got %v, want %v", i, g, w)
		}
		for a := range aggs {
			if !near(aggs[a].Func, g.results[a], w.results[a]) {
				t.Fatalf("window %v, %s of %s: want %v", g, aggs[a].Func, aggs[a].Arg, w)
			}
		}
	}
}

func recodeBuckets(t *rapid.T, p *Program, b *Buckets) {
	t.Helper()
	enc := p.AppendBuckets(nil, b)
	var again Buckets
	if err := p.DecodeBuckets(enc, &again); err != nil {
		t.Fatalf("decode: %v", err)
	}
	if c := p.AppendBuckets(nil, &again); !bytes.Equal(enc, c) {
		t.Fatalf("bytes change:\n%x\n%x", enc, c)
	}
	*b = again
}

func TestClosedMemoryIsUsedAgain(t *testing.T) {
	p, err := NewProgram(Spec{Kind: Tumbling, Size: 10}, []Agg{{Func: Count}, {Func: Sum, Arg: event.Float}, {Func: Max, Arg: event.Float, Same: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var b Buckets
	args := []Arg{{}, {Take: true, N: math.Float64bits(2.5)}, {}}
	at := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		at += 3
		p.Close(&b, at, func(*Bucket) {})
		p.Put(&b, at, args)
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestAlertedSurvivesWritingAndIsForgottenByTheNextWindow(t *testing.T) {
	p, err := NewProgram(Spec{Kind: Tumbling, Size: 10}, []Agg{{Func: Count}})
	if err != nil {
		t.Fatal(err)
	}
	var b Buckets
	p.Put(&b, 1, []Arg{{}})
	b.Open()[0].Alerted = true
	var again Buckets
	if err := p.DecodeBuckets(p.AppendBuckets(nil, &b), &again); err != nil || !again.Open()[0].Alerted {
		t.Fatalf("alerted is lost: %v", err)
	}
	p.Close(&again, 10, func(*Bucket) {})
	p.Put(&again, 11, []Arg{{}})
	if again.Open()[0].Alerted {
		t.Error("a new window has alerted")
	}
}

func TestCalendarWindows(t *testing.T) {
	d := int64(day)
	for _, c := range []struct {
		name, zone, at, start, end string
		size                       int64
	}{
		{"a day of 23 hours in spring", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", d},
		{"a day of 25 hours in autumn", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", d},
		{"a week begins on Monday", "Europe/Berlin", "2026-01-01T00:00:00Z", "2025-12-28T23:00:00Z", "2026-01-04T23:00:00Z", 7 * d},
		{"also in UTC where the zone is named", "UTC", "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z", 7 * d},
		{"two days are counted from 1970-01-01", "UTC", "1970-01-04T05:00:00Z", "1970-01-03T00:00:00Z", "1970-01-05T00:00:00Z", 2 * d},
		{"the first instant belongs to the day", "Asia/Kolkata", "2026-05-04T18:30:00Z", "2026-05-04T18:30:00Z", "2026-05-05T18:30:00Z", d},
		{"a day without midnight begins at one", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", d},
		{"the hour before midnight that comes twice", "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", d},
		{"clocks that go back over midnight", "America/St_Johns", "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z", d},
	} {
		p, err := NewProgram(Spec{Kind: Tumbling, Size: c.size, Zone: c.zone}, []Agg{{Func: Count}})
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		var b Buckets
		p.Put(&b, at.UnixNano(), []Arg{{}})
		w := b.Open()[0]
		got := fmt.Sprint(time.Unix(0, w.Start).UTC().Format(time.RFC3339), " ", time.Unix(0, w.End).UTC().Format(time.RFC3339))
		if want := c.start + " " + c.end; got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
	}
}

// Every instant is in exactly one calendar window, and windows join without gaps.
func TestCalendarWindowsTile(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		days := rapid.SampledFrom([]int64{1, 2, 7, 14, 30}).Draw(t, "days")
		at := rapid.Int64Range(-8e18, 9e18).Draw(t, "at")
		start, end := calendar(at, days, zone)
		if start > at || end <= at {
			t.Fatalf("[%d, %d) does not hold %d", start, end, at)
		}
		for _, inside := range []int64{start, end - 1} {
			if s, e := calendar(inside, days, zone); s != start || e != end {
				t.Fatalf("%d is in [%d, %d), %d in [%d, %d)", at, start, end, inside, s, e)
			}
		}
		if s, _ := calendar(end, days, zone); s != end {
			t.Fatalf("[%d, %d) is followed by one from %d", start, end, s)
		}
	})
}

func TestWindowsAtTheEndsOfTime(t *testing.T) {
	for _, spec := range []Spec{
		{Kind: Tumbling, Size: 1 << 62},
		{Kind: Hopping, Size: 1 << 62, Every: 1 << 60},
		{Kind: Session, Size: 1 << 62, Max: 1 << 61},
		{Kind: Tumbling, Size: 7 * int64(day), Zone: "Europe/Berlin"},
		{Kind: Sliding, Size: math.MaxInt64},
	} {
		p, err := NewProgram(spec, []Agg{{Func: Count}})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, math.MaxInt64 - 1} {
			if spec.Kind == Sliding {
				var s State
				p.Add(&s, at, []Arg{{}})
				p.Expire(&s, at)
				if p.Len(&s) != 1 {
					t.Errorf("%+v at %d: %d events", spec, at, p.Len(&s))
				}
				continue
			}
			var b Buckets
			p.Put(&b, at, []Arg{{}})
			for _, w := range b.Open() {
				if w.Start > at || w.End <= at || p.Len(&w.State) != 1 {
					t.Errorf("%+v at %d: [%d, %d) with %d events", spec, at, w.Start, w.End, p.Len(&w.State))
				}
			}
		}
	}
}

func TestBadWindowsAreRefused(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		aggs []Agg
		want string
	}{
		{Spec{Kind: Sliding}, nil, "a window of 0 ns: must be positive"},
		{Spec{Kind: Last}, nil, "a window of 0 events: from 1 to 1073741824"},
		{Spec{Kind: Hopping, Size: 1}, nil, "a window that hops by 0 ns: must be positive"},
		{Spec{Kind: Hopping, Size: 1e9, Every: 1}, nil, "an event would be in 1000000000 hopping windows: at most 10000"},
		{Spec{Kind: Tumbling, Size: 1e9, Zone: "Europe/Berlin"}, nil, "a window with a time zone must be tumbling, of whole days or weeks"},
		{Spec{Kind: Tumbling, Size: int64(day), Zone: "Nowhere"}, nil, `load time zone "Nowhere": unknown time zone Nowhere`},
		{Spec{Kind: Last, Count: 1}, []Agg{{Func: Rate}}, "rate needs a window of time"},
		{Spec{Kind: Last, Count: 1}, []Agg{{Func: Sum, Arg: event.String}}, "sum takes a number or a duration, not string"},
		{Spec{Kind: Last, Count: 1}, []Agg{{Func: Percentile, Arg: event.Int, Param: 101}}, "percentile takes p from 0 to 100, not 101"},
		{Spec{Kind: Last, Count: 1}, []Agg{{Func: Top, Arg: event.Int, Param: 1.5}}, "top takes k from 1 to 10000, not 1.5"},
		{Spec{Kind: Last, Count: 1}, []Agg{{Func: Sum, Arg: event.Int}, {Func: Sum, Arg: event.Float, Same: 1}}, "aggregate 1 cannot share the argument of 0"},
	} {
		_, err := NewProgram(c.spec, c.aggs)
		if diff := gocmp.Diff(c.want, fmt.Sprint(err)); diff != "" {
			t.Errorf("%+v %+v: %s", c.spec, c.aggs, diff)
		}
	}
}

// TestSpareMemoryIsAsNew compares keys that are given the memory of others with keys that
// start anew.
func TestSpareMemoryIsAsNew(t *testing.T) {
	aggs := []Agg{{Func: Count}, {Func: Sum, Arg: event.Float}, {Func: Distinct, Arg: event.Int}}
	p, err := NewProgram(Spec{Kind: Tumbling, Size: 10}, aggs)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var sp Spare
		var keys, plain [3]Buckets
		for at := range rapid.Int64Range(1, 100).Draw(t, "events") {
			i := rapid.IntRange(0, 2).Draw(t, "key")
			x := rapid.Float64Range(-1e30, 1e30).Draw(t, "x")
			args := []Arg{{Take: true}, {Take: true, N: math.Float64bits(x)}, {Take: true, N: uint64(at)}}
			for n := range keys {
				p.Close(&plain[n], at, func(*Bucket) {})
				if p.Close(&keys[n], at, func(*Bucket) {}); len(keys[n].Open()) == 0 {
					p.Give(&sp, &keys[n])
				}
			}
			p.Take(&sp, &keys[i])
			p.Put(&keys[i], at, args)
			p.Put(&plain[i], at, args)
			got, want := p.AppendBuckets(nil, &keys[i]), p.AppendBuckets(nil, &plain[i])
			if !bytes.Equal(got, want) {
				t.Fatalf("key %d at %d: %x, want %x", i, at, got, want)
			}
		}
	})
}

// TestWindowsOfSpareMemoryAllocateNothing lets one key after the other have a window.
func TestWindowsOfSpareMemoryAllocateNothing(t *testing.T) {
	p, err := NewProgram(Spec{Kind: Tumbling, Size: 10}, []Agg{{Func: Sum, Arg: event.Float}})
	if err != nil {
		t.Fatal(err)
	}
	var sp Spare
	args, at := []Arg{{Take: true, N: math.Float64bits(1.5)}}, int64(0)
	n := testing.AllocsPerRun(100, func() {
		var b Buckets
		p.Take(&sp, &b)
		p.Put(&b, at, args)
		at += 10
		p.Close(&b, at, func(*Bucket) {})
		p.Give(&sp, &b)
	})
	if n != 0 {
		t.Errorf("%v allocations a window", n)
	}
}
