package redact_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/redact"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

const declared = `
event payment (time: at, id: no) { at time  no string  card string  pin int  amount float  shop string  customer any  more any }
event login (time: at) { at time  user string  card string }
event suspicion (id: mark) { mark string  who string  why string }
table usual by card from payment { n: count()  last_card: last(card)  mean: avg(amount)  most: max(pin) }
`

func options(mask bool) redact.Options {
	return redact.Options{
		Key: []byte("a key for tests alone"), Mask: mask,
		Fields: map[string][]string{"payment": {"card", "pin", "customer.email", "iban"}, "login": {"card"}},
	}
}

// The values that must show nowhere.
const (
	card  = "4111-1111"
	pin   = "73519"
	email = "ann@example.org"
	iban  = "DE0212345"
)

func payment(second int, amount float64) []byte {
	return fmt.Appendf(nil, `{"type":"payment","at":"2026-01-01T00:00:%02dZ","no":"p%d","card":%q,"pin":%s,"amount":%g,"shop":"S1","customer":{"name":"Ann","email":%q},"iban":%q,"more":[{"c\u0061rd":%q,"customer.email":%q}]}`,
		second, second, card, pin, amount, email, iban, card, email)
}

var records = [][]byte{
	payment(1, 1), payment(2, 10), payment(3, 200),
	fmt.Appendf(nil, `{"type":"login","at":"2026-01-01T00:00:04Z","user":"ann","card":%q}`, card),
	payment(5, 3000),
}

// alerts are what a rule gives, as JSON, one a line.
func alerts(t testing.TB, r *redact.Redactor, rules string) (set *plan.Set, out []string) {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared + rules}})
	if errs.HasErrors() {
		t.Fatalf("%s\n%v", rules, errs)
	}
	take := func(a *event.Alert) { out = append(out, string(a.AppendJSON(nil))) }
	o := engine.Options{
		Set: set, Inputs: []engine.Input{{Source: &trial.Records{Name: "x", Texts: records, Times: make([]int64, len(records))}}},
		Shards: 1, Final: true, Steps: []engine.IdleStep{}, Shadow: take,
	}
	if r != nil {
		o.Redact = r.Alert
	}
	if _, err := trial.Run(context.Background(), o, take); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Errorf("no alert of %s", rules)
	}
	return set, out
}

// secretsIn are the secret values that stand in a text.
func secretsIn(text string) (found []string) {
	for _, s := range []string{card, pin, email, iban, "73520", "147038"} { // pin + 1, twice the pin
		if strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	return found
}

// waysOut are rules that show secrets, each in another way.
var waysOut = map[string]string{
	"the key":                  `rule r { from payment by card emit { n: amount } }`,
	"a key of two parts":       `rule r { from payment by shop, card emit { n: amount } }`,
	"the key by its name":      `rule r { by card match a: payment -> b: payment within 1m emit { who: card } }`,
	"a field":                  `rule r { from payment emit { who: card, code: pin } }`,
	"worked out":               `rule r { from payment emit { a: "card " + card, b: pin + 1, c: upper(card), d: pin > 5 ? pin : 0, e: [card], f: "${card}!" } }`,
	"a member":                 `rule r { from payment emit { mail: customer.email, who: customer } }`,
	"an aggregate":             `rule r { from payment by shop window sliding 1m emit { a: sum(pin), b: max(pin), c: last(card), d: collect(card, 3), e: values(card), f: top(card, 2) } }`,
	"an aggregate of a key":    `rule r { from payment by card window tumbling 1m emit { a: first(pin), n: count() } }`,
	"a step":                   `rule r { by shop match a: payment{2,} -> b: payment[card == last(a).card and amount > 1000] within 1m emit { x: b.card, y: first(a).pin, z: max(a.pin), l: last(a).card } }`,
	"steps of two types":       `rule r { match a: payment -> b: login[card == a.card] within 1m emit { who: b.card } }`,
	"a row":                    `rule r { from payment emit { a: usual[card].last_card, b: usual[card].most, c: usual[card] } }`,
	"a made event":             `rule s { from payment by card emit suspicion { who: card, why: "x" } } rule r { from suspicion by who emit { w: who, m: meta.id, k: mark } }`,
	"made from a made event":   `event second { w string } rule s { from payment emit suspicion { who: "no. " + card, why: "x" } } rule u { from suspicion emit second { w: who } } rule r { from second emit { a: w } }`,
	"a made event as a match":  `rule s { from payment by card emit suspicion { who: card, why: "x" } } rule r { match a: suspicion -> b: suspicion within 1m emit { n: a.who } }`,
	"a shadow":                 `rule r { mode shadow from payment by card emit { who: card } }`,
	"a let":                    `rule r { from payment let d = card + "x" emit { who: d } }`,
	"the record alone":         `rule r { from payment }`,
	"a name with dots":         `rule r { from payment emit { a: more, b: more[0]["customer.email"] } }`,
	"a record in a text":       `rule r { from payment emit { a: "${customer}", b: toJSON(customer), c: string(customer), d: map([customer], {"${#}"}) } }`,
	"a record of an aggregate": `rule r { from payment by shop window sliding 1m emit { a: "${last(customer)}", b: collect(customer, 2) } }`,
	"a record of a step":       `rule r { match a: payment -> b: payment within 1m emit { z: toJSON(a.customer) } }`,
	"a name as it runs":        `rule r { from payment let k = "ema" + "il" emit { a: customer[k] } }`,
	"a record in a made event": `event second { c any } rule s { from payment emit second { c: customer } } rule r { from second emit { a: c, b: c.email, c: "${c}" } }`,
	"a record in a row":        `table t by shop from payment { c: last(customer) } event tick { shop string } rule s { from payment emit tick { shop: shop } } rule r { from tick emit { a: t[shop].c, b: t[shop].c.email, c: "${t[shop].c}" } }`,
	"a list predicate":         `rule r { from payment emit { a: map([card], {# + "x"}), b: filter([pin], {# > 1}) } }`,
}

func TestNoSecretLeavesByAlerts(t *testing.T) {
	for _, mask := range []bool{false, true} {
		r := redact.New(options(mask))
		for name, rules := range waysOut {
			t.Run(name, func(t *testing.T) {
				_, plain := alerts(t, nil, rules)
				if len(secretsIn(strings.Join(plain, "\n"))) == 0 {
					t.Errorf("nothing secret is shown anyhow: the test shows nothing\n%s", strings.Join(plain, "\n"))
				}
				_, out := alerts(t, r, rules)
				if len(out) != len(plain) {
					t.Errorf("%d alerts, %d without redacting", len(out), len(plain))
				}
				for i, a := range out {
					if found := secretsIn(a); len(found) > 0 {
						t.Errorf("%q in\n%s\nfrom\n%s", found, a, plain[i])
					}
					if !json.Valid([]byte(a)) {
						t.Errorf("not JSON: %s", a)
					}
				}
				checkIDs(t, plain, out)
			})
		}
	}
}

// checkIDs: an id is made of the key, which could be found by trying; so it must be another,
// and as unlike others as it was.
func checkIDs(t *testing.T, plain, redacted []string) {
	t.Helper()
	seen := map[string]bool{}
	for i := range redacted {
		before, after := idOf(plain[i]), idOf(redacted[i])
		if before == after || len(after) != len(before) || seen[after] {
			t.Errorf("id %s became %s", before, after)
		}
		seen[after] = true
	}
}

func idOf(alert string) string {
	var a struct{ ID string }
	_ = json.Unmarshal([]byte(alert), &a)
	return a.ID
}

func TestWhatIsNotSecretStays(t *testing.T) {
	r := redact.New(options(false))
	for name, c := range map[string]struct{ rule, want string }{
		"a comparison":      {`rule r { from payment emit { a: card == "x", b: pin > 5 } }`, `"fields":{"a":false,"b":true}`},
		"of a list":         {`rule r { from payment emit { a: len([customer]), b: customer == nil } }`, `"fields":{"a":1,"b":false}`},
		"a text of others":  {`rule r { from payment emit { a: "${shop} ${amount}" } }`, `"fields":{"a":"S1 1"}`},
		"how many":          {`rule r { from payment by shop window sliding 1m emit { n: count(), d: distinct(card) } }`, `"fields":{"n":2,"d":1}`},
		"another member":    {`rule r { from payment emit { s: shop, n: customer.name, a: amount } }`, `"fields":{"s":"S1","n":"Ann","a":1}`},
		"of a record":       {`rule r { from payment emit { c: customer } }`, `"name":"Ann"`},
		"another type":      {`rule r { from login by user emit { u: user } }`, `"key":{"user":"ann"}`},
		"in the record":     {`rule r { from payment }`, `"shop":"S1"`},
		"numbers as before": {`rule r { from payment }`, `"amount":1,`},
	} {
		_, out := alerts(t, r, c.rule)
		if !strings.Contains(strings.Join(out, "\n"), c.want) {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(out, "\n"), c.want)
		}
	}
	untouched := `rule r { from suspicion } rule s { from payment where false emit suspicion { who: shop, why: "x" } } rule l { from payment where shop == "S1" emit { n: 1 } }`
	_, out := alerts(t, redact.New(redact.Options{Key: []byte("k"), Fields: map[string][]string{"login": {"card"}}}), untouched)
	_, plain := alerts(t, nil, untouched)
	if strings.Join(out, "\n") != strings.Join(plain, "\n") {
		t.Errorf("alerts of rules that read nothing redacted have changed:\n%s\n%s", strings.Join(plain, "\n"), strings.Join(out, "\n"))
	}
}

// TestABoolIsNoComparison: where a bool itself is redacted, what is made of it tells all of it.
func TestABoolIsNoComparison(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: `event visit { ill bool  ward string }
rule r { from visit emit { a: ill, b: not ill, c: ill and true, d: ill ?? false, e: ward == "x" ? ill : false, f: ill == true, g: true != ill, h: ward == "x" } }`}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	a := event.Alert{ID: "1"}
	for _, f := range set.Rules[0].Inputs[0].Emit {
		a.Fields = append(a.Fields, event.Named{Name: f.Name, Value: event.OfBool(true)})
	}
	redact.New(redact.Options{Key: []byte("k"), Mask: true, Fields: map[string][]string{"visit": {"ill"}}}).Alert(set, set.Rules[0], &a)
	for _, f := range a.Fields {
		if shown := f.Value.Kind == event.Bool; shown != (f.Name == "h") {
			t.Errorf("%s: shown is %v", f.Name, shown)
		}
	}
}

// TestEqualValuesHaveEqualHashes: in the key, in fields and in records, as text and as number.
func TestEqualValuesHaveEqualHashes(t *testing.T) {
	r := redact.New(options(false))
	_, out := alerts(t, r, `rule r { from payment by card emit { c: card, p: pin } }`)
	var a struct {
		Key    map[string]string
		Fields map[string]string
		Events []struct {
			Event struct{ Card, Pin string }
		}
	}
	if err := json.Unmarshal([]byte(out[0]), &a); err != nil {
		t.Fatalf("%v: %s", err, out[0])
	}
	hash := a.Key["card"]
	if !strings.HasPrefix(hash, "redacted-") || len(hash) != len("redacted-")+20 || a.Fields["c"] != hash || strings.Count(out[0], hash) < 4 {
		t.Errorf("the card is %q in the key of %s", hash, out[0])
	}
	if p := a.Fields["p"]; strings.Count(out[0], p) != 2 || p == hash {
		t.Errorf("the pin is %q in the fields of %s", p, out[0])
	}
	_, other := alerts(t, redact.New(redact.Options{Key: []byte("another key"), Fields: options(false).Fields}), `rule r { from payment by card emit { c: card, p: pin } }`)
	if strings.Contains(other[0], hash) || idOf(other[0]) == idOf(out[0]) {
		t.Errorf("under another key: %s", other[0])
	}
}

func TestLetters(t *testing.T) {
	r := redact.New(options(false))
	for name, c := range map[string]struct{ record, reason, want string }{
		"a record":         {string(records[0]), `field pin: "73519" is no number`, `field pin: "***" is no number`},
		"of another type":  {`{"type":"x","a":{"card":"` + card + `"}}`, "undeclared", "undeclared"},
		"a name with dots": {`{"customer.email":"` + email + `","x.customer.email":"` + email + `","a":{"customer.email":{"b":"` + email + `"}}}`, "late: it is old", "late: it is old"},
		"an array":         {`[{"card":"` + card + `"}]`, "an array", "an array"},
		"a line of CSV":    {pin, "malformed CSV: 1 cells", "malformed CSV: 1 cells"},
		"a quoted line":    {`"` + card + `"`, "malformed CSV: 1 cells", "malformed CSV: 1 cells"},
		"binary data":      {`{"specversion":"1.0","data_base64":"` + card + `"}`, "CloudEvents envelope with binary data", "CloudEvents envelope with binary data"},
		"data as text":     {`{"specversion":"1.0","data":"{\"card\":\"` + card + `\"}"}`, "CloudEvents envelope whose data is not an object", "CloudEvents envelope whose data is not an object"},
		"data":             {`{"specversion":"1.0","data":{"card":"` + card + `"}}`, "late: it is old", "late: it is old"},
		"a short value":    {`{"card":"a"}`, `late: it is a year after "a"`, `late: it is *** year after "***"`},
		"no JSON":          {`card=` + card + `&pin=` + pin, `malformed JSON at byte 1: "card=` + card + `"`, `malformed JSON at byte 1: ***`},
		"cut short":        {`{"card":"` + card, "malformed JSON at byte 20", "malformed JSON at byte 20"},
		"two of them":      {`{"card":"` + card + `"} {"card":"` + card + `"}`, "more follows", "more follows"},
		"deep":             {strings.Repeat(`{"card2":`, 5000) + `"` + card + `"` + strings.Repeat("}", 5000), "too deep", "too deep"},
	} {
		record, reason := r.Letter([]byte(c.record), c.reason)
		if found := secretsIn(string(record) + reason); len(found) > 0 {
			t.Errorf("%s: %q in %s, %s", name, found, record, reason)
		}
		if reason != c.want {
			t.Errorf("%s: reason %q, want %q", name, reason, c.want)
		}
		if again, _ := r.Letter(record, reason); string(again) != string(record) {
			t.Errorf("%s: redacted again it is another:\n%s\n%s", name, record, again)
		}
	}
}

func TestReasonsOfRules(t *testing.T) {
	r := redact.New(options(false))
	for text, want := range map[string]string{
		"arithmetic on string and int":                                    "arithmetic on string and int",
		"error parsing regexp: missing closing ): `(no: " + card + ": x`": "error parsing regexp: missing closing ): ***",
		"call f(a0): cannot take " + card:                                 "call f(a0): ***",
	} {
		if got := r.Reason(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

// TestSeveralSetsAtOnce: each has its own secrets, whichever was asked for last.
func TestSeveralSetsAtOnce(t *testing.T) {
	r := redact.New(options(true))
	var sets []*plan.Set
	for _, field := range []string{"card", "shop", "pin", "shop", "card"} {
		set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared + `rule r { from payment emit { a: ` + field + ` } }`}})
		if errs.HasErrors() {
			t.Fatal(errs)
		}
		sets = append(sets, set)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(sets)-1).Draw(t, "set")
		a := event.Alert{Fields: []event.Named{{Name: "a", Value: event.OfString("plain")}}}
		r.Alert(sets[at], sets[at].Rules[0], &a)
		if hidden := a.Fields[0].Value.S != "plain"; hidden != (at != 1 && at != 3) {
			t.Fatalf("set %d: hidden is %v", at, hidden)
		}
	})
}

func TestTold(t *testing.T) {
	r := redact.New(options(false))
	set, _ := alerts(t, r, `rule r { from payment by card window sliding 1m emit { a: last(card), b: count() } } rule s { from payment emit suspicion { who: card, why: "x" } } rule m { from suspicion }`)
	for name, c := range map[string]struct{ of, text, keeps string }{
		"a rule":          {"r", `{"key":{"card":"` + card + `"},"windows":[{"values":{"last(card)":"` + card + `","count()":3},"newest":[{"event":` + string(records[0]) + `}]}]}`, `"count()":3`},
		"of a made event": {"m", `{"key":{"shop":"S1"},"windows":[{"newest":[{"event":{"type":"suspicion","who":"` + card + `","why":"x"}}]}]}`, `"why":"x"`},
		"a table":         {"usual", `{"key":{"key":"` + card + `"},"row":{"n":2,"last_card":"` + card + `","most":` + pin + `,"mean":4.5}}`, `"mean":4.5`},
	} {
		out := string(r.Told(set, c.of, []byte(c.text)))
		if found := secretsIn(out); len(found) > 0 || !strings.Contains(out, c.keeps) {
			t.Errorf("%s: %q in %s", name, found, out)
		}
	}
}

// TestRewritingKeepsAllElse compares with a plain twin: decode, replace, encode.
func TestRewritingKeepsAllElse(t *testing.T) {
	r := redact.New(redact.Options{Key: []byte("k"), Mask: true, Fields: map[string][]string{"e": {"s", "a.t"}}})
	rapid.Check(t, func(t *rapid.T) {
		v := any([]any{drawn(t, 3)})
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := r.Letter(text, "")
		want, err := json.Marshal(replaced(v, nil))
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%s\nbecame %s\nwant   %s", text, got, want)
		}
	})
}

func drawn(t *rapid.T, depth int) any {
	kinds := []string{"text", "number", "nil"}
	if depth > 0 {
		kinds = append(kinds, "object", "object", "list")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "text":
		return rapid.String().Draw(t, "text")
	case "number":
		return rapid.Float64Range(-1e6, 1e6).Draw(t, "number")
	case "object":
		o := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			o[rapid.SampledFrom([]string{"s", "a", "t", "b", "é\""}).Draw(t, "name")] = drawn(t, depth-1)
		}
		return o
	case "list":
		l := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			l = append(l, drawn(t, depth-1))
		}
		return l
	}
	return nil
}

func replaced(v any, above []string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			under := len(above) > 0 && above[len(above)-1] == "a"
			if e != nil && (name == "s" || name == "t" && under) {
				out[name] = redact.Masked
			} else {
				out[name] = replaced(e, append(above[:len(above):len(above)], name))
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaced(e, above)
		}
		return out
	}
	return v
}

func TestUndeclaredTypesAreNamed(t *testing.T) {
	o := options(false)
	o.Fields["paymnet"] = []string{"card"}
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	if got := redact.New(o).Undeclared(set); fmt.Sprint(got) != "[paymnet]" {
		t.Errorf("got %v", got)
	}
	if redact.New(redact.Options{}) != nil {
		t.Error("a redactor of nothing is not nil")
	}
}

func FuzzLetter(f *testing.F) {
	r := redact.New(options(false))
	for _, record := range records {
		f.Add(record)
	}
	f.Add([]byte(`{"card":"4111-1111","card":[1,2]}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		out, _ := r.Letter(record, "why")
		if json.Valid(record) && !json.Valid(out) && len(out) > 0 && out[0] != 'a' {
			t.Errorf("%q became %q", record, out)
		}
	})
}

// TestWhatASourceSaysOfARecord: its key and headers, which are no members.
func TestWhatASourceSaysOfARecord(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared + `rule r { from payment let k = meta.key let h = meta.headers.card by k, h emit { n: amount } }`}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	r := redact.New(redact.Options{Key: []byte("k"), Fields: map[string][]string{"payment": {"meta.key"}}})
	got := string(r.Told(set, "r", []byte(`{"key":{"k":"one","h":"two"}}`)))
	if strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("got %s", got)
	}
}
