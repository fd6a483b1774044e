package state

import (
	"strings"
	"testing"
)

func TestOutboxThatContradictsItselfIsRefused(t *testing.T) {
	row := func(n uint64) []byte { b := number(n); return b[:] }
	last := func(b *Batch, n uint64) { b.Put(TableMeta, []byte(outboxLast), row(n)) }
	for name, c := range map[string]struct {
		fill func(b *Batch)
		want string // in the error; empty: none
	}{
		"nothing":                {func(*Batch) {}, ""},
		"all delivered":          {func(b *Batch) { last(b, 3); b.Put(TableDelivered, []byte("s"), row(3)) }, ""},
		"rows to the last":       {func(b *Batch) { last(b, 3); b.Put(TableOutbox, row(2), nil); b.Put(TableOutbox, row(3), nil) }, ""},
		"a row above the last":   {func(b *Batch) { last(b, 3); b.Put(TableOutbox, row(4), nil) }, "row 4"},
		"rows, and no last":      {func(b *Batch) { b.Put(TableOutbox, row(1), nil) }, "row 1"},
		"the last row is gone":   {func(b *Batch) { last(b, 3); b.Put(TableOutbox, row(2), nil) }, "not the last, 3"},
		"delivered above last":   {func(b *Batch) { last(b, 3); b.Put(TableDelivered, []byte("s"), row(28)) }, "sink s has delivered row 28"},
		"delivered, and no last": {func(b *Batch) { b.Put(TableDelivered, []byte("s"), row(28)) }, "sink s has delivered row 28"},
		"a number cut short":     {func(b *Batch) { b.Put(TableDelivered, []byte("s"), []byte("x")) }, "1 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var b Batch
			c.fill(&b)
			store := NewMemory()
			if err := store.Commit(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			_, err := OpenOutbox(t.Context(), store)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestOutboxComparesWithWhatWasAcknowledged(t *testing.T) {
	store := NewMemory()
	for _, c := range []struct {
		delivered   map[string]uint64
		more, waits bool
	}{
		{nil, false, false},
		{map[string]uint64{"a": 2, "b": 0}, true, true},
		{map[string]uint64{"a": 2, "b": 0}, false, true},
		{map[string]uint64{"a": 2, "b": 2}, true, false},
		{map[string]uint64{"a": 2, "b": 2}, false, false},
	} {
		o, err := OpenOutbox(t.Context(), store) // a restart each time
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		if o.Last() == 0 {
			o.Append(&b, []byte("{}"))
			o.Append(&b, []byte("{}"))
		}
		if more, waits := o.Compare(c.delivered); more != c.more || waits != c.waits {
			t.Errorf("%v: more %v, waits %v", c.delivered, more, waits)
		}
		o.Acknowledge(&b, c.delivered)
		if err := store.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
}
