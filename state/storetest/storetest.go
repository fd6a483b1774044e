package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/state"
)

// Store is what both stores have.
type Store interface {
	Epoch() uint64
	Commit(ctx context.Context, b *state.Batch) error
	Get(t state.Table, key, into []byte) ([]byte, bool, error)
	Scan(ctx context.Context, t state.Table, prefix, from []byte, visit func(key, value []byte) error) error
	Durable() bool
	Close() error
}

// Opener makes stores. New returns a fresh, empty one, Reopen one that goes on where s,
// which it closes, stood; Reopen is nil for stores that are not durable. The suite
// closes what it opened.
type Opener struct {
	New    func(t testing.TB) Store
	Reopen func(t testing.TB, s Store) Store
}

// Run checks the whole contract.
func Run(t *testing.T, open Opener) {
	tests := []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"a fresh store is empty at epoch 0", testFresh},
		{"the last write of a key in a batch wins", testLastWins},
		{"a batch may be reset and used again at once", testBatchReuse},
		{"tables do not mix", testTables},
		{"a key of zero length and an empty value are records", testEmpty},
		{"scan honours prefix, from and stop", testScan},
		{"scan sees the epoch at its start", testScanSnapshot},
		{"get appends", testGetAppends},
		{"what is out of bounds is refused and nothing of its batch is kept", testBounds},
		{"an ended context commits nothing", testContext},
		{"an epoch of many megabytes is one epoch", testBigEpoch},
		{"a large value comes back", testLargeValue},
		{"reading beside commits is safe", testConcurrent},
		{"the outbox numbers, keeps and removes rows", testOutbox},
		{"it does what a map does", testAgainstMap},
		{"a closed store says so", testClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, open) })
	}
}

func fresh(t testing.TB, open Opener) Store {
	s := open.New(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s Store, fill func(b *state.Batch)) {
	t.Helper()
	var b state.Batch
	fill(&b)
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// rows returns what a scan visits, as "key=value".
func rows(t testing.TB, s Store, table state.Table, prefix, from string) []string {
	t.Helper()
	var got []string
	err := s.Scan(context.Background(), table, []byte(prefix), []byte(from), func(k, v []byte) error {
		got = append(got, string(k)+"="+string(v))
		return nil
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return got
}

func want(t testing.TB, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

func testFresh(t *testing.T, open Opener) {
	s := fresh(t, open)
	if s.Epoch() != 0 {
		t.Errorf("epoch %d, want 0", s.Epoch())
	}
	if _, ok, err := s.Get(state.TableKeys, []byte("a"), nil); ok || err != nil {
		t.Errorf("get: %v, %v; want nothing", ok, err)
	}
	want(t, rows(t, s, state.TableKeys, "", ""), nil)
	commit(t, s, func(*state.Batch) {})
	if s.Epoch() != 1 {
		t.Errorf("epoch after an empty commit %d, want 1", s.Epoch())
	}
}

func testLastWins(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) {
		b.Put(state.TableKeys, []byte("a"), []byte("1"))
		b.Put(state.TableKeys, []byte("b"), []byte("1"))
		b.Delete(state.TableKeys, []byte("a"))
		b.Put(state.TableKeys, []byte("c"), []byte("1"))
		b.Put(state.TableKeys, []byte("c"), []byte("22"))
		b.Delete(state.TableKeys, []byte("d"))
		b.Put(state.TableKeys, []byte("d"), []byte("3"))
		if b.Len() != 4 {
			t.Errorf("length %d, want 4", b.Len())
		}
	})
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"b=1", "c=22", "d=3"})
}

func testBatchReuse(t *testing.T, open Opener) {
	s := fresh(t, open)
	var b state.Batch
	for i := range 300 {
		b.Reset()
		if b.Len() != 0 || b.Bytes() != 0 {
			t.Fatalf("after reset: %d records, %d bytes", b.Len(), b.Bytes())
		}
		b.Put(state.TableKeys, fmt.Appendf(nil, "k%03d", i), fmt.Appendf(nil, "v%03d", i))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	got := rows(t, s, state.TableKeys, "", "")
	if len(got) != 300 || got[0] != "k000=v000" || got[299] != "k299=v299" {
		t.Errorf("%d rows, first %q", len(got), got[:min(3, len(got))])
	}
}

func testTables(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) {
		b.Put(state.TableKeys, []byte("a"), []byte("keys"))
		b.Put(state.TableOutbox, []byte("a"), []byte("outbox"))
		b.Put(state.TableTimers, []byte("a"), []byte("timers"))
	})
	commit(t, s, func(b *state.Batch) { b.Delete(state.TableOutbox, []byte("a")) })
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"a=keys"})
	want(t, rows(t, s, state.TableOutbox, "", ""), nil)
	want(t, rows(t, s, state.TableTimers, "", ""), []string{"a=timers"})
}

func testEmpty(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) {
		b.Put(state.TableKeys, nil, []byte("root"))
		b.Put(state.TableKeys, []byte("x"), nil)
	})
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"=root", "x="})
	if v, ok, err := s.Get(state.TableKeys, []byte("x"), nil); len(v) != 0 || !ok || err != nil {
		t.Errorf("get of an empty value: %q, %v, %v", v, ok, err)
	}
}

func testScan(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) {
		for _, k := range []string{"b2", "a1", "b1", "c", "b", "b\xff", "a\xff"} {
			b.Put(state.TableKeys, []byte(k), nil)
		}
	})
	want(t, rows(t, s, state.TableKeys, "b", ""), []string{"b=", "b1=", "b2=", "b\xff="})
	want(t, rows(t, s, state.TableKeys, "b", "b11"), []string{"b2=", "b\xff="})
	want(t, rows(t, s, state.TableKeys, "b", "a"), []string{"b=", "b1=", "b2=", "b\xff="})
	want(t, rows(t, s, state.TableKeys, "b", "c"), nil)
	want(t, rows(t, s, state.TableKeys, "", "b2"), []string{"b2=", "b\xff=", "c="})

	seen, boom := 0, errors.New("boom")
	stop := func(err error) func(k, v []byte) error {
		return func(k, v []byte) error { seen++; return err }
	}
	if err := s.Scan(t.Context(), state.TableKeys, nil, nil, stop(state.ErrStop)); err != nil || seen != 1 {
		t.Errorf("stopped scan: %v after %d", err, seen)
	}
	if err := s.Scan(t.Context(), state.TableKeys, nil, nil, stop(boom)); !errors.Is(err, boom) {
		t.Errorf("scan with a failing visitor: %v", err)
	}
}

func testScanSnapshot(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) {
		b.Put(state.TableKeys, []byte("a"), []byte("1"))
		b.Put(state.TableKeys, []byte("b"), []byte("1"))
		b.Put(state.TableKeys, []byte("d"), []byte("1"))
	})
	var got []string
	err := s.Scan(t.Context(), state.TableKeys, nil, nil, func(k, v []byte) error {
		if len(got) == 0 {
			commit(t, s, func(b *state.Batch) {
				b.Put(state.TableKeys, []byte("b"), []byte("2"))
				b.Put(state.TableKeys, []byte("c"), []byte("2"))
				b.Put(state.TableKeys, []byte("e"), []byte("2"))
				b.Delete(state.TableKeys, []byte("d"))
			})
		}
		got = append(got, string(k)+"="+string(v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, []string{"a=1", "b=1", "d=1"})
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"a=1", "b=2", "c=2", "e=2"})
}

func testGetAppends(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) { b.Put(state.TableKeys, []byte("a"), []byte("tail")) })
	got, ok, err := s.Get(state.TableKeys, []byte("a"), []byte("head "))
	if string(got) != "head tail" || !ok || err != nil {
		t.Errorf("got %q, %v, %v", got, ok, err)
	}
	got, ok, err = s.Get(state.TableKeys, []byte("z"), []byte("head "))
	if string(got) != "head " || ok || err != nil {
		t.Errorf("missing key: got %q, %v, %v", got, ok, err)
	}
}

func testBounds(t *testing.T, open Opener) {
	s := fresh(t, open)
	for name, fill := range map[string]func(b *state.Batch){
		"key":   func(b *state.Batch) { b.Put(state.TableKeys, make([]byte, state.MaxKey+1), nil) },
		"value": func(b *state.Batch) { b.Put(state.TableKeys, []byte("x"), make([]byte, state.MaxValue+1)) },
	} {
		var b state.Batch
		b.Put(state.TableKeys, []byte("good"), nil)
		fill(&b)
		if err := s.Commit(t.Context(), &b); !errors.Is(err, state.ErrTooLarge) || !strings.Contains(err.Error(), "table keys") {
			t.Errorf("%s too long: %v", name, err)
		}
	}
	if s.Epoch() != 0 {
		t.Errorf("epoch %d after refused commits", s.Epoch())
	}
	want(t, rows(t, s, state.TableKeys, "", ""), nil)
	commit(t, s, func(b *state.Batch) { b.Put(state.TableKeys, make([]byte, state.MaxKey), []byte("longest")) })
	if v, ok, err := s.Get(state.TableKeys, make([]byte, state.MaxKey), nil); string(v) != "longest" || !ok || err != nil {
		t.Errorf("longest key: %q, %v, %v", v, ok, err)
	}
}

func testContext(t *testing.T, open Opener) {
	s := fresh(t, open)
	commit(t, s, func(b *state.Batch) { b.Put(state.TableKeys, []byte("a"), []byte("1")) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var b state.Batch
	b.Put(state.TableKeys, []byte("a"), []byte("2"))
	if err := s.Commit(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if err := s.Scan(ctx, state.TableKeys, nil, nil, func(k, v []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"a=1"})
	commit(t, s, func(b *state.Batch) { b.Put(state.TableKeys, []byte("a"), []byte("3")) })
	want(t, rows(t, s, state.TableKeys, "", ""), []string{"a=3"})
}

func testBigEpoch(t *testing.T, open Opener) {
	s := fresh(t, open)
	const n = 50_000
	value := bytes.Repeat([]byte("v"), 100)
	commit(t, s, func(b *state.Batch) {
		for i := range n {
			b.Put(state.TableKeys, binary.BigEndian.AppendUint32(nil, uint32(i)), value)
		}
	})
	if s = reopen(t, open, s); s.Epoch() != 1 {
		t.Errorf("epoch %d, want 1", s.Epoch())
	}
	if got := len(rows(t, s, state.TableKeys, "", "")); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
}

func testLargeValue(t *testing.T, open Opener) {
	s := fresh(t, open)
	for _, size := range []int{100 << 10, 1<<20 - 1, 1 << 20, 5 << 20} {
		value := bytes.Repeat([]byte{byte(size), 7}, size/2)
		commit(t, s, func(b *state.Batch) { b.Put(state.TableOutbox, []byte("big"), value) })
		s = reopen(t, open, s)
		got, ok, err := s.Get(state.TableOutbox, []byte("big"), nil)
		if err != nil || !ok || !bytes.Equal(got, value) {
			t.Errorf("value of %d bytes: got %d bytes, %v, %v", size, len(got), ok, err)
		}
	}
}

// reopen closes and opens s where that can be.
func reopen(t testing.TB, open Opener, s Store) Store {
	if open.Reopen == nil {
		return s
	}
	s = open.Reopen(t, s)
	t.Cleanup(func() { s.Close() })
	return s
}

// testConcurrent has readers check that two records, always written together, agree.
func testConcurrent(t *testing.T, open Opener) {
	s := fresh(t, open)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got := rows(t, s, state.TableKeys, "", "")
				if len(got) == 2 && got[0][1:] != got[1][1:] {
					t.Errorf("half an epoch was seen: %q", got)
				}
			}
		})
	}
	for i := range 200 {
		commit(t, s, func(b *state.Batch) {
			v := fmt.Appendf(nil, "%d", i)
			b.Put(state.TableKeys, []byte("a"), v)
			b.Put(state.TableKeys, []byte("b"), v)
		})
	}
	close(done)
	readers.Wait()
}

func testOutbox(t *testing.T, open Opener) {
	s := fresh(t, open)
	box := openOutbox(t, s)
	commit(t, s, func(b *state.Batch) {
		for i := range 5 {
			if row := box.Append(b, fmt.Appendf(nil, "alert %d", i+1)); row != uint64(i+1) {
				t.Errorf("row %d, want %d", row, i+1)
			}
		}
	})
	want(t, outboxRows(t, box, 3), []string{"4 alert 4", "5 alert 5"})
	commit(t, s, func(b *state.Batch) { box.Acknowledge(b, map[string]uint64{"fast": 5, "slow": 2}) })
	want(t, outboxRows(t, box, 0), []string{"3 alert 3", "4 alert 4", "5 alert 5"})

	s = reopen(t, open, s)
	box = openOutbox(t, s)
	wantDelivered(t, box, map[string]uint64{"fast": 5, "slow": 2, "new": 0})
	commit(t, s, func(b *state.Batch) { box.Acknowledge(b, map[string]uint64{"fast": 5, "slow": 5}) })
	want(t, outboxRows(t, box, 0), nil)

	box = openOutbox(t, s)
	commit(t, s, func(b *state.Batch) {
		if row := box.Append(b, []byte("x")); row != 6 {
			t.Errorf("row after an emptied outbox %d, want 6", row)
		}
	})
	want(t, outboxRows(t, box, 5), []string{"6 x"})
}

func openOutbox(t *testing.T, s Store) *state.Outbox {
	t.Helper()
	box, err := state.OpenOutbox(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func outboxRows(t *testing.T, box *state.Outbox, after uint64) (got []string) {
	t.Helper()
	err := box.Rows(t.Context(), after, func(row uint64, alert []byte) error {
		got = append(got, fmt.Sprintf("%d %s", row, alert))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantDelivered(t *testing.T, box *state.Outbox, want map[string]uint64) {
	t.Helper()
	for sink, n := range want {
		if got, err := box.Delivered(sink); got != n || err != nil {
			t.Errorf("delivered to %s: %d, %v; want %d", sink, got, err, n)
		}
	}
}

// testAgainstMap runs random operations on the store and on maps.
func testAgainstMap(t *testing.T, open Opener) {
	rapid.Check(t, func(r *rapid.T) {
		s := open.New(t)
		defer func() { s.Close() }()
		twin := map[string]string{} // table byte and key → value
		key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3)
		table := rapid.SampledFrom([]state.Table{state.TableMeta, state.TableKeys})
		for range rapid.IntRange(1, 8).Draw(r, "epochs") {
			var b state.Batch
			for range rapid.IntRange(0, 12).Draw(r, "writes") {
				t, k := table.Draw(r, "table"), key.Draw(r, "key")
				full := string(append([]byte{byte(t)}, k...))
				if rapid.Bool().Draw(r, "delete") {
					b.Delete(t, k)
					delete(twin, full)
					continue
				}
				v := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "value")
				b.Put(t, k, v)
				twin[full] = string(v)
			}
			if err := s.Commit(context.Background(), &b); err != nil {
				r.Fatal(err)
			}
			if open.Reopen != nil && rapid.IntRange(0, 9).Draw(r, "reopen") == 0 {
				s = open.Reopen(t, s)
			}
			compare(r, t, s, twin, table.Draw(r, "scanned"), key.Draw(r, "prefix"), key.Draw(r, "from"))
		}
	})
}

func compare(r *rapid.T, t *testing.T, s Store, twin map[string]string, table state.Table, prefix, from []byte) {
	var wanted []string
	for full, v := range twin {
		k := []byte(full[1:])
		if full[0] == byte(table) && bytes.HasPrefix(k, prefix) && bytes.Compare(k, from) >= 0 {
			wanted = append(wanted, full[1:]+"="+v)
		}
		got, ok, err := s.Get(state.Table(full[0]), k, nil)
		if string(got) != v || !ok || err != nil {
			r.Fatalf("get %q: %q, %v, %v; want %q", full, got, ok, err, v)
		}
	}
	sort.Slice(wanted, func(i, j int) bool { return before(wanted[i], wanted[j]) })
	if d := cmp.Diff(wanted, rows(t, s, table, string(prefix), string(from))); d != "" {
		r.Fatalf("scan of table %s, prefix %q, from %q (-want +got):\n%s", table, prefix, from, d)
	}
}

// before orders "key=value" by key; keys here hold no '='.
func before(a, b string) bool {
	ka, _, _ := strings.Cut(a, "=")
	kb, _, _ := strings.Cut(b, "=")
	return ka < kb
}

func testClosed(t *testing.T, open Opener) {
	s := open.New(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	var b state.Batch
	if err := s.Commit(t.Context(), &b); !errors.Is(err, state.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if _, _, err := s.Get(state.TableKeys, nil, nil); !errors.Is(err, state.ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if err := s.Scan(t.Context(), state.TableKeys, nil, nil, nil); !errors.Is(err, state.ErrClosed) {
		t.Errorf("scan: %v", err)
	}
}
