package state

import (
	"fmt"
	"testing"
	"time"
)

// TestLeftStoreCommitsWithoutACheckpoint that is under way, and gets no further.
func TestLeftStoreCommitsWithoutACheckpoint(t *testing.T) {
	const epochs, size = 100, 1 << 10
	dir, hold := t.TempDir(), make(chan struct{})
	s, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true, Pending: size, beforeWrite: func(int) error { <-hold; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	committed := make(chan error, 1)
	go func() { committed <- commitEach(t, s, epochs, size) }()
	for s.Stats().PendingBytes <= 2*size {
		time.Sleep(time.Millisecond)
	}
	s.Leave()
	select {
	case err := <-committed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a commit waits for the checkpoint")
	}
	close(hold)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, dir, nil)
	if got := again.Epoch(); got != epochs {
		t.Errorf("opened again it is at epoch %d, want %d", got, epochs)
	}
	if got := len(content(t, again)); got != epochs {
		t.Errorf("%d keys are there, want %d", got, epochs)
	}
}

// commitEach commits epochs of a key each.
func commitEach(t *testing.T, s *Badger, epochs, size int) error {
	for i := range epochs {
		var b Batch
		b.Put(TableKeys, fmt.Appendf(nil, "key %d", i), make([]byte, size))
		if err := s.Commit(t.Context(), &b); err != nil {
			return err
		}
	}
	return nil
}
