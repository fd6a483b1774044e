package state

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crasher fails the n-th step and all after it.
type crasher struct {
	mu   sync.Mutex
	left int
	at   Step // where it crashed
}

func (c *crasher) step(s Step) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left > 0 {
		return nil
	}
	if c.at == "" {
		c.at = s
	}
	return errTorn
}

// story is what is done to a store, epoch by epoch: commits with a checkpoint after every
// third.
const storyEpochs = 8

func storyBatch(epoch int) *Batch {
	var b Batch
	for i := range 20 {
		if key := fmt.Appendf(nil, "key %02d", (i+epoch*3)%30); (i+epoch)%4 == 0 {
			b.Delete(TableKeys, key)
		} else {
			b.Put(TableKeys, key, fmt.Appendf(nil, "%d of %d", i, epoch))
		}
	}
	b.Put(TableOutbox, fmt.Appendf(nil, "row %d", epoch), []byte("alert"))
	b.Delete(TableOutbox, fmt.Appendf(nil, "row %d", epoch-2))
	b.Put(TableMeta, []byte("epoch"), fmt.Append(nil, epoch))
	return &b
}

// storyContents is what there is after each epoch.
func storyContents() []map[string]string {
	all := []map[string]string{{}}
	for epoch := 1; epoch <= storyEpochs; epoch++ {
		now, b := maps.Clone(all[epoch-1]), storyBatch(epoch)
		for i := range b.ops {
			o := &b.ops[i]
			if b.table(o) == TableMeta {
				continue
			}
			key := fmt.Sprint(b.table(o), " ", string(b.fullKey(o)[1:]))
			if delete(now, key); !o.deleted {
				now[key] = string(b.value(o))
			}
		}
		all = append(all, now)
	}
	return all
}

// TestCrashAtEveryStep crashes at the n-th step for n = 1, 2, … until there is none, and
// looks at what is left: all epochs that were acknowledged, and perhaps the one that was
// being written; once more after a second story goes on from there and ends.
func TestCrashAtEveryStep(t *testing.T) {
	contents := storyContents()
	for n := 1; ; n++ {
		dir, acknowledged, at := crashedStory(t, n)
		if at == "" {
			if n < 60 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		s := openTest(t, dir, nil)
		epoch := int(s.Epoch())
		if epoch != acknowledged && epoch != acknowledged+1 {
			t.Fatalf("step %d, %s: epoch %d of %d acknowledged", n, at, epoch, acknowledged)
		}
		if d := cmp.Diff(contents[epoch], content(t, s)); d != "" {
			t.Fatalf("step %d, %s: epoch %d (-want +got):\n%s", n, at, epoch, d)
		}
		tell(t, s, epoch+1)
		if d := cmp.Diff(contents[storyEpochs], content(t, s)); d != "" {
			t.Fatalf("step %d, %s: gone on with, at the end (-want +got):\n%s", n, at, d)
		}
		s.Close()
	}
}

// crashedStory returns a copy of the directory as it lay, and the last epoch that was
// acknowledged.
func crashedStory(t *testing.T, n int) (dir string, acknowledged int, at Step) {
	t.Helper()
	c := &crasher{left: n}
	dir = filepath.Join(t.TempDir(), "state")
	s, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true, Step: c.step})
	if err == nil {
		acknowledged, err = tellOn(t, s, 1)
		dir = crash(t, s)
		s.Close()
	}
	if err != nil && !errors.Is(err, errTorn) {
		t.Fatal(err)
	}
	return dir, acknowledged, c.at
}

func tell(t *testing.T, s *Badger, from int) {
	t.Helper()
	if _, err := tellOn(t, s, from); err != nil {
		t.Fatal(err)
	}
}

func tellOn(t *testing.T, s *Badger, from int) (acknowledged int, err error) {
	acknowledged = from - 1
	for epoch := from; epoch <= storyEpochs; epoch++ {
		if err := s.Commit(t.Context(), storyBatch(epoch)); err != nil {
			return acknowledged, err
		}
		acknowledged = epoch
		switch epoch % 3 {
		case 0:
			err = s.Checkpoint(t.Context())
		case 1:
			err = s.takeOverIf(0, whatIsCold)
		}
		if err != nil {
			return acknowledged, err
		}
	}
	return acknowledged, nil
}

// TestBackgroundCheckpointsLeaveOutWhatIsHot: a key that is written in every epoch reaches
// the tree at the end only, and reads right at any time.
func TestBackgroundCheckpointsLeaveOutWhatIsHot(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	hot := func(epoch int) {
		var b Batch
		b.Put(TableKeys, []byte("hot"), fmt.Append(nil, epoch))
		b.Put(TableKeys, fmt.Appendf(nil, "cold %d", epoch), nil)
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	hot(1)
	group, err := s.freeze()
	if err != nil {
		t.Fatal(err)
	}
	hot(2)
	if err := s.writeGroup(group, whatIsCold); err != nil {
		t.Fatal(err)
	}
	s.thaw()
	if err := s.journal.Remove(group.end); err != nil {
		t.Fatal(err)
	}
	if _, there, err := s.fromTree([]byte("\x02hot"), nil); there || err != nil {
		t.Errorf("the hot key is in the tree: %v", err)
	}
	if v, _, err := s.Get(TableKeys, []byte("hot"), nil); string(v) != "2" || err != nil {
		t.Errorf("hot reads %q, %v", v, err)
	}
	want := map[string]string{"keys hot": "2", "keys cold 1": "", "keys cold 2": ""}
	if d := cmp.Diff(want, content(t, openTest(t, crash(t, s), nil))); d != "" {
		t.Errorf("after a crash (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, content(t, s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestDiskUseSettles writes the same keys, large values among them, for many rounds.
func TestDiskUseSettles(t *testing.T) {
	s, err := OpenBadger(t.TempDir(), Options{MemTable: leastMemTable, NoSync: true, vouch: true, Pending: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var sizes [2]int64
	for round := range 400 {
		var b Batch
		for i := range 100 {
			b.Put(TableKeys, fmt.Appendf(nil, "key %d", (round*37+i)%300), fmt.Appendf(nil, "%01000d", round*1000+i))
		}
		b.Put(TableOutbox, []byte("large"), make([]byte, 100_000))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if round == 100 {
			sizes[0] = diskUse(t, s.dir)
		}
	}
	if sizes[1] = diskUse(t, s.dir); sizes[1] > 3*sizes[0]+10<<20 {
		t.Errorf("%d bytes after a quarter, %d at the end", sizes[0], sizes[1])
	}
	if s.Stats().Checkpoints == 0 {
		t.Error("no checkpoint")
	}
}
