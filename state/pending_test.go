package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMergedRowsAreThoseOfAMap compares merge, over layers that also remove rows, with a map.
func TestMergedRowsAreThoseOfAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []row
		want, kept := map[string]string{}, int64(0)
		for range rapid.IntRange(1, 6).Draw(t, "layers") {
			fresh := rapid.MapOfN(rapid.StringMatching(`[a-d]{1,2}`), rapid.SampledFrom([]string{"", "1", "22", "spent"}), 1, 12).Draw(t, "fresh")
			layer, size := []row{}, int64(0)
			for key, value := range fresh {
				r := row{key: []byte(key), stored: []byte(value)}
				layer, size = append(layer, r), size+r.size()
				if want[key] = value; value == "spent" {
					delete(want, key)
				}
			}
			slices.SortFunc(layer, func(a, b row) int { return bytes.Compare(a.key, b.key) })
			before := slices.Clone(rows)
			merged, gone := merge(rows, layer, func(r *row) bool { return string(r.stored) == "spent" })
			if !slices.EqualFunc(before, rows, func(a, b row) bool { return bytes.Equal(a.key, b.key) && bytes.Equal(a.stored, b.stored) }) {
				t.Fatal("rows that others may read have changed")
			}
			rows, kept = merged, kept+size-gone
		}
		var got []string
		size := int64(0)
		for i := range rows {
			got, size = append(got, fmt.Sprintf("%s=%s", rows[i].key, rows[i].stored)), size+rows[i].size()
		}
		var all []string
		for key, value := range want {
			all = append(all, key+"="+value)
		}
		slices.Sort(all)
		if strings.Join(got, " ") != strings.Join(all, " ") || size != kept {
			t.Fatalf("got %v of %d bytes, want %v of %d", got, size, all, kept)
		}
	})
}

func TestGallopIsSeek(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[a-z]{1,2}`), rapid.ID[string]).Draw(t, "keys")
		slices.Sort(keys)
		var rows []row
		for _, key := range keys {
			rows = append(rows, row{key: []byte(key)})
		}
		full := []byte(rapid.StringMatching(`[a-z]{1,2}`).Draw(t, "key"))
		if got, want := gallop(rows, full), seekRow(rows, full); got != want {
			t.Fatalf("%q in %q: %d, want %d", full, keys, got, want)
		}
	})
}

// TestDeliveredRowsLeaveNothing commits alerts and their deliveries: nothing of them is kept
// in memory, nor comes into the tree.
func TestDeliveredRowsLeaveNothing(t *testing.T) {
	s, err := OpenBadger(t.TempDir(), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o, err := OpenOutbox(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	for range 10 {
		b.Reset()
		o.Acknowledge(&b, map[string]uint64{"sink": o.Last()})
		for range 100 {
			o.Append(&b, make([]byte, 500))
		}
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if rows, kept := len(s.live.small[TableOutbox]), s.live.kept; rows != 100 || kept > 60_000 {
		t.Errorf("%d rows, %d bytes are kept, want those of the last epoch", rows, kept)
	}
}

// TestCheckpointLetsEpochsPass begins a checkpoint while alerts wait for their
// delivery, which comes: none of them is in the tree afterwards, nor that they are gone.
func TestCheckpointLetsEpochsPass(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	o, err := OpenOutbox(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	epoch := func(alerts int) {
		var b Batch
		o.Acknowledge(&b, map[string]uint64{"sink": o.Last()})
		for range alerts {
			o.Append(&b, []byte("alert"))
		}
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	epoch(100)
	group, err := s.freeze()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() { written <- s.writeGroup(group, gently) }()
	epoch(3)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	s.thaw()
	for row := range uint64(101) {
		full := append([]byte{byte(TableOutbox)}, binary.BigEndian.AppendUint64(nil, row)...)
		if _, there, err := s.fromTree(full, nil); there || err != nil {
			t.Fatalf("row %d is in the tree: %v", row, err)
		}
	}
	epoch(0)
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.lastRow(); len(got) != 1 {
		t.Errorf("the tree knows of row %x", got)
	}
}

// TestCloseThatLeavesTheJournalIsNoCrash closes a store with more pending than Close takes
// over, and then leaves it as a crash does.
func TestCloseThatLeavesTheJournalIsNoCrash(t *testing.T) {
	dir := t.TempDir()
	open := func() *Badger {
		s, err := OpenBadger(dir, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var b Batch
	for i := range uint64(littleKeys + 1) {
		key := number(i)
		b.Put(TableKeys, key[:], nil)
	}
	if err := errors.Join(s.Commit(t.Context(), &b), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open()
	if s.live.index.Len() == 0 || s.Recovery().LeftOpen {
		t.Errorf("%d keys are pending, left open: %t; want some, false", s.live.index.Len(), s.Recovery().LeftOpen)
	}
	s.broken = errors.New("a crash") // so that Close says nothing of a good end
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if !s.Recovery().LeftOpen {
		t.Error("after a crash: not left open")
	}
}

// TestReadsDuringACheckpoint reads all keys, and commits, in the middle of a checkpoint each
// time it is about to write: it must hold nothing that those need, for a commit that waits
// for a read, and a read that waits for the checkpoint, would wait for ever.
func TestReadsDuringACheckpoint(t *testing.T) {
	var s *Badger
	const keys = 100_000
	writes := 0
	during := func(int) error {
		writes++
		var b Batch
		for i := uint64(writes); i < keys; i += 97 {
			key := number(i)
			if _, ok, err := s.Get(TableKeys, key[:], nil); err != nil || !ok {
				t.Errorf("key %d: %t, %v", i, ok, err)
			}
			b.Put(TableKeys, key[:], nil)
		}
		return s.Commit(t.Context(), &b)
	}
	s, err := OpenBadger(t.TempDir(), Options{NoSync: true, MemTable: leastMemTable, beforeWrite: during})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b Batch
	for i := range uint64(keys) {
		key := number(i)
		b.Put(TableKeys, key[:], nil)
	}
	if err := errors.Join(s.Commit(t.Context(), &b), s.Checkpoint(t.Context())); err != nil {
		t.Fatal(err)
	}
	if writes < 10 {
		t.Errorf("%d writes of a checkpoint; want several", writes)
	}
}

// TestLessMemoryBringsCheckpointsSooner commits more keys than a store of little memory may
// have pending, and fewer than one of more.
func TestLessMemoryBringsCheckpointsSooner(t *testing.T) {
	for memory, above := range map[int64]bool{1: true, 1 << 20: true, 2 << 20: false, 0: false} {
		s, err := OpenBadger(t.TempDir(), Options{NoSync: true, Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		p := pending{}
		for i := range uint64(20_000) {
			key := number(i)
			p.index.Set(s.hasher.Of(key[:]), 1)
		}
		if got := p.above(&s.opt, 1); got != above {
			t.Errorf("memory of %d: above the bounds %t, want %t", memory, got, above)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
