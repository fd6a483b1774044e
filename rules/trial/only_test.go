package trial

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestOnlyKeepsWhatFeedsARule: directly, by way of another rule, or through a table.
func TestOnlyKeepsWhatFeedsARule(t *testing.T) {
	const events = "event a (time: t(s)) { t int  k string }\n" +
		"event b (time: t) { t time  k string }\n" +
		"event c (time: t) { t time  k string }\n"
	const rules = "rule ab { from a by k  emit b { k: k } }\n" +
		"rule bc { from b by k  emit c { k: k } }\n" +
		"rule last { from c by k }\n" +
		"rule other { from a by k }\n"
	for name, c := range map[string]struct {
		table string
		of    string
		want  []string
	}{
		"by way of another": {"", "last", []string{"ab", "bc", "last"}},
		"nothing":           {"", "other", []string{"other"}},
		"through a table":   {"table seen by k from b keep 1d { n: count() }\n", "other", []string{"ab", "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: events + c.table + rules}})
			if set == nil {
				t.Fatal(errs)
			}
			var got []string
			for _, r := range FeedersOf(set).Only(set, []string{c.of}, nil).Rules {
				got = append(got, r.Name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +kept):\n%s", diff)
			}
		})
	}
}

func TestOnlyPutsAnotherInPlaceOfTheNamed(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: "event a { k string }\nrule x { from a  mode off }\nrule y { from a  mode off }\n"}})
	if set == nil {
		t.Fatal(errs)
	}
	live := &plan.Rule{Name: "x"}
	got := FeedersOf(set).Only(set, []string{"x"}, func(*plan.Rule) *plan.Rule { return live })
	if len(got.Rules) != 1 || got.Rules[0] != live || len(set.Rules) != 2 {
		t.Errorf("%+v of %+v", got.Rules, set.Rules)
	}
}
