package engine

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// TestStoreHasTheEventsThatWait takes events in and out of a partition, writes what
// changed now and then, and compares what is stored with what waits.
func TestStoreHasTheEventsThatWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &partition{unsaved: unsaved{noted: true}}
		m := merger{parts: []*partition{p}, flush: true}
		stored := map[uint64]int64{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				ev := &event.Event{At: rapid.Int64Range(0, 20).Draw(t, "at")}
				p.arrived++
				p.unsaved.comes(ev)
				p.waiting.push(waits{ev: ev, order: p.arrived})
			case 2, 3:
				m.take()
			default:
				write(t, p, stored)
			}
		}
		write(t, p, stored)
		p.unsaved.comes(&event.Event{})
		if p.unsaved.came[0] == nil || len(p.unsaved.came) != 1 || p.unsaved.upTo != p.arrived {
			t.Fatalf("after a save: %+v, %d arrived", p.unsaved, p.arrived)
		}
	})
}

// write does to stored what savePartition does to the store, and compares.
func write(t *rapid.T, p *partition, stored map[uint64]int64) {
	for i, ev := range p.unsaved.came {
		if ev != nil {
			stored[p.unsaved.upTo+1+uint64(i)] = ev.At
		}
	}
	for _, order := range p.unsaved.went {
		if _, ok := stored[order]; !ok {
			t.Fatalf("event %d goes and was not stored", order)
		}
		delete(stored, order)
	}
	p.unsaved.saved()
	waiting := map[uint64]int64{}
	for _, w := range slices.Concat(p.waiting.queue[p.waiting.head:], p.waiting.heap) {
		waiting[w.order] = w.ev.At
	}
	if diff := cmp.Diff(waiting, stored); diff != "" {
		t.Fatalf("(-waiting +stored):\n%s", diff)
	}
}
