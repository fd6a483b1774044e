package state_test

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/seal"
	"github.com/cepheus-cep/cepheus/state/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, storetest.Opener{
		New: func(testing.TB) storetest.Store { return state.NewMemory() },
	})
}

func TestBadger(t *testing.T) { runBadger(t, state.Options{}) }

func TestEncryptedBadger(t *testing.T) {
	key, err := seal.ParseKey(strings.Repeat("3c", 32))
	if err != nil {
		t.Fatal(err)
	}
	runBadger(t, state.Options{Key: key})
}

// runBadger runs the suite of stores over small ones on disk.
func runBadger(t *testing.T, o state.Options) {
	o.MemTable, o.NoSync = 1<<20, true
	dirs := map[storetest.Store]string{}
	open := func(t testing.TB, dir string) storetest.Store {
		s, err := state.OpenBadger(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		dirs[s] = dir
		return s
	}
	storetest.Run(t, storetest.Opener{
		New: func(t testing.TB) storetest.Store { return open(t, t.TempDir()) },
		Reopen: func(t testing.TB, s storetest.Store) storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, dirs[s])
		},
	})
}
