package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// TestCheckerFindsNothingInWhatAnEngineWrote also hurts each record: then it finds
// something or not, and does not fail.
func TestCheckerFindsNothingInWhatAnEngineWrote(t *testing.T) {
	dir := t.TempDir()
	repeat(t, 1, func(t *rapid.T) { checkHistory(t, dir) })
}

func checkHistory(t *rapid.T, dir string) {
	m := &maker{t: t}
	if !m.chance(20) {
		return // a store on disk takes its time
	}
	h := drawHistory(t)
	path := filepath.Join(dir, fmt.Sprint("checked", m.n(1<<30)))
	store, err := state.OpenBadger(path, state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(path)
	defer store.Close()
	h.run(t, h.rules, Options{Store: store})

	d, err := engine.Describe(t.Context(), store)
	if err != nil || d.Epoch != store.Epoch() || len(d.Sources) != len(h.streams) {
		t.Fatalf("%+v, %v\n%s", d, err, situation(h.rules, h.streams))
	}
	checkAll(t, nil, store, d)
	checkAll(t, compile(t, h.rules), store, d)
}

func checkAll(t *rapid.T, set *plan.Set, store *state.Badger, d *engine.Description) {
	checker, err := engine.NewChecker(t.Context(), set, store)
	if err != nil {
		t.Fatal(err)
	}
	keys, counted := uint64(0), uint64(0)
	err = store.VerifyRecords(t.Context(), func(table state.Table, key, value []byte) error {
		if table == state.TableKeys {
			keys++
		}
		return checker.Check(table, key, value)
	}, func(f state.Fault) { t.Fatalf("%+v", f) })
	for _, r := range d.Rules {
		counted += r.Keys
	}
	if err != nil || keys != counted {
		t.Fatalf("%d keys of rules, %d described: %v", keys, counted, err)
	}
	if set != nil && uint64(checker.Decoded()) != keys {
		t.Fatalf("%d of %d keys decoded", checker.Decoded(), keys)
	}
	hurtRecords(t, checker, store)
}

func hurtRecords(t *rapid.T, checker *engine.Checker, store *state.Badger) {
	m := &maker{t: t}
	at, flip := m.n(40), byte(1+m.n(255))
	err := store.VerifyRecords(t.Context(), func(table state.Table, key, value []byte) error {
		hurt := bytes.Clone(value)
		if at < len(hurt) {
			hurt[at] ^= flip
		}
		checker.Check(table, key, hurt)
		checker.Check(table, key, value[:min(at, len(value))])
		checker.Check(table, key[:min(at, len(key))], value)
		return nil
	}, func(f state.Fault) { t.Fatalf("%+v", f) })
	if err != nil && !errors.Is(err, state.ErrClosed) {
		t.Fatal(err)
	}
}
