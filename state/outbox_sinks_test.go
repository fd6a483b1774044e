package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// boxOf is an outbox with rows, and its store.
func boxOf(t *testing.T, rows int) (*Outbox, *Memory) {
	t.Helper()
	store := NewMemory()
	o, err := OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	commitTo(t, store, func(b *Batch) {
		for range rows {
			o.Append(b, []byte("{}"))
		}
	})
	return o, store
}

func commitTo(t *testing.T, store *Memory, fill func(b *Batch)) {
	t.Helper()
	var b Batch
	fill(&b)
	if err := store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

func wantSinks(t *testing.T, o *Outbox, want map[string]uint64) {
	t.Helper()
	got, err := o.Sinks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}

func rowsOf(t *testing.T, o *Outbox) (rows []uint64) {
	t.Helper()
	err := o.Rows(t.Context(), 0, func(row uint64, _ []byte) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A sink is known from the moment that it is enrolled, before it has delivered anything,
// until it is forgotten.
func TestSinksAreKnownUntilTheyAreForgotten(t *testing.T) {
	o, store := boxOf(t, 3)
	wantSinks(t, o, map[string]uint64{})
	commitTo(t, store, func(b *Batch) { o.Enrol(b, "new"); o.Acknowledge(b, map[string]uint64{"new": 0, "old": 2}) })
	wantSinks(t, o, map[string]uint64{"new": 0, "old": 2})
	again, err := OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	wantSinks(t, again, map[string]uint64{"new": 0, "old": 2})
	commitTo(t, store, func(b *Batch) { again.Forget(b, "new") })
	wantSinks(t, again, map[string]uint64{"old": 2})
}

// Rows stay for a sink that has them not, and go when it is no longer there to be waited for.
func TestRowsDoNotWaitForASinkThatIsForgotten(t *testing.T) {
	o, store := boxOf(t, 4)
	commitTo(t, store, func(b *Batch) { o.Enrol(b, "slow"); o.Acknowledge(b, map[string]uint64{"slow": 1, "fast": 3}) })
	if diff := cmp.Diff([]uint64{2, 3, 4}, rowsOf(t, o)); diff != "" {
		t.Errorf("rows while slow is known (-want +got):\n%s", diff)
	}
	commitTo(t, store, func(b *Batch) { o.Forget(b, "slow"); o.Acknowledge(b, map[string]uint64{"fast": 3}) })
	if diff := cmp.Diff([]uint64{4}, rowsOf(t, o)); diff != "" {
		t.Errorf("rows when it is forgotten (-want +got):\n%s", diff)
	}
}

// A sink that was forgotten and is enrolled anew has delivered nothing: what it is told to
// have delivered then counts, though it was more before.
func TestASinkThatComesBackBeginsAnew(t *testing.T) {
	o, store := boxOf(t, 3)
	commitTo(t, store, func(b *Batch) { o.Acknowledge(b, map[string]uint64{"s": 2}) })
	commitTo(t, store, func(b *Batch) { o.Forget(b, "s") })
	commitTo(t, store, func(b *Batch) { o.Enrol(b, "s") })
	wantSinks(t, o, map[string]uint64{"s": 0})
	commitTo(t, store, func(b *Batch) { o.Acknowledge(b, map[string]uint64{"s": 2}) })
	wantSinks(t, o, map[string]uint64{"s": 2})
}

func TestASinkWithANumberThatIsNoneIsAnError(t *testing.T) {
	o, store := boxOf(t, 0)
	commitTo(t, store, func(b *Batch) { b.Put(TableDelivered, []byte("s"), []byte("x")) })
	if _, err := o.Sinks(t.Context()); err == nil {
		t.Error("no error")
	}
}
