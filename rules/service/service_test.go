package service_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/state"
)

const events = "event e (time: at(s)) { at int  n int }\n"

// rig is a service over an engine that runs.
type rig struct {
	*service.Service
	t      testing.TB
	store  *state.Memory
	engine *engine.Engine
	in     *tap
	rows   *texts
	stop   func()
}

// tap is a source that gives what it is told to.
type tap struct {
	at      int64
	records chan string
}

func (*tap) Partition() event.Partition { return event.Partition{Source: "in"} }
func (*tap) Fingerprint() []byte        { return nil }
func (s *tap) Position() int64          { return s.at }
func (s *tap) Resume(_ context.Context, at int64, _ []byte) error {
	s.at = at
	return nil
}

func (s *tap) Next(ctx context.Context, into *event.Batch) error {
	select {
	case r := <-s.records:
		into.Add(0, s.at, 0, []byte(r))
		s.at++
	case <-ctx.Done():
	}
	return ctx.Err()
}

// texts is an outbox that hands the alerts on.
type texts struct {
	n    uint64
	came chan string
}

func (o *texts) Append(_ *state.Batch, alert []byte) uint64 {
	o.n++
	o.came <- string(alert)
	return o.n
}
func (*texts) Acknowledge(*state.Batch, map[string]uint64) {}
func (o *texts) Last() uint64                              { return o.n }

func start(t testing.TB, o service.Options, more func(*engine.Options)) *rig {
	t.Helper()
	if o.Store == nil {
		o.Store = state.NewMemory()
	}
	s, messages, err := service.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err, messages)
	}
	r := &rig{Service: s, t: t, store: o.Store.(*state.Memory), in: &tap{records: make(chan string, 10)}, rows: &texts{came: make(chan string, 100)}}
	eo := engine.Options{Set: s.Set(), Store: r.store, Outbox: r.rows, Shards: 1, Inputs: []engine.Input{{Source: r.in}}}
	if more != nil {
		more(&eo)
	}
	e, err := engine.New(t.Context(), eo)
	if err != nil {
		t.Fatal(err)
	}
	r.engine = e
	s.Begin(e)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.stop = func() {}
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// says gives the engine an event and wants the alerts of rules, in any order.
func (r *rig) says(n int, rules ...string) {
	r.t.Helper()
	r.in.records <- fmt.Sprintf(`{"type":"e","at":1,"n":%d}`, n)
	var got []string
	for range rules {
		select {
		case a := <-r.rows.came:
			_, rest, _ := strings.Cut(a, `"rule":"`)
			name, _, _ := strings.Cut(rest, `"`)
			got = append(got, name)
		case <-time.After(20 * time.Second):
		}
	}
	if slices.Sort(got); !slices.Equal(got, rules) {
		r.t.Errorf("of %d: alerts of %v, want %v", n, got, rules)
	}
}

func (r *rig) put(files map[string]string) service.Result {
	r.t.Helper()
	res, err := r.Edit(r.t.Context(), service.Edit{Author: "ann", Put: files})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func over(rule string, n int) string {
	return fmt.Sprintf("rule %s { from e where n > %d emit { n: n } }\n", rule, n)
}

// A set of which one of two rules is broken is refused whole, and the one that runs goes on.
func TestABrokenRuleRefusesTheSet(t *testing.T) {
	r := start(t, service.Options{}, nil)
	r.put(map[string]string{"e.cep": events, "a.cep": over("a", 10)})
	r.says(11, "a")
	before := r.Current()
	_, err := r.Edit(t.Context(), service.Edit{Put: map[string]string{"a.cep": over("a", 20), "b.cep": "rule b { from e where m > 1 }"}})
	var invalid *service.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Messages) != 1 || !strings.Contains(err.Error(), "b.cep:1:23") {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(before, r.Current()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	r.says(12, "a")
}

// A threshold that is changed from 990 to 500 is 500 in what runs.
func TestAChangedThresholdRuns(t *testing.T) {
	r := start(t, service.Options{}, nil)
	r.put(map[string]string{"a.cep": events + over("high", 990)})
	r.says(995, "high")
	r.in.records <- `{"type":"e","at":1,"n":700}`
	res := r.put(map[string]string{"a.cep": events + over("high", 500)})
	if len(res.Report.Rules) != 1 || res.Report.Rules[0].Fate != engine.Kept || res.Version.Set != r.Set().Version {
		t.Errorf("%+v", res)
	}
	r.says(600, "high") // no alert of 700 is before it, unless the change came first
}

func TestVersionsConflictsAndRollback(t *testing.T) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	store := state.NewMemory()
	o := service.Options{Store: store, Keep: 3, Now: func() time.Time { return clock }}
	r := start(t, o, nil)
	r.put(map[string]string{"e.cep": events, "a.cep": over("a", 1)}) // version 2; 1 was empty
	if res := r.put(map[string]string{"a.cep": over("a", 1)}); res.Changed || res.Version.Number != 2 {
		t.Errorf("no byte is another: %+v", res)
	}
	r.put(map[string]string{"b.cep": over("b", 5)})
	_, err := r.Edit(t.Context(), service.Edit{Author: "bob", Expected: 2, Delete: []string{"a.cep"}})
	var conflict *service.ConflictError
	if !errors.As(err, &conflict) || *conflict != (service.ConflictError{Expected: 2, Current: 3}) {
		t.Errorf("of an old version: %v", err)
	}
	if _, err := r.Edit(t.Context(), service.Edit{Author: "bob", Note: "no a", Expected: 3, Delete: []string{"a.cep"}}); err != nil {
		t.Error(err)
	}
	r.says(6, "b")
	if _, err := r.Rollback(t.Context(), 2, "eve", 4); err != nil {
		t.Error(err)
	}
	r.says(6, "a")
	if _, err := r.Rollback(t.Context(), 1, "eve", 0); !errors.Is(err, service.ErrNoVersion) {
		t.Errorf("of a version that is not kept: %v", err)
	}
	if _, err := r.Edit(t.Context(), service.Edit{Delete: []string{"c.cep"}}); !errors.Is(err, service.ErrNoFile) {
		t.Error(err)
	}
	wantVersions(t, r.Versions())
	r.stop()
	again := start(t, o, nil)
	wantVersions(t, again.Versions())
	again.says(6, "a")
}

func wantVersions(t *testing.T, versions []service.Version) {
	t.Helper()
	var got []string
	for _, v := range versions {
		got = append(got, fmt.Sprint(v.Number, " ", v.Author, " ", v.Note, " ", len(v.Files)))
	}
	if diff := cmp.Diff([]string{"5 eve back to version 2 2", "4 bob no a 2", "3 ann  3"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNamesAndFilesOutside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "l.txt"), "1\n2\n")
	write(t, filepath.Join(dir, "e.cep"), events)
	outside := filepath.Join(t.TempDir(), "secret.txt")
	write(t, outside, "3\n")
	r := start(t, service.Options{Folders: []string{dir}}, nil)
	for _, name := range []string{"", "a", "/a.cep", "../a.cep", "a/../b.cep", "a//b.cep", "./a.cep", "a\\b.cep", "a\n.cep", "C:a.cep", strings.Repeat("a", 256) + ".cep"} {
		var bad *service.NameError
		if _, err := r.Edit(t.Context(), service.Edit{Put: map[string]string{name: "let x = 1"}}); !errors.As(err, &bad) {
			t.Errorf("%q: %v", name, err)
		}
	}
	rule := "list l from file %q rule r { from e where n in l }"
	var invalid *service.InvalidError
	for _, path := range []string{outside, "../secret.txt", "l.txt"} {
		if _, err := r.Edit(t.Context(), service.Edit{Put: map[string]string{"x/a.cep": fmt.Sprintf(rule, path)}}); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
	r.put(map[string]string{"x/a.cep": fmt.Sprintf(rule, filepath.Join(dir, "l.txt"))})
	r.says(2, "r")
	var limit *service.LimitError
	if _, err := r.Edit(t.Context(), service.Edit{Put: map[string]string{"b.cep": strings.Repeat("#", 1<<21)}}); !errors.As(err, &limit) {
		t.Error(err)
	}
}

// An edit stands in place of a file of a folder, whatever happens there, until the next edit.
func TestEditsLieOverFolders(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.cep"), filepath.Join(dir, "b.cep")
	write(t, filepath.Join(dir, "e.cep"), events)
	write(t, a, over("a", 1))
	write(t, b, over("b", 1))
	r := start(t, service.Options{Folders: []string{dir}}, nil)
	r.says(2, "a", "b")
	r.put(map[string]string{filepath.ToSlash(a): over("a", 100)})
	r.says(2, "b")
	write(t, a, over("a", 0))
	write(t, b, over("b", 0))
	if res, err := r.Look(t.Context()); err != nil || !res.Changed || res.Version.Author != service.FolderAuthor {
		t.Errorf("%+v, %v", res, err)
	}
	r.says(1, "b")
	if _, err := r.Edit(t.Context(), service.Edit{Delete: []string{filepath.ToSlash(b)}}); err != nil {
		t.Error(err)
	}
	r.says(101, "a")
	if _, err := r.Edit(t.Context(), service.Edit{Whole: true, Put: map[string]string{"c.cep": events + over("c", 0)}}); err != nil {
		t.Error(err)
	}
	r.says(101, "c")
	write(t, b, "rule b {")
	if _, err := r.Look(t.Context()); err != nil || r.Trouble() != "" {
		t.Errorf("a file that is hidden: %v, %s", err, r.Trouble())
	}
	write(t, filepath.Join(dir, "d.cep"), "rule d {")
	if _, err := r.Look(t.Context()); err == nil || r.Trouble() == "" {
		t.Error("a file that does not check")
	}
	r.says(1, "c")
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What changes in a folder is taken without being asked for.
func TestFoldersAreWatched(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.cep")
	write(t, path, events+over("a", 990))
	r := start(t, service.Options{Folders: []string{dir}, Settle: 5 * time.Millisecond}, nil)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !done(); {
			if time.Now().After(end) {
				t.Fatal(what)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	write(t, filepath.Join(dir, "a.tmp"), events+over("a", 500))
	if err := os.Rename(filepath.Join(dir, "a.tmp"), path); err != nil {
		t.Fatal(err)
	}
	until("the change is not taken", func() bool { return r.Current().Number == 2 })
	r.says(600, "a")
	write(t, filepath.Join(dir, "b.cep"), over("b", 1)+"rule")
	until("no trouble", func() bool { return r.Trouble() != "" })
	r.says(600, "a")
	write(t, filepath.Join(dir, "b.cep"), over("b", 1))
	until("the mended file is not taken", func() bool { return r.Current().Number == 3 && r.Trouble() == "" })
	r.says(600, "a", "b")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShadowRules(t *testing.T) {
	shadows := service.NewShadows(3)
	r := start(t, service.Options{}, func(o *engine.Options) { o.Shadow = shadows.Add })
	shadow := strings.Replace(over("s", 10), "{", "{ mode shadow ", 1)
	r.put(map[string]string{"a.cep": events + over("a", 0) + shadow})
	for n := 5; n < 20; n++ {
		r.says(n, "a")
	}
	got := string(shadows.Last("s", 2)[1].JSON)
	if all := shadows.Last("", 9); len(all) != 3 || all[0].Number != 9 || !strings.Contains(got, `"n":18`) || len(shadows.Last("a", 9)) != 0 {
		t.Errorf("%+v %s", all, got)
	}
	r.put(map[string]string{"a.cep": events + over("a", 0) + over("s", 10)})
	r.says(20, "a", "s")
}

// refusing is an engine that refuses a set now and then.
type refusing struct{ next error }

func (a *refusing) Swap(context.Context, *plan.Set) (engine.Report, error) {
	return engine.Report{}, a.next
}

// Any history of edits, changes in the folder, rollbacks, refusals and starts gives the files
// that a plain model of it has.
func TestHistoryIsThatOfTheModel(t *testing.T) {
	dir := t.TempDir()
	other := filepath.ToSlash(filepath.Join(dir, "z.cep")) // a folder without rule files is an error
	write(t, other, "let z = 1")
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range []string{"a.cep", "b.cep"} {
			os.Remove(filepath.Join(dir, name))
		}
		o := service.Options{Store: state.NewMemory(), Folders: []string{dir}, Keep: 4}
		open := func() *service.Service {
			s, _, err := service.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s, applier := open(), &refusing{}
		s.Begin(applier)
		folder, edits := map[string]string{other: "let z = 1"}, map[string]*string{}
		kept := map[uint64]map[string]string{1: maps.Clone(folder)}
		model := func() map[string]string {
			all := maps.Clone(folder)
			for name, text := range edits {
				if delete(all, name); text != nil {
					all[name] = *text
				}
			}
			return all
		}
		names := []string{filepath.ToSlash(filepath.Join(dir, "a.cep")), filepath.ToSlash(filepath.Join(dir, "b.cep")), "c.cep"}
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			name, text := rapid.SampledFrom(names).Draw(t, "name"), fmt.Sprintf("let x%d = 1", rapid.IntRange(0, 3).Draw(t, "text"))
			was := maps.Clone(edits)
			applier.next = nil
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
					applier.next = engine.ErrBusy
				}
				text += " # " + filepath.Base(name)
				text = strings.Replace(text, "x", "x"+strings.TrimSuffix(filepath.Base(name), ".cep"), 1)
				edits[name] = &text
				if _, err := s.Edit(t.Context(), service.Edit{Put: map[string]string{name: text}}); err != nil {
					edits = was
				}
			case 2:
				delete(edits, name)
				if _, there := folder[name]; there {
					edits[name] = nil
				}
				if _, err := s.Edit(t.Context(), service.Edit{Delete: []string{name}}); err != nil {
					edits = was
				}
			case 3:
				if name != "c.cep" {
					text = strings.Replace(text, "x", "y"+strings.TrimSuffix(filepath.Base(name), ".cep"), 1)
					if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					folder[name] = text
					if _, err := s.Look(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			case 4:
				versions := s.Versions()
				v := rapid.SampledFrom(versions).Draw(t, "version")
				if _, err := s.Rollback(t.Context(), v.Number, "", 0); err != nil {
					t.Fatal(err)
				}
				edits = map[string]*string{}
				for name := range folder {
					edits[name] = nil
				}
				for name, text := range kept[v.Number] {
					if edits[name] = &text; folder[name] == text {
						delete(edits, name)
					}
				}
			case 5:
				s = open()
				s.Begin(applier)
			}
			got := map[string]string{}
			for _, f := range s.Files() {
				got[f.Name] = f.Text
			}
			if diff := cmp.Diff(model(), got); diff != "" {
				t.Fatalf("(-model +service):\n%s", diff)
			}
			kept[s.Current().Number] = model()
		}
	})
}

// Rules in the folders may name files of lists anywhere, with edits beside them too; edits
// may name those, and no others.
func TestFoldersMayNameFilesAnywhere(t *testing.T) {
	dir, lists := t.TempDir(), t.TempDir()
	inside, outside := filepath.Join(lists, "l.txt"), filepath.Join(lists, "secret.txt")
	write(t, inside, "1\n2\n")
	write(t, outside, "3\n")
	path := filepath.Join(dir, "a.cep")
	write(t, path, events+fmt.Sprintf("list l from file %q rule r { from e where n in l }", inside))
	o := service.Options{Folders: []string{path}, Store: state.NewMemory()}
	r := start(t, o, nil)
	r.says(2, "r")
	more := "list m from file %q rule s { from e where n in m }"
	var invalid *service.InvalidError
	if _, err := r.Edit(t.Context(), service.Edit{Put: map[string]string{"b.cep": fmt.Sprintf(more, outside)}}); !errors.As(err, &invalid) {
		t.Errorf("an edit that names another file: %v", err)
	}
	r.put(map[string]string{"b.cep": fmt.Sprintf(more, inside)})
	r.says(2, "r", "s")
	r.stop()
	start(t, o, nil).says(1, "r", "s")
}
