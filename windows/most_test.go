package windows

import (
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

// TestAddAtMostBoundsWhatIsRememberedOneByOne: what needs every single value stops
// growing at the bound, all else goes on, and an event that was not taken whole is told.
func TestAddAtMostBoundsWhatIsRememberedOneByOne(t *testing.T) {
	const most, events = 50, 5000
	aggs := []Agg{
		{Func: Distinct, Arg: event.String},
		{Func: Median, Arg: event.Int},
		{Func: Sum, Arg: event.Int, Same: 2},
		{Func: Max, Arg: event.Int, Same: 2},
		{Func: Collect, Arg: event.String, Param: 3, Same: 1},
	}
	p, err := NewAcc(aggs)
	if err != nil {
		t.Fatal(err)
	}
	var s State
	refused, size := 0, 0
	for i := range events {
		text := Arg{Take: true, S: fmt.Sprintf("value %06d", i)}
		if i%2 == 1 {
			text.S = "value 000000" // one that is there
		}
		if !p.AddAtMost(&s, int64(i), []Arg{text, {Take: true, N: uint64(i)}, {}, {}, {}}, most) {
			refused++
		}
		if i == 2*most {
			size = p.Bytes(&s)
		}
	}
	if want := events - most; refused != want {
		t.Errorf("%d events were not taken whole, want %d", refused, want)
	}
	if now := p.Bytes(&s); now > size {
		t.Errorf("%d bytes after %d events, %d after %d", now, events, size, 2*most)
	}
	var again State
	if err := p.Decode(p.Append(nil, &s), &again); err != nil {
		t.Fatal(err)
	}
	s = again
	for i, want := range []string{"50", "24.5", fmt.Sprint(events * (events - 1) / 2), fmt.Sprint(events - 1), `["value 000000","value 004998","value 000000"]`} {
		if got := string(event.AppendJSON(nil, p.Result(&s, i))); got != want {
			t.Errorf("%s is %s, want %s", aggs[i].Func, got, want)
		}
	}
}

func TestAddAtMostWithRoomIsAdd(t *testing.T) {
	p, err := NewAcc([]Agg{{Func: Distinct, Arg: event.Int}, {Func: Percentile, Arg: event.Int, Param: 90}})
	if err != nil {
		t.Fatal(err)
	}
	var with, plain State
	for i := range 100 {
		args := []Arg{{Take: true, N: uint64(i % 7)}, {Take: true, N: uint64(i)}}
		if !p.AddAtMost(&with, int64(i), args, 100) {
			t.Fatalf("event %d was not taken whole", i)
		}
		p.Add(&plain, int64(i), args)
	}
	if a, b := p.Append(nil, &with), p.Append(nil, &plain); string(a) != string(b) {
		t.Errorf("%x, want %x", a, b)
	}
}
