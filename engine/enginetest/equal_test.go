package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestEngineAgreesWithReference runs random rules over random streams in the engine and
// in the reference.
func TestEngineAgreesWithReference(t *testing.T) { repeat(t, 30, agree) }

// repeat checks a law on so many hundreds of random cases, or on CEPHEUS_LAW_ROUNDS
// hundreds where that is set. They are the same cases in every run, so that a run that
// turns red does so by what was changed; from another CEPHEUS_LAW_SEED on, as make fuzz
// sets it, they are others.
func repeat(t *testing.T, rounds int, law func(*rapid.T)) {
	rounds, seed := setting("CEPHEUS_LAW_ROUNDS", rounds), setting("CEPHEUS_LAW_SEED", 1)
	was := flag.Lookup("rapid.seed").Value.String()
	defer flag.Set("rapid.seed", was)
	for round := range rounds {
		if was == "0" {
			flag.Set("rapid.seed", strconv.Itoa(seed+round))
		}
		rapid.Check(t, law)
	}
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// FuzzReference is the same for coverage-guided search: make fuzz.
func FuzzReference(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree)) }

// agree is the law: the engine's alerts are those of the reference.
func agree(t *rapid.T) {
	defer skipTooMany(t)
	m := &maker{t: t}
	h := &history{rules: m.ruleSet()}
	h.streams = m.streams(h.mostEvents())
	compareWithReference(t, h.rules, h.streams, m.chance(50))
}

// skipTooMany, deferred, skips a case that the reference gave up.
func skipTooMany(t *rapid.T) {
	if r := recover(); r == (tooMany{}) {
		t.Skip("too many matches for the reference to hold")
	} else if r != nil {
		panic(r)
	}
}

// tester is what both *testing.T and *rapid.T are.
type tester interface {
	rapid.TB
	Context() context.Context
}

// compareWithReference fails where the two differ, with as few rules and records of
// those given as still do.
func compareWithReference(t tester, rules string, streams []Stream, final bool) {
	t.Helper()
	diff := difference(t, compile(t, rules), rules, streams, final)
	if diff == "" {
		return
	}
	rules, streams = reduce(rules, streams, func(rules string, streams []Stream) bool {
		set, errs := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
		return !errs.HasErrors() && difference(t, set, rules, streams, final) != ""
	})
	diff = difference(t, compile(t, rules), rules, streams, final)
	t.Fatalf("%s\nfinal: %v\n(-reference +engine):\n%s", situation(rules, streams), final, diff)
}

// difference is empty where the engine's alerts are those of the reference.
func difference(t tester, set *plan.Set, rules string, streams []Stream, final bool) string {
	t.Helper()
	res, err := Run(t.Context(), set, streams, Options{Final: final})
	if err != nil {
		return err.Error()
	}
	var got, want []string
	for _, a := range res.Alerts {
		got = append(got, canonical(t, a, "id", "version", "severity", "title", "tags"))
	}
	for _, a := range evaluate(rules, streams, final) {
		want = append(want, canonical(t, a.json()))
	}
	return cmp.Diff(want, likeNumbers(want, got))
}

// reduce takes out rules, lines of rules and records, one after the other, as long as
// what is left still fails.
func reduce(rules string, streams []Stream, fails func(string, []Stream) bool) (string, []Stream) {
	for _, rule := range strings.SplitAfter(rules, "\n}\n") {
		if at := strings.Index(rule, "rule "); at >= 0 {
			if fewer := strings.Replace(rules, rule[at:], "", 1); fails(fewer, streams) {
				rules = fewer
			}
		}
	}
	for _, line := range strings.SplitAfter(rules, "\n") {
		if fewer := strings.Replace(rules, line, "", 1); strings.HasPrefix(line, "    ") && fails(fewer, streams) {
			rules = fewer
		}
	}
	for i := range streams {
		for k := len(streams[i].Records) - 1; k >= 0; k-- {
			fewer := slices.Clone(streams)
			fewer[i].Records = slices.Delete(slices.Clone(streams[i].Records), k, k+1)
			if fails(rules, fewer) {
				streams = fewer
			}
		}
	}
	return rules, streams
}

func compile(t tester, rules string) *plan.Set {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
	for _, e := range errs {
		if e.Severity == source.Err && (e.Code == "R407" || e.Code == "R408" || e.Code == "R402") {
			t.Skip("bounds that contradict, or a pattern that needs no event")
		}
	}
	if errs.HasErrors() {
		t.Fatalf("%v\n%s", errs, rules)
	}
	return set
}

// situation shows rules and streams.
func situation(rules string, streams []Stream) string {
	var b strings.Builder
	b.WriteString(rules)
	for _, s := range streams {
		fmt.Fprintf(&b, "-- %s --\n%s\n", s.Name, strings.Join(s.Records, "\n"))
	}
	return b.String()
}

// canonical writes a JSON object with one member a line, without some of its members.
func canonical(t tester, text string, without ...string) string {
	t.Helper()
	var b strings.Builder
	d := json.NewDecoder(strings.NewReader(text))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(without, name.(string)) {
			fmt.Fprintf(&b, "%s: %s\n", name, compact(raw))
		}
	}
	return b.String()
}

func compact(raw []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}

var numbers = regexp.MustCompile(`-?\d+(\.\d+)?([eE][-+]?\d+)?`)

// likeNumbers writes the numbers of want into got where they are the same to 1e-9: sums
// may be taken in another order.
func likeNumbers(want, got []string) []string {
	out := slices.Clone(got)
	for i := range min(len(want), len(got)) {
		theirs := numbers.FindAllString(want[i], -1)
		n := -1
		out[i] = numbers.ReplaceAllStringFunc(got[i], func(mine string) string {
			if n++; n < len(theirs) && nearly(theirs[n], mine) {
				return theirs[n]
			}
			return mine
		})
	}
	return out
}

func nearly(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y), 1e-2)
}

// json renders the alert of the reference as the engine does, without what follows from
// the rule alone.
func (a *alert) json() string {
	var b strings.Builder
	first, last := a.about, a.about
	if len(a.events) > 0 {
		first, last = a.events[0].event, a.events[len(a.events)-1].event
	}
	fmt.Fprintf(&b, `{"rule":%q,"key":%s,"time":%q,"start":%q,"end":%q,`, a.rule, object(a.keyNames, a.key),
		rfc3339(a.time), rfc3339(first.own), rfc3339(last.own))
	if a.window != nil {
		fmt.Fprintf(&b, `"window":{"start":%q,"end":%q},`, rfc3339(a.window.start), rfc3339(a.window.end))
	}
	if a.final {
		b.WriteString(`"final":true,`)
	}
	fmt.Fprintf(&b, `"fields":%s,"suppressed":%d,"events_total":%d,"events":[`, object(a.names, a.fields), a.suppressed, len(a.events))
	shown := a.events
	switch {
	case len(shown) > 20 && shown[0].step == "":
		shown = shown[len(shown)-20:]
	case len(shown) > 20:
		shown = append(append([]taken(nil), shown[:10]...), shown[len(shown)-10:]...)
	}
	for i, e := range shown {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		if e.step != "" {
			fmt.Fprintf(&b, `"step":%q,`, e.step)
		}
		fmt.Fprintf(&b, `"time":%q,"event":%s}`, rfc3339(e.event.own), e.event.raw)
	}
	return b.String() + "]}"
}

func object(names []string, values []any) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", name, inJSON(values[i]))
	}
	return b.String() + "}"
}

func inJSON(v any) string {
	switch v := v.(type) {
	case instant:
		return strconv.Quote(rfc3339(int64(v)))
	case []any:
		var items []string
		for _, x := range v {
			items = append(items, inJSON(x))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}
