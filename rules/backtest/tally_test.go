package backtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/event"
)

func alert(id, rule, card string, hour float64) *event.Alert {
	return &event.Alert{ID: id, Rule: rule, Time: int64(hour * float64(Hour)), Key: []event.Named{{Name: "card", Value: event.OfString(card)}}}
}

func TestTally(t *testing.T) {
	x := New()
	for _, a := range []*event.Alert{alert("1", "a", "c1", 0.5), alert("2", "a", "c2", 2.5), alert("3", "b", "c1", 2.9), alert("4", "a", "c1", -0.5)} {
		x.Add(a)
	}
	hours, span := x.Hours(10)
	if diff := cmp.Diff([]HourCount{{-Hour, 1}, {0, 1}, {Hour, 0}, {2 * Hour, 2}}, hours); diff != "" || span != Hour {
		t.Error(span, diff)
	}
	if days, span := x.Hours(2); len(days) != 2 || span != 24*Hour || days[1].Alerts != 3 {
		t.Error(days, span)
	}
	if diff := cmp.Diff([]KeyCount{{Key{"a", "card=c1"}, 2}, {Key{"a", "card=c2"}, 1}}, x.Top(2)); diff != "" {
		t.Error(diff)
	}
	if x.Rule("a").Alerts != 3 || x.Rule("c").Alerts != 0 {
		t.Error(x.Rule("a"), x.Rule("c"))
	}
	if hours, _ := New().Hours(5); hours != nil {
		t.Error(hours)
	}
}

func TestCompare(t *testing.T) {
	before, after := New(), New()
	before.Keep, after.Keep = true, true
	for _, a := range []*event.Alert{alert("1", "a", "c1", 1), alert("2", "a", "c2", 2), alert("3", "b", "c1", 3)} {
		before.Add(a)
	}
	for _, a := range []*event.Alert{alert("1", "a", "c1", 1), alert("5", "a", "c3", 2), alert("4", "a", "c2", 4)} {
		after.Add(a)
	}
	want := &Change{
		Same:     1,
		Appeared: []Kept{{Key{"a", "card=c3"}, 2 * Hour, "5"}},
		Vanished: []Kept{{Key{"b", "card=c1"}, 3 * Hour, "3"}},
		Moved:    []Moved{{Key{"a", "card=c2"}, 2 * Hour, 4 * Hour}},
	}
	if diff := cmp.Diff(want, Compare(before, after)); diff != "" {
		t.Error(diff)
	}
}
