package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// BenchmarkOpen opens a directory of many small records: how long a restart looks at
// checksums, beside all else that opening costs.
func BenchmarkOpen(b *testing.B) {
	for _, records := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) { benchmarkOpen(b, records) })
	}
}

func benchmarkOpen(b *testing.B, records int) {
	dir := b.TempDir()
	s, err := OpenBadger(dir, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	var batch Batch
	value := make([]byte, 200)
	for i := range records {
		binary.BigEndian.PutUint64(value, uint64(i)*0x9e3779b97f4a7c15)
		batch.Put(TableKeys, value[:8], value)
		if batch.Len() == 100_000 || i == records-1 {
			if err := s.Commit(b.Context(), &batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
	if err := errors.Join(s.Checkpoint(b.Context()), s.Close()); err != nil {
		b.Fatal(err)
	}
	known, err := readMark(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := verify(dir, known, s.opt.badger(dir+"/"+treeDir, nil)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			s, err := OpenBadger(dir, Options{NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
