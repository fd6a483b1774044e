package enginetest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine/enginetest"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// windowEvents declares a and b, with times in seconds, and z, with times in text.
const windowEvents = `event a (time: t(s), id: id) { t int  id string  k string  n int? }
event b (time: t(s)) { t int  k string  n int? }
event z (time: t) { t string }
`

// endAlert is what these tests look at in an alert.
type endAlert struct {
	ID               string
	Rule             string
	Time, Start, End time.Time
	Window           struct{ Start, End time.Time }
	Final            bool
	Key, Fields      json.RawMessage
	Total            int `json:"events_total"`
	Events           []struct{ Event struct{ ID string } }
}

// ids are the identities of the events shown.
func (a *endAlert) ids() string {
	var ids []string
	for _, e := range a.Events {
		ids = append(ids, e.Event.ID)
	}
	return strings.Join(ids, " ")
}

// short writes an alert in one line, times in seconds: when, the window, the own times
// of its first and last event, and what it says.
func (a *endAlert) short() string {
	final := ""
	if a.Final {
		final = " final"
	}
	return fmt.Sprintf("%d [%d,%d) %d..%d%s %s %s", a.Time.Unix(), a.Window.Start.Unix(), a.Window.End.Unix(),
		a.Start.Unix(), a.End.Unix(), final, a.Key, a.Fields)
}

func windowRule(t interface{ Fatal(...any) }, rules string) *plan.Set {
	if !strings.Contains(rules, "event ") {
		rules = windowEvents + rules
	}
	set, errs := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
	if errs.HasErrors() {
		t.Fatal(errs, rules)
	}
	return set
}

// at writes events of type a and key x, one a second given.
func at(seconds ...int) []string {
	var out []string
	for i, s := range seconds {
		out = append(out, fmt.Sprintf(`{"type":"a","t":%d,"k":"x","n":%d,"id":"e%d"}`, s, s, i))
	}
	return out
}

func readAlerts(t interface{ Fatal(...any) }, rows []string) []endAlert {
	out := make([]endAlert, len(rows))
	for i, row := range rows {
		d := json.NewDecoder(bytes.NewReader([]byte(row)))
		if err := d.Decode(&out[i]); err != nil {
			t.Fatal(err, row)
		}
	}
	return out
}

// durable opens a store that outlives an engine.
func durable(t *testing.T, dir string) *state.Badger {
	t.Helper()
	store, err := state.OpenBadger(dir, state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// everywhere runs a rule set under options that must not change the alerts: shards,
// epochs, and an engine of its own for every record, so that every state is written
// and read back between any two of them.
func everywhere(t *testing.T, set *plan.Set, records []string, o enginetest.Options) []string {
	t.Helper()
	var rows []string
	variants := []enginetest.Options{{}, {Shards: 7, EpochEvents: 2}, {Stops: slices.Repeat([]int{1}, len(records)), Shards: 2}}
	for i, v := range variants {
		v.Final, v.Limits = o.Final, o.Limits
		if v.Stops != nil {
			store := durable(t, t.TempDir())
			defer store.Close()
			v.Store = store
		}
		res, err := enginetest.Run(t.Context(), set, []enginetest.Stream{{Name: "p", Records: records}}, v)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Dead) > 0 {
			t.Fatal(res.Dead)
		}
		if i == 0 {
			rows = res.Alerts
		} else if diff := cmp.Diff(rows, res.Alerts); diff != "" {
			t.Fatalf("%+v gives other alerts:\n%s", v, diff)
		}
	}
	return rows
}

func TestWindowsEvaluatedAtTheirEnd(t *testing.T) {
	for name, c := range map[string]struct {
		declare string
		rule    string
		events  []string
		final   bool
		want    []string
	}{
		"a tumbling window alerts when the watermark passes its end": {
			"", `from a by k window tumbling 10s emit { c: count(), s: sum(n) }`,
			at(12, 15, 19, 20), false,
			[]string{`20 [10,20) 12..19 {"k":"x"} {"c":3,"s":46}`},
		},
		"lateness keeps a window open, and its alert has the time of the end": {
			`event a (time: t(s), lateness: 5s) { t int }`, `from a window tumbling 10s emit { c: count() }`,
			at(12, 21, 19, 24, 25), false,
			[]string{`20 [10,20) 12..19 {} {"c":2}`},
		},
		"an event that came too late counts in the window that is open, with its own time shown": {
			"", `from a window tumbling 10s emit { c: count(), t: first(meta.time) }`,
			at(21, 3, 30), false,
			[]string{`30 [20,30) 21..3 {} {"c":2,"t":"1970-01-01T00:00:21Z"}`},
		},
		"empty windows do not alert": {
			"", `from a window tumbling 10s emit { c: count() }`,
			at(1, 95, 100), false,
			[]string{`10 [0,10) 1..1 {} {"c":1}`, `100 [90,100) 95..95 {} {"c":1}`},
		},
		"windows before 1970 are aligned too": {
			"", `from a window tumbling 10s emit { c: count() }`,
			at(-3, 0), false,
			[]string{`0 [-10,0) -3..-3 {} {"c":1}`},
		},
		"at the end of the input open windows wait": {
			"", `from a window tumbling 10s emit { c: count() }`, at(1), false, nil,
		},
		"unless it is the end of time, which the alert says": {
			"", `from a window tumbling 10s emit { c: count() }`, at(1, 11), true,
			[]string{`10 [0,10) 1..1 {} {"c":1}`, `20 [10,20) 11..11 final {} {"c":1}`},
		},
		"having is judged at the end": {
			"", `from a window tumbling 10s having count() == 2 emit { c: count() }`,
			at(1, 2, 7, 11, 12, 21), false,
			[]string{`20 [10,20) 11..12 {} {"c":2}`},
		},
		"an event is in every hopping window that holds it": {
			"", `from a window hopping 10s every 4s emit { c: count() }`,
			at(9, 11, 30), false,
			[]string{
				`10 [0,10) 9..9 {} {"c":1}`, `14 [4,14) 9..11 {} {"c":2}`, `18 [8,18) 9..11 {} {"c":2}`,
			},
		},
		"hopping windows may leave gaps": {
			"", `from a window hopping 2s every 10s emit { c: count() }`,
			at(0, 1, 2, 5, 10, 13, 20), false,
			[]string{`2 [0,2) 0..1 {} {"c":2}`, `12 [10,12) 10..10 {} {"c":1}`},
		},
		"a session ends a gap after its last event": {
			"", `from a window session 10s emit { c: count(), length: window.end - window.start }`,
			at(1, 5, 14, 24, 40), false,
			[]string{`24 [1,24) 1..14 {} {"c":3,"length":"23s"}`, `34 [24,34) 24..24 {} {"c":1,"length":"10s"}`},
		},
		"a session ends at its greatest length": {
			"", `from a window session 10s max 15s emit { c: count() }`,
			at(1, 8, 15, 16, 17, 60), false,
			[]string{`16 [1,16) 1..15 {} {"c":3}`, `27 [16,27) 16..17 {} {"c":2}`},
		},
		"a batch alerts at its last event, a partial one never": {
			"", `from a by k window batch 2 emit { s: sum(n), long: window.end - window.start }`,
			at(1, 5, 8, 8, 9), true,
			[]string{`5 [1,5) 1..5 {"k":"x"} {"s":6,"long":"4s"}`, `8 [8,8) 8..8 {"k":"x"} {"s":16,"long":"0s"}`},
		},
		"early alerts at the event, once a window": {
			"", `from a window tumbling 10s early having count() >= 2 emit { c: count() }`,
			at(1, 3, 4, 5, 11, 21, 22, 40), true,
			[]string{`3 [0,10) 1..3 {} {"c":2}`, `22 [20,30) 21..22 {} {"c":2}`},
		},
		"early in overlapping windows, the first to begin first": {
			"", `from a window hopping 10s every 5s early having count() >= 2 emit { c: count() }`,
			at(6, 7, 11, 40), false,
			[]string{`7 [0,10) 6..7 {} {"c":2}`, `7 [5,15) 6..7 {} {"c":2}`},
		},
		"early in a session shows its end as it then is": {
			"", `from a window session 10s early having count() >= 2 emit { c: count() }`,
			at(1, 5, 9, 40), false,
			[]string{`5 [1,15) 1..5 {} {"c":2}`},
		},
		"once is the rising edge from window to window": {
			"", `from a window tumbling 10s having count() >= 2 once emit { c: count() }`,
			at(1, 2, 11, 12, 13, 21, 31, 32, 40), false,
			[]string{`10 [0,10) 1..2 {} {"c":2}`, `40 [30,40) 31..32 {} {"c":2}`},
		},
		"an empty window is none that once looks at": {
			"", `from a window tumbling 10s having count() >= 2 once emit { c: count() }`,
			at(1, 2, 51, 52, 60), false,
			[]string{`10 [0,10) 1..2 {} {"c":2}`},
		},
		"once over batches": {
			"", `from a window batch 2 having sum(n) > 10 once emit { s: sum(n) }`,
			at(1, 2, 6, 7, 8, 9), false,
			[]string{`7 [6,7) 6..7 {} {"s":13}`},
		},
		"once and early": {
			"", `from a window tumbling 10s early having count() >= 2 once emit { c: count() }`,
			at(1, 2, 11, 12, 21, 31, 32, 40), false,
			[]string{`2 [0,10) 1..2 {} {"c":2}`, `32 [30,40) 31..32 {} {"c":2}`},
		},
		"once and early where windows overlap": {
			"", `from a window hopping 10s every 5s early having count() >= 2 once emit { c: count() }`,
			at(6, 7, 11, 40), false,
			[]string{`7 [0,10) 6..7 {} {"c":2}`},
		},
		"where says what enters a window, and each key has its own": {
			"", `from a, b where n != 3 by k window tumbling 10s emit { c: count(), n: last(n), k: k }`,
			[]string{
				`{"type":"b","t":1,"k":"y","n":1}`, `{"type":"a","t":2,"k":"x","id":"1"}`, `{"type":"b","t":3,"k":"x","n":3}`,
				`{"type":"b","t":4,"k":"x","n":4}`, `{"type":"a","t":15,"k":"x","id":"2"}`,
			},
			false,
			[]string{`10 [0,10) 2..4 {"k":"x"} {"c":2,"n":4,"k":"x"}`, `10 [0,10) 1..1 {"k":"y"} {"c":1,"n":1,"k":"y"}`},
		},
		"a let over the event at hand, in an aggregate": {
			"", `from a let big = n > 10 window tumbling 10s having count(big) > 1 emit { c: count(big), all: count() }`,
			at(8, 9, 11, 12, 19, 20), false,
			[]string{`20 [10,20) 11..19 {} {"c":3,"all":3}`},
		},
		"suppress counts what it does not send": {
			"", `from a window tumbling 10s emit { c: count() } suppress 25s`,
			at(1, 11, 21, 31, 41), false,
			[]string{`10 [0,10) 1..1 {} {"c":1}`, `40 [30,40) 31..31 {} {"c":1}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			set := windowRule(t, c.declare+" rule r { "+c.rule+" }")
			var got []string
			for _, a := range readAlerts(t, everywhere(t, set, c.events, enginetest.Options{Final: c.final})) {
				got = append(got, a.short())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%s\n(-want +got):\n%s", c.rule, strings.Join(c.events, "\n"), diff)
			}
		})
	}
}

func TestCalendarWindowsFollowTheClocksOfTheirZone(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		events []string
		want   []string
	}{
		"a day of 23 hours and one of 25": {
			`from z window tumbling 1d in "Europe/Berlin" emit { h: hours(window.end - window.start), c: count() }`,
			[]string{
				"2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z",
				"2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z",
			},
			[]string{
				`2026-03-28T23:00:00Z {"h":24,"c":1}`, `2026-03-29T22:00:00Z {"h":23,"c":2}`,
				`2026-03-30T22:00:00Z {"h":24,"c":1}`, `2026-10-25T23:00:00Z {"h":25,"c":2}`,
			},
		},
		"weeks from Monday": {
			`from z window tumbling 1w in "America/New_York" emit { h: hours(window.end - window.start), c: count() }`,
			[]string{"2026-03-08T12:00:00Z", "2026-03-09T03:59:59Z", "2026-03-09T04:00:00Z", "2026-03-16T04:00:00Z"},
			[]string{`2026-03-09T04:00:00Z {"h":167,"c":2}`, `2026-03-16T04:00:00Z {"h":168,"c":1}`},
		},
		"days without a zone are those of UTC": {
			`from z window tumbling 1d emit { h: hours(window.end - window.start), c: count() }`,
			[]string{"2026-03-29T00:00:00Z", "2026-03-29T23:59:59.999999999Z", "2026-03-30T00:00:00Z"},
			[]string{`2026-03-30T00:00:00Z {"h":24,"c":2}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var records, got []string
			for _, e := range c.events {
				records = append(records, fmt.Sprintf(`{"type":"z","t":%q}`, e))
			}
			for _, a := range readAlerts(t, everywhere(t, windowRule(t, "rule r { "+c.rule+" }"), records, enginetest.Options{})) {
				got = append(got, a.Time.Format(time.RFC3339)+" "+string(a.Fields))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", c.rule, diff)
			}
		})
	}
}

func TestEvidenceOfAWindowIsItsLastEvents(t *testing.T) {
	seconds := make([]int, 36)
	for i := range seconds {
		seconds[i] = i / 3
	}
	for name, c := range map[string]struct {
		rule string
		want []string
	}{
		"tumbling": {`from a window tumbling 10s`, []string{"30 0..9 e10 .. e29"}},
		"hopping":  {`from a window hopping 6s every 5s`, []string{"3 0..0 e0 .. e2", "18 0..5 e0 .. e17", "18 5..10 e15 .. e32"}},
		"a younger window beside an older": {
			`from a window hopping 6s every 3s early having count() == 9`,
			[]string{"9 0..2 e0 .. e8", "9 0..2 e0 .. e8", "9 3..5 e9 .. e17", "9 6..8 e18 .. e26", "9 9..11 e27 .. e35"},
		},
		"batch": {`from a window batch 25`, []string{"25 0..8 e5 .. e24"}},
		"early": {`from a window session 1m early having count() == 22`, []string{"22 0..7 e2 .. e21"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range readAlerts(t, everywhere(t, windowRule(t, "rule r { "+c.rule+" }"), at(seconds...), enginetest.Options{})) {
				ids := strings.Fields(a.ids())
				if len(ids) != min(a.Total, 20) {
					t.Errorf("%d events shown of %d", len(ids), a.Total)
				}
				got = append(got, fmt.Sprintf("%d %d..%d %s .. %s", a.Total, a.Start.Unix(), a.End.Unix(), ids[0], ids[len(ids)-1]))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestIdentityOfWindows: an alert is known by its window's start and whether it came
// early, whatever its events and whether the end was that of the input; a batch by its
// last event.
func TestIdentityOfWindows(t *testing.T) {
	id := func(rule string, final bool, events ...int) string {
		t.Helper()
		res, err := enginetest.Run(t.Context(), windowRule(t, "rule r { "+rule+" }"),
			[]enginetest.Stream{{Name: "p", Records: at(events...)}}, enginetest.Options{Final: final})
		if err != nil || len(res.Alerts) == 0 {
			t.Fatal(rule, err, "no alert")
		}
		return readAlerts(t, res.Alerts)[0].ID
	}
	const end, early = `from a by k window tumbling 10s having count() > 1`, `from a by k window tumbling 10s early having count() > 1`
	base := id(end, false, 1, 2, 10)
	for name, c := range map[string]struct {
		id   string
		same bool
	}{
		"other events of the window":   {id(end, false, 3, 4, 5, 11), true},
		"the end of the input":         {id(end, true, 1, 2), true},
		"another version of the rule":  {id(`from a by k window tumbling 20s having count() > 2`, false, 1, 2, 3, 20), true},
		"the next window":              {id(end, false, 11, 12, 20), false},
		"early":                        {id(early, false, 1, 2, 10), false},
		"another key":                  {id(`from a by upper(k) as k window tumbling 10s having count() > 1`, false, 1, 2, 10), false},
		"a batch of the same start":    {id(`from a by k window batch 2`, false, 0, 2), false},
		"a session that starts at one": {id(`from a by k window session 8s`, false, 1, 2, 10), false},
	} {
		if (c.id == base) != c.same {
			t.Errorf("%s: identity %s, at first %s", name, c.id, base)
		}
	}
	const batch = `from a by k window batch 2`
	if id(early, false, 1, 2) != id(early, false, 3, 4, 5) {
		t.Error("early alerts of one window differ")
	}
	if id(batch, false, 1, 2) != id(`from a by k window batch 2 having sum(n) > 0`, false, 1, 2) || id(batch, false, 1, 2) == id(`from a by k window batch 3`, false, 1, 2, 3) {
		t.Error("a batch is not known by its last event")
	}
}

// TestWindowLimits: a window takes no more values than the limit where it has to
// remember each; one that only counts and adds up takes all.
func TestWindowLimits(t *testing.T) {
	for name, c := range map[string]struct {
		rule    string
		want    []string
		dropped uint64
	}{
		"sums need no limit":               {`from a window tumbling 10s emit { c: count(), s: sum(n) }`, []string{`{"c":8,"s":28}`}, 0},
		"a median is of the first":         {`from a window tumbling 10s emit { c: count(), m: median(n) }`, []string{`{"c":3,"m":1}`}, 5},
		"equal values are one":             {`from a window tumbling 10s emit { c: count(), d: distinct(n % 2) }`, []string{`{"c":8,"d":2}`}, 0},
		"different ones are not":           {`from a window tumbling 10s emit { c: count(), d: distinct(n) }`, []string{`{"c":3,"d":3}`}, 5},
		"hopping windows each for itself":  {`from a window hopping 8s every 4s emit { v: values(n) }`, []string{`{"v":[0,1,2]}`, `{"v":[0,1,2]}`, `{"v":[4,5,6]}`}, 7},
		"a batch holds what the rule says": {`from a window batch 5 emit { m: median(n) }`, []string{`{"m":2}`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			set := windowRule(t, "rule r { "+c.rule+" }")
			o := enginetest.Options{Limits: machine.Limits{EventsPerWindow: 3}, Final: true}
			records := at(0, 1, 2, 3, 4, 5, 6, 7)
			var got []string
			for _, a := range readAlerts(t, everywhere(t, set, records, o)) {
				got = append(got, string(a.Fields))
			}
			res, err := enginetest.Run(t.Context(), set, []enginetest.Stream{{Name: "p", Records: records}}, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if d := res.Stats.Rules[0].Dropped.WindowEvents; d != c.dropped {
				t.Errorf("%d events dropped, want %d", d, c.dropped)
			}
		})
	}
}

// TestKeysWithoutAnOpenWindowAreForgotten, unless `once` has to know that they held.
func TestKeysWithoutAnOpenWindowAreForgotten(t *testing.T) {
	set := windowRule(t, `
		rule forgets { from a by n window session 10s }
		rule remembers { from a by n window tumbling 10s having count() > 1 once }`)
	records := at(1, 2, 2, 3, 50)
	store := durable(t, t.TempDir())
	defer store.Close()
	for range 2 {
		res, err := enginetest.Run(t.Context(), set, []enginetest.Stream{{Name: "p", Records: records}}, enginetest.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		if got := []int{res.Stats.Rules[0].Keys, res.Stats.Rules[1].Keys}; !slices.Equal(got, []int{1, 2}) {
			t.Errorf("keys %v, want one with an open session; one with a window and one that held", got)
		}
	}
}
