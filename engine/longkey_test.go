package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// Keys may be as long as events are, and hold any bytes: no event ends a run for its key,
// nor is what is remembered of it lost where the key goes cold or the engine is started anew.
func TestKeysOfAnyLength(t *testing.T) {
	const rules = `event a (time: t(ms)) { t int  k string }
rule silent { by k match x: a -> !a for 1m emit { n: len(x.k) } suppress 10h }
rule pairs  { from a by k window last 3 having count() == 2 emit { n: count() } suppress 1h by k }
`
	keys := []string{"", "\x00", "\x00\x00", strings.Repeat("x", 16<<10), strings.Repeat("x", 32<<10), strings.Repeat("y", 32<<10) + "\x00", strings.Repeat("x", 300<<10)}
	var records []string
	for i := range 3 * len(keys) {
		records = append(records, fmt.Sprintf(`{"type":"a","t":%d,"k":"%s"}`, i*10_000, strings.ReplaceAll(keys[i%len(keys)], "\x00", `\u0000`)))
	}
	set := compile(t, rules)
	feed := func(n int) *script {
		return &script{name: "p", size: 1, portions: []portion{{Records: append([]string(nil), records[:n]...)}}}
	}
	want, _, err := run(t.Context(), engine.Options{Final: true}, set, feed(len(records)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	store := lasting{state.NewMemory()}
	for n := 1; n <= len(records); n += 5 {
		last := n == len(records)
		o := engine.Options{Store: store, Cache: 1, EpochEvents: 1, Shards: 2, Final: last}
		ear, _, err := run(t.Context(), o, set, feed(n))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ear.rows...)
		checkRecords(t, rules, store)
	}
	if d := cmp.Diff(want.rows, got); d != "" || len(got) < len(keys) {
		t.Errorf("%d alerts of %d: %.500s", len(got), len(want.rows), d)
	}
	for _, table := range []state.Table{state.TableKeys, state.TableTimers} {
		n := 0
		if err := store.Scan(t.Context(), table, nil, nil, func(_, _ []byte) error { n++; return nil }); err != nil || n > len(keys) {
			t.Errorf("%d records of %s at the end: %v", n, table, err)
		}
	}
	// A rule that is gone takes its records along.
	if _, _, err := run(t.Context(), engine.Options{Store: store}, compile(t, "event a (time: t(ms)) { t int  k string }"), feed(len(records))); err != nil {
		t.Fatal(err)
	}
	for _, table := range []state.Table{state.TableKeys, state.TableTimers, state.TableSilences} {
		err := store.Scan(t.Context(), table, nil, nil, func(key, _ []byte) error { t.Errorf("%s has %.40q", table, key); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkRecords has the records of keys checked.
func checkRecords(t *testing.T, rules string, store engine.Store) {
	t.Helper()
	c, err := engine.NewChecker(t.Context(), compile(t, rules), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []state.Table{state.TableKeys, state.TableTimers, state.TableSilences} {
		err := store.Scan(t.Context(), table, nil, nil, func(key, record []byte) error { return c.Check(table, key, record) })
		if err != nil {
			t.Fatal(err)
		}
	}
}
