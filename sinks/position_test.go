package sinks

import (
	"context"
	"testing"
)

// keeps is a sink whose receiver knows better than the outbox.
type keeps struct {
	Sink
	row uint64
	ok  bool
}

func (k keeps) Position() (uint64, bool) { return k.row, k.ok }

type delivered5 struct{}

func (delivered5) Rows(context.Context, uint64, func(uint64, []byte) error) error { return nil }
func (delivered5) Delivered(string) (uint64, error)                               { return 5, nil }
func (delivered5) Appended() uint64                                               { return 0 }

func TestReceiversPositionCounts(t *testing.T) {
	for want, k := range map[uint64]keeps{9: {row: 9, ok: true}, 5: {row: 3, ok: true}} {
		d, err := NewDispatcher(delivered5{}, []Target{{Name: "s", Sink: k}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Acks()["s"]; got != want {
			t.Errorf("position %d of %+v, want %d", got, k, want)
		}
	}
	d, err := NewDispatcher(delivered5{}, []Target{{Name: "s", Sink: keeps{row: 9}}}, Options{})
	if got := d.Acks()["s"]; err != nil || got != 5 {
		t.Errorf("position %d, want 5 (%v)", got, err)
	}
}
