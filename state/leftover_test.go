package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// leftover is a file of Badger's as a kill leaves it in the middle of its making or deleting.
type leftover struct {
	name string // in the tree
	size int64  // of zeros
	text string // or this
}

func (l leftover) leave(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, treeDir, l.name)
	write(t, path, l.text)
	if err := os.Truncate(path, max(l.size, int64(len(l.text)))); err != nil {
		t.Fatal(err)
	}
}

// leftovers are all that Badger makes, opens anew or deletes while a state directory is
// open, with the sizes that they have on the way.
var leftovers = []leftover{
	{name: "000000.vlog"}, // deleted: its values are elsewhere
	{name: "000000.vlog", size: 7},
	{name: "000009.vlog"}, // made: it is the newest
	{name: "000009.vlog", size: 19},
	{name: "000009.vlog", size: 20},
	{name: "000009.vlog", size: 1 << 20},
	{name: "00000.mem"}, // deleted
	{name: "00009.mem"}, // made
	{name: "00009.mem", size: 20},
	{name: "00009.mem", size: 2 * leastMemTable},
	{name: "000099.sst"},
	{name: "000099.sst", size: 5},
	{name: "000099.sst", size: 1 << 16},
	{name: "DISCARD"},
	{name: "DISCARD", size: 1 << 20},
	{name: "MANIFEST-REWRITE"},
	{name: "MANIFEST-REWRITE", text: "Bdgr\x00"},
	{name: "REWRITE-KEYREGISTRY"},
	{name: "REWRITE-KEYREGISTRY", text: "Hello"},
	{name: "LOCK"},
	{name: "LOCK", text: "123"},
}

// TestLeftoversOfAKillAreNoDamage opens a directory with each of them, and then again.
func TestLeftoversOfAKillAreNoDamage(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	killed := crash(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{s.dir, killed} {
		for _, l := range leftovers {
			t.Run(fmt.Sprintf("%s of %d", l.name, l.size), func(t *testing.T) { opensWith(t, from, l) })
		}
	}
}

func opensWith(t *testing.T, from string, l leftover) {
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "state")
	for _, to := range []string{whole, dir} {
		if err := copyTree(to, from); err != nil {
			t.Fatal(err)
		}
	}
	want, err := read(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	l.leave(t, dir)
	for n := range 2 {
		got, err := read(t, dir)
		if err != nil {
			t.Fatalf("opening %d: %v", n, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("opening %d: (-whole +got):\n%s", n, d)
		}
	}
}

// TestLeftoversOfAFirstStart: what is there when a first start is cut short, after each file
// that Badger makes, in the order in which it does, and before there is a byte in the next.
func TestLeftoversOfAFirstStart(t *testing.T) {
	made := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	files := []string{"LOCK", "MANIFEST-REWRITE", "MANIFEST", "REWRITE-KEYREGISTRY", "KEYREGISTRY", "00001.mem", "DISCARD", "000001.vlog"}
	for n, empty := range files {
		dir := crash(t, made)
		for _, name := range files[n:] {
			if err := os.RemoveAll(filepath.Join(dir, treeDir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if empty != "MANIFEST" && empty != "KEYREGISTRY" { // these are renamed to be there
			leftover{name: empty}.leave(t, dir)
		}
		if err := os.Rename(filepath.Join(dir, formatFile), filepath.Join(dir, formatTemp)); err != nil {
			t.Fatal(err)
		}
		s, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true})
		if err != nil {
			t.Fatalf("%s was to be made: %v", empty, err)
		}
		base(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
