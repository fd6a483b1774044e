package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/state"
)

// script is what happens to files: before the epoch of a number, from 1, a list or
// table by name has new text. The text "!" stands for a file that cannot be read. The
// epoch 0 is load.
type script struct {
	t     testing.TB
	texts map[int]map[string]string
	looks map[string]int
}

func newScript(t testing.TB, texts map[int]map[string]string) *script {
	return &script{t: t, texts: texts, looks: map[string]int{}}
}

func (s *script) read(f *plan.File) (*plan.Contents, error) {
	return lookup.Parse(f, []byte(s.texts[0][f.Name]))
}

// Look implements [engine.Files].
func (s *script) Look(f *plan.File, have *plan.Contents) (*plan.Contents, error) {
	s.looks[f.Name]++
	text, ok := s.texts[s.looks[f.Name]][f.Name]
	switch {
	case !ok:
		return nil, nil
	case text == "!":
		return nil, errors.New("it is gone")
	}
	c, err := lookup.Parse(f, []byte(text))
	if c != nil && c.Hash == have.Hash {
		s.t.Errorf("epoch %d: what is there already", s.looks[f.Name])
	}
	return c, err
}

// set compiles rules over the files as they are at load.
func (s *script) set(rules string) *plan.Set {
	s.t.Helper()
	set, errs := lang.CompileWith([]*source.File{{Name: "r.cep", Text: rules}}, s.read)
	if errs.HasErrors() {
		s.t.Fatal(errs)
	}
	return set
}

// run runs rules over a stream with an epoch a record, all decoded ahead, and returns
// the rule and first event of each alert, and the totals.
func (s *script) run(rules string, store engine.Store, records ...string) ([]string, *engine.Stats) {
	s.t.Helper()
	box := &outbox{}
	e, err := engine.New(s.t.Context(), engine.Options{
		Set: s.set(rules), Store: store, Outbox: box, Final: true, Shards: 2, EpochEvents: 1, Files: s,
		Inputs: []engine.Input{{Source: &memory{stream: Stream{Name: "in", Records: records}, size: 100, left: -1}}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := e.Run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return box.rows, e.Stats()
}

// fieldOf takes the text between two marks out of each alert.
func fieldOf(rows []string, from, to string) []string {
	var out []string
	for _, r := range rows {
		_, rest, _ := strings.Cut(r, from)
		value, _, _ := strings.Cut(rest, to)
		out = append(out, value)
	}
	return out
}

// events makes n events e of second 0, 1, 2 …, with the fields of each.
func events(n int, fields string) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"type":"e","at":%d,"n":%d,%s}`, i*1000, i, fields))
	}
	return out
}

const eventE = "event e (time: at(ms)) { at int  n int  s string  ip ip? }\n"

// Every place of a rule sees the contents of the epoch that its event is in, though
// the events were decoded and routed long before.
func TestAChangedFileIsSeenFromItsEpochOn(t *testing.T) {
	for name, tc := range map[string]struct {
		rules string
		texts map[int]map[string]string
		want  string // field n of the alerts
	}{
		"a filter": {
			`list l from file "l.txt" rule r { from e where s in l emit { n: n } }`,
			map[int]map[string]string{0: {"l": "y"}, 4: {"l": "x\ny"}, 7: {"l": "z"}},
			"3 4 5",
		},
		"a filter of what is not in it": {
			`list l from file "l.txt" rule r { from e where s not in l emit { n: n } }`,
			map[int]map[string]string{0: {"l": "y"}, 4: {"l": "x\ny"}, 7: {"l": "z"}},
			"0 1 2 6 7 8 9",
		},
		"blocks of addresses": {
			`list l from file "l.txt" rule r { from e where ip in l emit { n: n } }`,
			map[int]map[string]string{0: {"l": "10.0.0.0/16"}, 9: {"l": "10.1.0.0/16"}},
			"8 9",
		},
		"a field of the alert": {
			`table t (key: id) from file "t.csv" rule r { from e emit { n: t[s].v } }`,
			map[int]map[string]string{0: {"t": "id,v\nx,1"}, 3: {"t": "v,id\n2,x"}, 5: {"t": "id,v\ny,3"}},
			"1 1 2 2 null null null null null null",
		},
		"a key": {
			`table t (key: id) from file "t.csv" rule r { from e by t[s].v as v window last 9 emit { n: "${v}${count()}" } }`,
			map[int]map[string]string{0: {"t": "id,v\nx,1"}, 3: {"t": "id,v\nx,2"}, 5: {"t": "id,v\nx,1"}, 9: {"t": "id,v"}},
			`"11" "12" "21" "22" "13" "14" "15" "16"`,
		},
		"a step, its negation and what it is counted by": {
			`list l from file "l.txt" list m from file "m.txt" rule r { match a: e[s in l] -> !e[s in m] -> b: e[n == a.n + 3] emit { n: a.n } }`,
			map[int]map[string]string{0: {"l": "x", "m": "y"}, 3: {"l": "y"}, 6: {"l": "x", "m": "x"}, 7: {"m": "y"}, 9: {"m": "x"}},
			"0",
		},
		"an aggregate's condition": {
			`list l from file "l.txt" rule r { from e window last 4 having count(s in l) == 2 emit { n: n } }`,
			map[int]map[string]string{0: {"l": "y"}, 4: {"l": "x"}, 6: {"l": "y"}},
			"4 5 6",
		},
		"two files at once": {
			`list l from file "l.txt" list m from file "m.txt" rule r { from e where s in l and n in m emit { n: n } }`,
			map[int]map[string]string{0: {"l": "y", "m": "0\n5"}, 5: {"l": "x", "m": "4\n6"}},
			"4 6",
		},
		"what cannot be read leaves the old": {
			`list l from file "l.txt" rule r { from e where s in l emit { n: n } }`,
			map[int]map[string]string{0: {"l": "x"}, 3: {"l": "!"}, 5: {"l": "y"}, 7: {"l": "!"}, 9: {"l": "x\ny"}},
			"0 1 2 3 8 9",
		},
		"what does not fit leaves the old": {
			`list l from file "l.txt" rule r { from e where n in l emit { n: n } }`,
			map[int]map[string]string{0: {"l": "1\n3\n5"}, 3: {"l": "2\nx\n4"}, 7: {"l": "8"}},
			"1 3 5 8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := newScript(t, tc.texts).run(eventE+tc.rules, state.NewMemory(), events(10, `"s":"x","ip":"10.1.2.3"`)...)
			got := strings.Join(fieldOf(rows, `"fields":{"n":`, "}"), " ")
			if got != tc.want {
				t.Errorf("alerts of %s, want %s", got, tc.want)
			}
		})
	}
}

// Events that wait for their time see the contents of the epoch in which it comes.
func TestWaitingEventsSeeTheContentsOfTheirTime(t *testing.T) {
	rules := strings.Replace(eventE, "(time", "(lateness: 3s, time", 1) + `list l from file "l.txt" rule r { from e where s in l emit { n: n } }`
	s := newScript(t, map[int]map[string]string{0: {"l": "y"}, 6: {"l": "x"}, 9: {"l": "y"}})
	rows, _ := s.run(rules, state.NewMemory(), events(10, `"s":"x"`)...)
	// The record of second k lets that of second k − 3 through, in epoch k + 1.
	if got := strings.Join(fieldOf(rows, `"fields":{"n":`, "}"), " "); got != "2 3 4" {
		t.Errorf("alerts of %s", got)
	}
}

func TestFileStats(t *testing.T) {
	s := newScript(t, map[int]map[string]string{0: {"l": "1\n2", "t": "id,v\nx,1"}, 2: {"l": "1"}, 4: {"l": "x"}, 6: {"l": "1\n2\n3", "t": "!"}, 8: {"t": "id\nx"}})
	_, stats := s.run(eventE+`list l from file "l.txt" table t (key: id) from file "t.csv" rule r { from e where n in l and t[s].v > 0 }`, state.NewMemory(), events(10, `"s":"x"`)...)
	for i := range stats.Files {
		stats.Files[i].Hash = stats.Files[i].Hash[:4]
	}
	want := []engine.FileStats{
		{Name: "l", Path: "l.txt", Hash: hashStart("1\n2\n3"), Rows: 3, Changes: 2},
		{Name: "t", Path: "t.csv", Hash: hashStart("id,v\nx,1"), Rows: 1, LastError: `the column "v" is gone`},
	}
	if diff := cmp.Diff(want, stats.Files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func hashStart(text string) string {
	c, err := lookup.Parse(&plan.File{}, []byte(text))
	if err != nil {
		return err.Error()
	}
	return c.Hash[:4]
}

// The hash of what an epoch saw is in the store with it; that of a list the set has no
// more is not.
func TestHashesAreRecordedWithTheEpoch(t *testing.T) {
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	wantHash := func(name, text string) {
		t.Helper()
		got, _, err := store.Get(state.TableMeta, []byte("file."+name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := hashStart(text); text == "" && got != nil || text != "" && string(got[:min(4, len(got))]) != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	both := `list l from file "l.txt" list m from file "m.txt" rule r { from e where s in l and s in m }`
	newScript(t, map[int]map[string]string{0: {"l": "a", "m": "b"}}).run(eventE+both, store, events(1, `"s":"x"`)...)
	wantHash("l", "a")
	wantHash("m", "b")
	newScript(t, map[int]map[string]string{0: {"l": "a", "m": "b"}, 2: {"l": "c"}}).run(eventE+both, store, events(4, `"s":"x"`)...)
	wantHash("l", "c")
	wantHash("m", "b")
	newScript(t, map[int]map[string]string{0: {"l": "d"}}).run(eventE+`list l from file "l.txt" rule r { from e where s in l }`, store, events(5, `"s":"x"`)...)
	wantHash("l", "d")
	wantHash("m", "")
}

// Rules that look into files obey the law: shards, epochs, batches and stops change no
// alert.
func TestFilesAndTheLaw(t *testing.T) {
	s := newScript(t, map[int]map[string]string{0: {"l": "10.0.0.0/9\n10.200.0.0/16", "t": "id,group,limit\nx,a,2\ny,a,3\nz,b,1"}})
	set := s.set(eventE + `list l from file "l.txt" table t (key: id) from file "t.csv"
		rule q { from e where ip in l by t[s].group as g window last 5 having count() >= 2 emit { n: n, limit: t[s].limit } }
		rule r { by s match a: e[ip in l] -> b: e[ip not in l and t[s].limit > 1] within 8s emit { a: a.n, group: t[b.s].group } }`)
	var records []string
	for i := range 300 {
		records = append(records, fmt.Sprintf(`{"type":"e","at":%d,"n":%d,"s":"%c","ip":"10.%d.0.1"}`, i*700, i, "xyzw"[i*7%4], i*37%256))
	}
	streams := []Stream{{Name: "in", Records: records}}
	want, err := Run(t.Context(), set, streams, Options{Final: true})
	if err != nil || len(want.Alerts) < 50 {
		t.Fatalf("%d alerts, %v", len(want.Alerts), err)
	}
	for _, o := range []Options{{Shards: 2}, {Shards: 7, EpochEvents: 1}, {Shards: 3, EpochEvents: 10, BatchSize: 3}, {Shards: 2, Stops: []int{100, 50}}} {
		o.Final = true
		if o.Stops != nil {
			store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true, MemTable: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			o.Store = store
		}
		got, err := Run(t.Context(), set, streams, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Alerts, want.Alerts) {
			t.Errorf("%+v: %d alerts, want %d", o, len(got.Alerts), len(want.Alerts))
		}
	}
}
