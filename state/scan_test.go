package state

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestScanOfWhatIsPending scans a table of marks against a map, with what was written
// pending in one layer, in two (in the middle of a checkpoint), in the tree, and after an
// opening. No scan takes anything over.
func TestScanOfWhatIsPending(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "") //nolint:usetesting // one a draw
		if err != nil {
			r.Fatal(err)
		}
		p := pendingScans{t: r, twin: map[string]string{}}
		o := Options{NoSync: true, MemTable: leastMemTable, beforeWrite: func(int) error { return p.during() }}
		if p.s, err = OpenBadger(dir, o); err != nil {
			r.Fatal(err)
		}
		defer func() { p.s.Close() }()
		for range rapid.IntRange(1, 8).Draw(r, "steps") {
			switch rapid.IntRange(0, 7).Draw(r, "step") {
			case 0:
				p.takeOver()
			case 1:
				p.reopen(dir, o)
			case 2:
				p.compare()
			default:
				p.commit()
			}
		}
		p.compare()
	})
}

// pendingScans is a store and what it holds.
type pendingScans struct {
	t      *rapid.T
	s      *Badger
	twin   map[string]string
	taking bool
}

func (p *pendingScans) commit() {
	var b Batch
	for range rapid.IntRange(1, 20).Draw(p.t, "writes") {
		key := rapid.StringMatching(`[ab]{0,3}`).Draw(p.t, "key")
		if rapid.IntRange(0, 3).Draw(p.t, "deleted") == 0 {
			b.Delete(TableDedup, []byte(key))
			delete(p.twin, key)
			continue
		}
		p.twin[key] = fmt.Sprint(len(p.twin), p.s.Epoch())
		b.Put(TableDedup, []byte(key), []byte(p.twin[key]))
		b.Put(TableKeys, []byte(key), nil)
	}
	if err := p.s.Commit(p.t.Context(), &b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pendingScans) takeOver() {
	p.taking = true
	err := p.s.Checkpoint(p.t.Context())
	p.taking = false
	if err != nil {
		p.t.Fatal(err)
	}
}

// during is called in the middle of a checkpoint.
func (p *pendingScans) during() error {
	if p.taking {
		p.compare()
		p.commit()
		p.compare()
	}
	return nil
}

func (p *pendingScans) reopen(dir string, o Options) {
	if rapid.Bool().Draw(p.t, "crash") {
		p.s.broken = errTorn // so that nothing is taken over
	}
	err := p.s.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	if p.s, err = OpenBadger(dir, o); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pendingScans) compare() {
	prefix, from := rapid.StringMatching(`[ab]{0,2}`).Draw(p.t, "prefix"), rapid.StringMatching(`[ab]{0,2}`).Draw(p.t, "from")
	before, got, want := p.s.Stats().Checkpoints, []string{}, []string{}
	err := p.s.Scan(p.t.Context(), TableDedup, []byte(prefix), []byte(from), func(key, value []byte) error {
		got = append(got, string(key)+"="+string(value))
		return nil
	})
	for _, key := range slices.Sorted(maps.Keys(p.twin)) {
		if strings.HasPrefix(key, prefix) && key >= from {
			want = append(want, key+"="+p.twin[key])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		p.t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if n := p.s.Stats().Checkpoints; n != before {
		p.t.Fatalf("the scan has made %d checkpoints", n-before)
	}
}
