package packs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/format"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/packs"
	"github.com/cepheus-cep/cepheus/rules/tester"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

func load(t *testing.T, pack string) ([]*source.File, *tester.Suite) {
	t.Helper()
	files, errs := source.Read([]string{pack})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	suite, messages := tester.Load(files, nil)
	if len(messages) > 0 {
		t.Fatal(messages)
	}
	return files, suite
}

func TestPacks(t *testing.T) {
	rules := 0
	for _, pack := range packs.Names() {
		files, suite := load(t, pack)
		rules += len(suite.Set.Rules)
		for _, f := range files {
			if text, errs := format.File(f); errs != nil || text != f.Text {
				t.Errorf("%s is not laid out as cepheus fmt does: %v", f.Name, errs)
			}
		}
		fires, spares := map[string]bool{}, map[string]bool{}
		err := suite.Run(t.Context(), tester.Options{Now: time.Now}, func(r *tester.Result) error {
			if !r.Passed() {
				t.Errorf("%s: %v %+v", r.Test.Span, r.Err, r.Failures)
			}
			for _, x := range r.Test.Expects {
				if x.Kind == plan.ExpectCount && x.N == 0 {
					spares[x.Rule] = true
				} else {
					fires[x.Rule] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range suite.Set.Rules {
			if r.Title == "" || r.Runbook == "" || len(r.Tags) == 0 || !fires[r.Name] || !spares[r.Name] {
				t.Errorf("%s/%s needs a title, a runbook, tags, a test in which it fires, and one in which it does not", pack, r.Name)
			}
		}
	}
	if rules < 30 {
		t.Errorf("%d rules, want 30", rules)
	}
}

// TestSamples says that the events of each pack are those of its tests, and that each of its
// rules fires on them. UPDATE=1 writes them anew.
func TestSamples(t *testing.T) {
	for _, pack := range packs.Names() {
		_, suite := load(t, pack)
		want := append(bytes.Join(suite.Sample(), []byte("\n")), '\n')
		path := filepath.Join(pack, "events.jsonl")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the tests of the pack send: %v", path, err)
		}
		fired := map[string]bool{}
		_, err = trial.Run(t.Context(), engine.Options{
			Set: suite.Set, Final: true, Steps: []engine.IdleStep{},
			Inputs: []engine.Input{{Source: &trial.Records{Name: "sample", Texts: suite.Sample()}}},
		}, func(a *event.Alert) { fired[a.Rule] = true })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range suite.Set.Rules {
			if !fired[r.Name] {
				t.Errorf("%s/%s does not fire on the events of the pack", pack, r.Name)
			}
		}
	}
}
