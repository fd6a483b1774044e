package state

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
)

func TestBatchCountsLiveBytesOnly(t *testing.T) {
	var once, twice Batch
	once.Put(TableKeys, []byte("a"), []byte("22"))
	once.Delete(TableKeys, []byte("b"))
	twice.Put(TableKeys, []byte("a"), make([]byte, 1000))
	twice.Put(TableKeys, []byte("b"), []byte("1"))
	twice.Put(TableKeys, []byte("a"), []byte("22"))
	twice.Delete(TableKeys, []byte("b"))
	if once.Bytes() != twice.Bytes() || twice.Len() != 2 {
		t.Errorf("%d bytes, %d records; want %d, 2", twice.Bytes(), twice.Len(), once.Bytes())
	}
}

func TestBatchLetsGoOfUnusualMemory(t *testing.T) {
	var b Batch
	b.Put(TableKeys, []byte("a"), make([]byte, keepArena+1))
	b.Reset()
	if b.Reset(); cap(b.arena) > keepArena || b.Len() != 0 {
		t.Errorf("holds %d bytes, %d records", cap(b.arena), b.Len())
	}
	b.Put(TableKeys, []byte("a"), nil)
	if b.Len() != 1 {
		t.Error("not usable after Reset")
	}
}

func TestWarmBatchAllocatesNothing(t *testing.T) {
	var b Batch
	key := make([]byte, 8)
	fill := func() {
		b.Reset()
		for i := range 1000 {
			binary.BigEndian.PutUint64(key, uint64(i%700))
			b.Put(TableKeys, key, key)
		}
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestJoinedBatchHoldsTheWritesOfBoth(t *testing.T) {
	var b Batch
	want := map[string]string{}
	for part := range 3 {
		var p Batch
		for i := range 500 {
			key := fmt.Sprintf("%d/%d", part, i%400)
			p.Put(TableKeys, []byte(key), []byte(key+"!"))
			want[key] = key + "!"
		}
		p.Delete(TableKeys, fmt.Appendf(nil, "%d/gone", part))
		b.Join(&p)
		added := fmt.Appendf(nil, "%d/added", part)
		b.Add(TableKeys, added, added)
		want[string(added)] = string(added)
		b.AddDelete(TableKeys, fmt.Appendf(nil, "%d/no more", part))
		b.Put(TableMeta, []byte("name"), []byte("last"))
	}
	store := NewMemory()
	if err := store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Len() != len(want)+7 {
		t.Errorf("%d writes, want %d", b.Len(), len(want)+7)
	}
	for key, value := range want {
		if got, _, _ := store.Get(TableKeys, []byte(key), nil); string(got) != value {
			t.Fatalf("%s is %q", key, got)
		}
	}
	b.Reset()
	b.Put(TableKeys, []byte("1/1"), []byte("new"))
	if err := store.Commit(t.Context(), &b); err != nil || b.Len() != 1 {
		t.Fatalf("%d writes after a reset, %v", b.Len(), err)
	}
	if got, _, _ := store.Get(TableKeys, []byte("1/1"), nil); string(got) != "new" {
		t.Errorf("1/1 is %q after a reset", got)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, records := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("badger/records=%d", records), func(b *testing.B) {
			s, err := OpenBadger(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			benchmarkCommit(b, records, s.Commit)
		})
		b.Run(fmt.Sprintf("memory/records=%d", records), func(b *testing.B) {
			benchmarkCommit(b, records, NewMemory().Commit)
		})
	}
}

// benchmarkCommit commits epochs of 100-byte records, over keys ten times as many.
func benchmarkCommit(b *testing.B, records int, commit func(context.Context, *Batch) error) {
	b.ReportAllocs()
	var batch Batch
	var key [8]byte
	value, n := make([]byte, 100), 0
	for b.Loop() {
		batch.Reset()
		for range records {
			n = (n + 7919) % (10 * records)
			binary.BigEndian.PutUint64(key[:], uint64(n))
			batch.Put(TableKeys, key[:], value)
		}
		if err := commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
}
