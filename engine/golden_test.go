package engine

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/golden"
)

// metaKinds are the records of TableMeta: names, or how they begin.
var metaKinds = []string{metaPartitions, metaTime, metaSet, metaRule, metaFile, metaShape, metaKeys, metaSteps}

// unusedTables are those in which the engine writes nothing itself.
var unusedTables = []state.Table{0, state.TableOutbox, state.TableDelivered, state.TableRules}

// engineKinds are all kinds of records that the engine writes: one a table, but for those
// of TableMeta.
func engineKinds() (kinds []string) {
	for t := state.Table(0); !strings.HasPrefix(t.String(), "table "); t++ {
		switch {
		case t == state.TableMeta:
			for _, name := range metaKinds {
				kinds = append(kinds, "meta "+name)
			}
		case !slices.Contains(unusedTables, t):
			kinds = append(kinds, t.String())
		}
	}
	return kinds
}

const goldenRules = `event pay (time: t(s), id: id, dedup: 1h, lateness: 10s) { t int  id string  x string  n int }
table known by x from pay keep 1d { s: sum(n) }
rule seq   { by x match first a: pay[n > 1] -> b: pay[n > 100] within 1h }
rule win   { from pay by x window sliding 1h having count() > 100 }
rule loud  { from pay by x suppress 1h }
rule reads { from pay emit { s: known[x].s } mode shadow }
`

func compileGolden(t testing.TB) *plan.Set {
	set, errs := lang.Compile([]*source.File{{Name: "golden.cep", Text: goldenRules}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	return set
}

// row is a record of a store.
type goldenRow struct {
	Table      state.Table
	Key, Value string
}

func (r *goldenRow) kind() string {
	if r.Table != state.TableMeta {
		return r.Table.String()
	}
	for _, name := range metaKinds {
		if strings.HasPrefix(r.Key, name) {
			return "meta " + name
		}
	}
	return "meta " + r.Key
}

// goldenStore is a store in memory whose records are looked at.
type goldenStore struct{ durable }

func (s goldenStore) rows(t testing.TB) (rows []goldenRow) {
	for table := state.Table(1); table < 32; table++ {
		err := s.Scan(t.Context(), table, nil, nil, func(key, value []byte) error {
			rows = append(rows, goldenRow{table, string(key), string(value)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func storeOf(t testing.TB, rows []goldenRow) goldenStore {
	var b state.Batch
	for _, r := range rows {
		b.Put(r.Table, []byte(r.Key), []byte(r.Value))
	}
	s := goldenStore{durable{state.NewMemory()}}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return s
}

// goldenSource gives fixed events up to one of them.
type goldenSource struct{ at, end int64 }

func (s *goldenSource) Partition() event.Partition { return event.Partition{Source: "pays"} }
func (s *goldenSource) Position() int64            { return s.at }
func (s *goldenSource) Fingerprint() []byte        { return []byte("print") }

func (s *goldenSource) Resume(_ context.Context, offset int64, _ []byte) error {
	s.at = offset
	return nil
}

func (s *goldenSource) Next(_ context.Context, into *event.Batch) error {
	for ; s.at < s.end; s.at++ {
		into.Add(0, s.at, 0, fmt.Appendf(nil, `{"type":"pay","t":%d,"id":"i%d","x":"card %d","n":%d}`, 1_700_000_000+2*s.at, s.at, s.at%2, s.at))
	}
	return io.EOF
}

type noOutbox struct{}

func (noOutbox) Append(*state.Batch, []byte) uint64          { return 0 }
func (noOutbox) Acknowledge(*state.Batch, map[string]uint64) {}
func (noOutbox) Last() uint64                                { return 0 }

// runGolden runs the golden rules over the golden events up to one of them.
func runGolden(t testing.TB, set *plan.Set, s goldenStore, end int64) error {
	e, err := New(t.Context(), Options{Set: set, Store: s, Outbox: noOutbox{}, Inputs: []Input{{Source: &goldenSource{end: end}}}, Shards: 1, EpochEvents: 3})
	if err != nil {
		return err
	}
	return e.Run(t.Context())
}

// goldenRows are the records after so many events.
func goldenRows(t testing.TB, s goldenStore, end int64) []goldenRow {
	t.Helper()
	if err := runGolden(t, compileGolden(t), s, end); err != nil {
		t.Fatal(err)
	}
	return s.rows(t)
}

// handMade are the records that the run of the golden events does not write.
func handMade(t testing.TB) []goldenRow {
	s := goldenStore{durable{state.NewMemory()}}
	e := &Engine{o: Options{Set: &plan.Set{Files: []*plan.File{{Name: "watched"}}}}, store: s}
	e.files.have, e.files.stored = []*plan.Contents{{Hash: "0123abcd"}}, []string{""}
	e.saveFiles()
	a, b := event.Partition{Source: "a"}, event.Partition{Source: "k", Topic: "topic", Number: 3}
	e.quiet.noted = &IdleStep{Time: 1_700_000_000e9, Idle: []event.Partition{b}, At: []event.Position{{Partition: a, Offset: 12}, {Partition: b, Offset: EndOfPartition}}}
	e.saveStep()
	if err := s.Commit(t.Context(), e.commits.batch()); err != nil {
		t.Fatal(err)
	}
	return s.rows(t)
}

const goldenEvents = 9

// TestGoldenRecords: all that the engine writes beside the states of keys is as it was, and
// an engine that finds what was written goes on as one that never stopped.
func TestGoldenRecords(t *testing.T) {
	rows := append(goldenRows(t, goldenStore{durable{state.NewMemory()}}, goldenEvents), handMade(t)...)
	records := make([]golden.Record, len(rows))
	for i := range rows {
		r := &rows[i]
		records[i] = golden.Record{Kind: r.kind(), Name: fmt.Sprintf("%q", r.Key), About: fmt.Sprintf("after %d events, see golden_test.go", goldenEvents), Bytes: []byte(r.Value)}
	}
	records = golden.Check(t, filepath.Join("testdata", "records.golden"), state.Format, engineKinds(), records)
	for i := range rows {
		rows[i].Value = string(records[i].Bytes)
	}
	whole := goldenRows(t, goldenStore{durable{state.NewMemory()}}, 2*goldenEvents)
	cut := goldenRows(t, storeOf(t, rows[:len(rows)-len(handMade(t))]), 2*goldenEvents)
	if diff := cmp.Diff(whole, cut); diff != "" {
		t.Errorf("-never stopped +stopped: %s", diff)
	}
}

// errorsOfRows is what an error must say where the record of a table makes no sense.
var errorsOfRows = map[state.Table]string{
	state.TableKeys: "state of ", state.TablePositions: "pays", state.TableDedup: "pays", state.TableWaiting: "pays", state.TableSilences: "loud",
}

// TestDamagedRecordsAreNamed: where a record is cut short, or one that is empty is found in
// its place, an engine does not start, or it is one that may be so; its error says of what
// the record is, and where.
func TestDamagedRecordsAreNamed(t *testing.T) {
	set := compileGolden(t)
	rows := append(goldenRows(t, goldenStore{durable{state.NewMemory()}}, goldenEvents), handMade(t)...)
	for i := range rows {
		for n := range len(rows[i].Value) {
			hurt := slices.Clone(rows)
			hurt[i].Value = hurt[i].Value[:n]
			err := runGolden(t, set, storeOf(t, hurt), 2*goldenEvents) // which looks at every key
			if want := errorsOfRows[rows[i].Table]; err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s %q, %d bytes: the error does not say %q: %v", rows[i].kind(), rows[i].Key, n, want, err)
			} else if err == nil && rows[i].Table == state.TableKeys {
				t.Errorf("%s %q: %d bytes of %d are taken", rows[i].kind(), rows[i].Key, n, len(rows[i].Value))
			}
		}
	}
}

// FuzzRestore: whatever stands in a record past its checksum, an engine says so or runs.
func FuzzRestore(f *testing.F) {
	set := compileGolden(f)
	rows := append(goldenRows(f, goldenStore{durable{state.NewMemory()}}, goldenEvents), handMade(f)...)
	for i, r := range rows {
		f.Add(uint8(i), []byte(r.Value))
	}
	f.Fuzz(func(t *testing.T, which uint8, value []byte) {
		hurt := slices.Clone(rows)
		hurt[int(which)%len(hurt)].Value = string(value)
		if err := runGolden(t, set, storeOf(t, hurt), 2*goldenEvents); err != nil && strings.Contains(err.Error(), "broken invariant") {
			t.Fatal(err)
		}
	})
}
