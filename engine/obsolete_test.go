package engine_test

import (
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// What a rule has left that is gone, or remembers something else now, leaves the store
// whole: its keys, and their rows in the diary.
func TestStateOfAnObsoleteRuleGoesWithItsRows(t *testing.T) {
	for name, after := range map[string]string{
		"gone":     `rule other { from b where i == 7 }`,
		"a filter": `rule r { from b where i == 7 }`,
		"changed":  `rule r { from a by i window last 3 having count() == 3 }`,
	} {
		t.Run(name, func(t *testing.T) {
			store := lasting{state.NewMemory()}
			records := []string{rec("a", 1234567890.123, 1), rec("a", 1234567891, 2), rec("a", 1234567891.5, 3)}
			for _, rule := range []string{`rule r { by i match x: a -> !b for 1m }`, after} {
				s := &script{name: "p", portions: []portion{{Records: append([]string(nil), records...)}, {Records: []string{rec("b", 1234567892, 9)}}}}
				if _, _, err := run(t.Context(), engine.Options{Store: store}, compile(t, ab+rule), s); err != nil {
					t.Fatal(err)
				}
				records = append(records, rec("b", 1234567892, 9))
			}
			for _, table := range []state.Table{state.TableKeys, state.TableTimers} {
				err := store.Scan(t.Context(), table, nil, nil, func(key, _ []byte) error {
					t.Errorf("%s has %q", table, key)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A checker with the rules decodes the records that a run with them would take back, also
// where the text of a rule has changed; a description names the version alone.
func TestRecordsAreCheckedByTheRulesTheyAreOf(t *testing.T) {
	const rule = ab + `rule r { by i match x: a -> !b for 1m }`
	store := lasting{state.NewMemory()}
	s := &script{name: "p", portions: []portion{{Records: []string{rec("a", 100, 1), rec("a", 101, 2)}}}}
	set := compile(t, rule)
	if _, _, err := run(t.Context(), engine.Options{Store: store}, set, s); err != nil {
		t.Fatal(err)
	}
	d, err := engine.Describe(t.Context(), store)
	if err != nil || len(d.Rules) != 1 || d.Rules[0].Version != set.Rules[0].Version {
		t.Errorf("%+v, %v; want version %s", d.Rules, err, set.Rules[0].Version)
	}
	for text, fails := range map[string]bool{rule: true, rule[:len(rule)-1] + " emit { i: 1 } }": true, ab: false} {
		c, err := engine.NewChecker(t.Context(), compile(t, text), store)
		if err != nil {
			t.Fatal(err)
		}
		err = store.Scan(t.Context(), state.TableKeys, nil, nil, func(key, record []byte) error {
			if err := c.Check(state.TableKeys, key, record); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			if err := c.Check(state.TableKeys, key, record[:len(record)-1]); (err != nil) != fails {
				t.Errorf("%s: %v of a record that was cut", text, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
