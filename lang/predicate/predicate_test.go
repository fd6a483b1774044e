package predicate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/windows"
)

func typ(k event.Kind) event.Type { return event.Type{Kind: k} }

func listType(k event.Kind) event.Type { return event.Type{Kind: event.List, Elem: ref(typ(k))} }

// payment is a type with a field of every kind.
func payment() *plan.Type {
	t := &plan.Type{Schema: event.Schema{Name: "payment", Fields: []event.Field{
		{Name: "amount", Type: typ(event.Float)},
		{Name: "count", Type: typ(event.Int)},
		{Name: "card", Type: typ(event.String)},
		{Name: "from", Type: typ(event.IP)},
		{Name: "at", Type: typ(event.Time)},
		{Name: "took", Type: typ(event.Duration)},
		{Name: "ok", Type: typ(event.Bool)},
		{Name: "raw", Type: typ(event.Any)},
		{Name: "xs", Type: listType(event.Int)},
		{Name: "tags", Type: listType(event.String)},
		{Name: "odd name", Type: typ(event.Int)},
		{Name: "map", Type: typ(event.Int)},
		{Name: "if", Type: typ(event.Int)},
		{Name: "now", Type: typ(event.Int)},
		{Name: "geo", Type: event.Type{Kind: event.Record, Fields: []event.Field{
			{Name: "lat", Type: typ(event.Float)}, {Name: "city", Type: typ(event.String)},
		}}},
		{Name: "items", Type: event.Type{Kind: event.List, Elem: &event.Type{Kind: event.Record, Fields: []event.Field{
			{Name: "price", Type: typ(event.Float)}, {Name: "n", Type: typ(event.Int)},
		}}}},
	}}}
	t.Layout.Schema = &t.Schema
	return t
}

// aggs numbers the aggregates it is given.
type aggs struct{ calls []AggCall }

func (a *aggs) Aggregate(call AggCall) (int, error) {
	for i, c := range a.calls {
		if c.Func == call.Func && c.Window == call.Window && c.Step == call.Step && c.Text == call.Text && c.Param == call.Param {
			return i, nil
		}
	}
	a.calls = append(a.calls, call)
	return len(a.calls) - 1, nil
}

func (a *aggs) String() string {
	var out []string
	for _, c := range a.calls {
		out = append(out, fmt.Sprintf("%s(%s) window %d step %d", c.Func, c.Text, c.Window, c.Step))
	}
	return strings.Join(out, "; ")
}

func span(text string) source.Span {
	f := &source.File{Name: "t.cep", Text: "  " + text + " "}
	return source.Span{File: f, Start: 2, End: 2 + len(text)}
}

func fileOf(f *plan.File) *File { return &File{File: f, Number: len(f.Name)} }

func merchants() *plan.File {
	return &plan.File{Name: "merchants", Key: "id", Columns: []event.Field{
		{Name: "id", Type: typ(event.String)}, {Name: "risk", Type: typ(event.Float)}, {Name: "odd name", Type: typ(event.Int)},
	}}
}

// globals are some top-level names.
func globals(event *plan.Type) *Globals {
	return &Globals{
		Lets: []Let{{"limit", span("10 * 2")}, {"loop", span("loop2 + 1")}, {"loop2", span("loop + 1")}, {"big", span("amount > 3")}},
		Fns: []Fn{
			{Name: "over", Params: []Param{{Name: "x", Event: event}, {Name: "n", Type: typ(4 - 1)}}, Body: span("x.amount > n")},
			{Name: "twice", Params: []Param{{Name: "n", Type: typ(3)}}, Body: span("n + n")},
			{Name: "forever", Params: []Param{{Name: "n", Type: typ(3)}}, Body: span("forever(n)")},
			{Name: "has", Params: []Param{{Name: "n", Type: typ(2)}}, Body: span("any([1, 2], # == n)")},
		},
		Lists: []List{
			{Name: "nets", Expr: span(`["10.0.0.0/8", "192.168.1.1"]`)},
			{Name: "names", Expr: span(`["ann", "bob"]`)},
			{Name: "file", File: fileOf(&plan.File{Name: "file"})},
		},
		Tables: []Table{{Name: "merchants", File: fileOf(merchants())}, {Name: "totals"}},
	}
}

// atHand is the scope of a filter's condition.
func atHand() *Scope {
	t := payment()
	return &Scope{
		Place: "where", Event: t, Globals: globals(t), NoAggs: "a filter has no window",
		Lets: []Let{{"double", span("amount * 2")}, {"self", span("self or ok")}, {"wrong", span(`amount + "x"`)}},
		Keys: []Key{{Name: "card", Type: typ(event.String), IsField: true}, {Name: "who", Type: typ(event.String)}},
	}
}

// inWindow is the scope of having in a sliding window.
func inWindow() (*Scope, *aggs) {
	s, a := atHand(), &aggs{}
	s.Aggs, s.Windows = a, []string{""}
	return s, a
}

// inPattern is the scope of the condition of the repeated step small, after a.
func inPattern() (*Scope, *aggs) {
	s, a := atHand(), &aggs{}
	kept := false
	s.Aggs, s.Keys = a, nil
	s.Steps = []Step{
		{Name: "a", Number: 0, Type: payment()},
		{Name: "small", Number: 1, Type: payment(), Repeats: true, Own: true, KeepAll: &kept},
		{Name: "later", Number: 2, Type: payment(), Why: "is taken later"},
	}
	return s, a
}

func TestExpressionsCompileToCanonicalText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// literals
		{`1_000 + 1`, `1001`},
		{`0x10`, `16`},
		{`010`, `10`},
		{`.5`, `0.5`},
		{`1e3`, `1000.0`},
		{`'raw \n'`, `"raw \\n"`},
		{`"tab\t"`, `"tab\t"`},
		{`1h30m`, `5400000000000ns`},
		{`250ms`, `250000000ns`},
		{`2w`, `1209600000000000ns`},
		{`"$ ${amount} and ${"in ${card}"}!"`, `(text "$ " amount " and " (text "in " card) "!")`},
		{`"\${amount}"`, `"${amount}"`},
		{`"${card}"`, `(text card)`},
		{`""`, `""`},
		{"`odd name` + 1", "(+ `\"\\\"odd name\\\"\" 1)"},
		{`1 /* one */ + // two
		 count`, `(+ 1 count)`},
		// names that are words of expr
		{`map + now`, `(+ map now)`},
		{`if > 1`, `(> if 1)`},
		{`geo.lat`, `geo.lat`},
		{`raw.let`, `(.let raw)`},
		{`raw.in.not`, `(.not (.in raw))`},
		// types
		{`amount > 5`, `(> amount 5.0)`},
		{`count > 5`, `(> count 5)`},
		{`count > 5.5`, `(> (to float count) 5.5)`},
		{`count / 2`, `(/ count 2)`},
		{`count + amount`, `(+ (to float count) amount)`},
		{`at - meta.time > 1h`, `(> (- at @meta.time) 3600000000000ns)`},
		{`took * 2 < 1m`, `(< (* took 2) 60000000000ns)`},
		{`took / 1s`, `(/ took 1000000000ns)`},
		{`-5s`, `-5000000000ns`},
		{`at + 1m`, `(+ at 60000000000ns)`},
		{`from == "10.0.0.1"`, `(== from ip"10.0.0.1")`},
		{`from == "::FFFF:10.0.0.1"`, `(== from ip"10.0.0.1")`},
		{`from == card`, `(== from (to ip card))`},
		{`at > "2026-01-02T03:04:05Z"`, `(> at time1767323045000000000)`},
		{`card + "x"`, `(+ card "x")`},
		{`raw > 5`, `(> raw 5)`},
		{`raw + 1`, `(+ raw 1)`},
		{`amount > nil`, `false`},
		{`amount == nil`, `(== amount nil)`},
		{`nil + 1`, `nil`},
		{`card ?? "none"`, `(?? card "none")`},
		{`ok ? 1 : 2.5`, `(?: ok 1.0 2.5)`},
		{`ok ? 1 : nil`, `(?: ok 1 nil)`},
		{`true ? 1 : 2`, `1`},
		{`not true`, `false`},
		{`false and ok`, `false`},
		{`1 < amount < 5`, `(and (< 1.0 amount) (< amount 5.0))`},
		{`amount / 0`, `(/ amount 0)`},
		{`card not in ["a", "b"]`, `(not (in card ["a" "b"]))`},
		{`amount in [1, 2]`, `(in amount [1.0 2.0])`},
		{`count in [1, 2.5]`, `(in (to float count) [1.0 2.5])`},
		{`count in 1..3`, `(in count (range 1 3))`},
		{`count in xs`, `(in count xs)`},
		{`count in [map, now]`, `(in count (list map now))`},
		{`card matches '^a+$'`, `(matches card "^a+$")`},
		{`card contains "x" or card startsWith "y"`, `(or (contains card "x") (startsWith card "y"))`},
		{`(let x = amount * 2; x + x)`, `(+ (* amount 2.0) (* amount 2.0))`},
		// fields, lists, records
		{`geo.city == "Rome"`, `(== geo.city "Rome")`},
		{`geo?.city`, `geo.city`},
		{`geo["city"]`, `geo.city`},
		{`raw.a["b"]`, `(.b (.a raw))`},
		{`items[0].price`, `(.price (at items 0))`},
		{`xs[-1]`, `(at xs -1)`},
		{`tags[1:]`, `(slice tags 1 nil)`},
		{`{a: 1, "b": amount}`, `(record a: 1 b: amount)`},
		// functions
		{`len(card)`, `(len card)`},
		{`any(xs, # > 1)`, `(any xs (> #0 1))`},
		{`filter(items, .price > 1)`, `(filter items (> (.price #0) 1.0))`},
		{`any(xs, any(tags, len(#) > 1) and # > 1)`, `(any xs (and (any tags (> (len #1) 1)) (> #0 1)))`},
		{`count(xs, # > 1)`, `(count xs (> #0 1))`},
		{`sum(xs)`, `(sum xs)`},
		{`first(xs)`, `(first xs)`},
		{`max(amount, 1)`, `(max amount 1.0)`},
		{`max(xs)`, `(max xs)`},
		{`reduce(xs, #acc + #, 0)`, `(reduce xs (+ #acc0 #0) 0)`},
		{`map(xs, #index)`, `(map xs #index0)`},
		{`reverse(xs)`, `(native "reverse" xs)`},
		{`hour(at, "Europe/Berlin")`, `(hour at "Europe/Berlin")`},
		{`hours(took)`, `(hours took)`},
		{`geo_km(1, 2, geo.lat, amount)`, `(geo_km 1.0 2.0 geo.lat amount)`},
		{`cidr(from, "10.0.0.0/8")`, `(cidr from "10.0.0.0/8")`},
		{`split(card, "-")[0]`, `(at (split card "-") 0)`},
		// names of the rule set
		{`amount > limit`, `(> amount 20.0)`},
		{`double > 1`, `(> (* amount 2.0) 1.0)`},
		{`who == "x"`, `(== @key1 "x")`},
		{`card == "x"`, `(== card "x")`},
		{`over(payment, 5)`, `(> amount 5.0)`},
		{`twice(count)`, `(+ (to float count) (to float count))`},
		{`twice(twice(1))`, `4.0`},
		{`any(xs, has(#))`, `(any xs (any [1 2] (== #1 #0)))`},
		{`card in file`, `(infile file card)`},
		{`count not in file`, `(not (infile file count))`},
		{`nil in file`, `false`},
		{`"x" in file`, `(infile file "x")`},
		{`merchants[card].risk`, `(.risk (row merchants card))`},
		{`merchants["x"].risk`, `(.risk (row merchants "x"))`},
		{`merchants[count]["odd name"]`, "(.`\"odd name\" (row merchants count))"},
		{`merchants[card]?.risk`, `(.risk (row merchants card))`},
		{`merchants[card].risk > 1`, `(> (.risk (row merchants card)) 1.0)`},
		{`merchants[card] == nil`, `(not (infile merchants card))`},
		{`nil != merchants[card]`, `(infile merchants card)`},
		{`card in merchants`, `(infile merchants card)`},
		{`merchants[nil].risk`, `(.risk nil)`},
		{`merchants[merchants[card].id]`, `(row merchants (.id (row merchants card)))`},
		{`from in nets`, `(in_cidr from ["10.0.0.0/8" "192.168.1.1"])`},
		{`card in names`, `(in card ["ann" "bob"])`},
		{`meta.source`, `@meta.source`},
		{`meta.key`, `@meta.key`},
		{`meta.headers["trace-id"]`, `@meta.headers."trace-id"`},
		{`meta.headers.trace == "x"`, `(== @meta.headers.trace "x")`},
		{`meta["headers"]["a.b"] ?? meta.key`, `(?? @meta.headers."a.b" @meta.key)`},
	} {
		t.Run(c.text, func(t *testing.T) {
			e, errs := Compile(span(c.text), atHand(), event.Nil)
			if errs != nil {
				t.Fatalf("errors:\n%v", errs)
			}
			if got := e.String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWrongExpressionsSayWhatAndWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, `0-0 S024 an expression is missing`},
		{`amout > 5`, `0-5 R203 unknown field "amout" of payment; did you mean "amount"?`},
		{`amount > "5"`, `0-12 R205 cannot compare a float and a string; write 5 without quotes`},
		{`took > 5`, `0-8 R205 cannot compare a duration and an int; write a duration such as 10s, or take seconds()`},
		{`amount + card`, `0-13 R205 cannot add a float and a string; write it as one text: "… ${x} …"`},
		{`amount`, `0-6 R206 a condition is needed, this is a float; compare it with something`},
		{`not amount`, `4-10 R206 a condition is needed, this is a float; compare it with something`},
		{`ok > true`, `0-9 R205 a bool has no order`},
		{`lenn(card) > 1`, `0-4 R202 unknown function "lenn"; did you mean "len"?`},
		{`len() > 1`, `0-5 R207 len takes one argument, not 0`},
		{`hours(5) > 1`, `6-7 R207 hours needs a duration, this is an int`},
		{`card == NULL`, `8-12 R203 unknown field "NULL" of payment; what is missing is nil`},
		{`geo.citi == ""`, `4-8 R203 unknown field "citi" of geo; did you mean "city"?`},
		{`any(items, .prise > 1)`, `12-17 R203 unknown field "prise"; did you mean "price"?`},
		{`amount.x`, `7-8 R205 a float has no fields`},
		{`card matches '('`, "13-16 R215 not a regular expression: missing closing ): `(`; the syntax is RE2's; raw strings '…' need no double backslashes"},
		{`from == "nowhere"`, `8-17 R205 "nowhere" is no address`},
		{`from in ["x"]`, `8-13 R215 "x" is neither an address nor a block of addresses`},
		{`cidr(from, "10.0.0.0")`, `11-21 R215 "10.0.0.0" is not a block of addresses; a block is written as "10.0.0.0/8"`},
		{`card in [1]`, `0-11 R205 a list of int never holds a string`},
		{`"a" in card`, `7-11 R205 in needs a list, this is a string; write contains, with the whole text first`},
		{`hour(at, "Mars/Base") == 1`, `9-20 R215 unknown zone "Mars/Base"; zones are named as in "Europe/Berlin"`},
		{`count() > 5`, `0-7 R208 count cannot be used here: a filter has no window`},
		{`avg(amount) > 5`, `0-11 R208 avg cannot be used here: a filter has no window`},
		{`now() > at`, `0-3 R216 the function now is not part of the language: its result would depend on the clock; meta.time is the time of the event`},
		{`len(keys(raw)) > 1`, `4-8 R216 the function keys is not part of the language: its result would depend on the order of a map`},
		{`groupBy(xs, #) == nil`, `0-7 R216 the function groupBy is not part of the language: it makes a map, which has no order`},
		{`values(xs) == nil`, `0-6 R216 the function values is not part of the language: its result would depend on the order of a map`},
		{`xs | len() > 1`, `3-4 R218 pipes are not part of the language; call the function with the value as its first argument; for or write or`},
		{`let x = 1; x > 1`, `0-3 R218 let within an expression stands in parentheses only; write (let x = …; …)`},
		{`(ok; ok)`, `3-4 R218 expressions in a row are not part of the language`},
		{`if (ok) { ok } else { ok }`, `0-2 R218 if … else is not part of the language; write condition ? value : other`},
		{`amount >`, `7-8 S024 something is missing after ">"`},
		{`amount > > 5`, `9-10 S024 expected an operand after ">", found ">"`},
		{`amount 5`, `7-8 S024 unexpected "5"`},
		{`(amount > 5`, `0-1 S012 "(" is never closed`},
		{`amount > 5)`, `10-11 S012 ")" closes nothing`},
		{`amount > 5 @`, `11-12 S005 unexpected character '@'`},
		{`card == "a\q"`, `10-12 S008 unknown escape "\\q"; write \\ for a backslash, or a raw string in '…'`},
		{`card == "a`, `8-9 S006 the string does not end on its line; close it with "`},
		{`card == "${}"`, `9-12 S027 an empty ${}; write \${ for the characters themselves`},
		{`took > 5h7x`, `7-11 S010 unknown unit "x" in "5h7x"`},
		{`count > 99999999999999999999`, `8-28 S009 malformed or too great number "99999999999999999999"`},
		{`card ?? "x" + "y" == ""`, `12-13 S024 ?? and other operators do not mix without parentheses; put one of them in parentheses`},
		{`loop > 1`, `0-4 R213 the constant "loop" leads to itself`},
		{`self`, `0-4 R213 the let "self" leads to itself`},
		{`forever(1) > 1`, `0-7 R213 the fn "forever" leads to itself`},
		{`wrong > 1`, `0-12 R205 cannot add a float and a string; write it as one text: "… ${x} …"`},
		{`big`, `0-6 R201 unknown name "amount"`},
		{`twice(card) > 1`, `6-10 R207 the parameter "n": a float is needed, this is a string`},
		{`twice() > 1`, `0-7 R207 twice takes one argument, not 0`},
		{`over(5, 1)`, `5-6 R212 the parameter "x" needs an event of type payment; give a step, or the type's name for the event at hand`},
		{`len(file) > 1`, `4-8 R217 the list "file" comes from a file and is no value of its own; write x in file`},
		{`ok in file`, `0-2 R205 a list from a file holds text, numbers or addresses, this is a bool`},
		{`merchants[at].risk > 1`, `10-12 R205 the keys of a table are text, numbers or addresses, this is a time`},
		{`merchants[card].rsk > 1`, `16-19 R203 unknown field "rsk" of the table merchants; did you mean "risk"?`},
		{`merchants.risk > 1`, `0-9 R217 the table "merchants" is read by key; write merchants[x].field`},
		{`merchants == nil`, `0-9 R217 the table "merchants" is read by key; write merchants[x].field`},
		{`totals[card].n > 1`, `7-11 R217 the table totals cannot be read: its declaration is wrong`},
		{`# > 1`, `0-1 R219 # stands in list predicates only`},
		{`matches() > 1`, `0-9 R217 matches() is counted by match all only`},
		{`window.start == at`, `0-6 R210 window.start and window.end are set in tumbling, hopping, session and batch windows only`},
		{`meta.key.x`, `9-10 R205 a string has no fields`},
		{`meta.headers`, `5-12 R212 meta.headers is no value; name a header: meta.headers["name"]`},
		{`meta.headers[upper("x")]`, `5-12 R212 meta.headers is no value; name a header: meta.headers["name"]`},
		{`meta.headers["a"]["b"]`, `18-21 R205 a string has no fields`},
		{`meta.key > 3`, `0-12 R205 cannot compare a string and an int; put the number in quotes, or convert the text with float()`},
		{`meta.who == ""`, `5-8 R203 unknown field "who" of meta; there are meta.type, meta.id, meta.time, meta.source, meta.key and meta.headers`},
		{`meta.tme == nil`, `5-8 R203 unknown field "tme" of meta; did you mean "time"?`},
		{`meta == nil`, `0-4 R212 meta is no value; read meta.type, meta.id, meta.time, meta.source, meta.key or a header: meta.headers["name"]`},
		{`"${amount +}" == ""`, `11-12 S024 expected an operand after "+", found "}"`},
		{`"${amount card}" == ""`, `10-14 S024 unexpected "card"`},
		{`(amount +) > 1`, `9-10 S024 expected an operand after "+", found ")"`},
		{`true ? from : "nowhere"`, `14-23 R205 "nowhere" is no address`},
		{strings.Repeat("(", 201) + "ok" + strings.Repeat(")", 201), `200-201 S011 brackets are nested more than 200 levels deep; name the inner parts with let or fn`},
		{strings.Repeat("not ", 201) + "ok", `800-803 S011 more than 200 operators in a row`},
	} {
		t.Run(c.text, func(t *testing.T) {
			e, errs := Compile(span(c.text), atHand(), event.Bool)
			if e != nil || len(errs) == 0 {
				t.Fatalf("got %v and %d errors, want %s", e, len(errs), c.want)
			}
			if got := show(errs[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func show(e source.Error) string {
	out := fmt.Sprintf("%d-%d %s %s", e.Span.Start-2, e.Span.End-2, e.Code, e.Message)
	if e.Mend != "" {
		out += "; " + e.Mend
	}
	return out
}

func TestAllErrorsComeAtOnce(t *testing.T) {
	_, errs := Compile(span(`amout > 5 and card > 5 and lenn(xs) == 1 and "${carrd}" == ""`), atHand(), event.Bool)
	var got []string
	for _, e := range errs {
		got = append(got, e.Code)
	}
	if diff := cmp.Diff([]string{"R203", "R205", "R202", "R203"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAmbiguousNamesAreErrors(t *testing.T) {
	s := atHand()
	s.Lets = append(s.Lets, Let{"amount", span("1")})
	s.Keys = append(s.Keys, Key{Name: "count", Type: typ(event.Int)})
	for _, c := range []struct{ text, want string }{
		{`amount > 1`, `0-6 R204 "amount" could mean two things: a field of payment, or a let of the rule; rename one of them`},
		{`count > 1`, `0-5 R204 "count" could mean two things: a field of payment, or a part of the key; rename one of them`},
	} {
		_, errs := Compile(span(c.text), s, event.Bool)
		if len(errs) != 1 || show(errs[0]) != c.want {
			t.Errorf("%s: got %v, want %s", c.text, errs, c.want)
		}
	}
}

func TestAggregatesOverWindows(t *testing.T) {
	for _, c := range []struct{ text, want, aggs string }{
		{`count() >= 5 and sum(amount) > 2_000`, `(and (>= @agg0 5) (> @agg1 2000.0))`, `count() window 0 step -1; sum(amount) window 0 step -1`},
		{`avg(amount) > avg(amount) * 2`, `(> @agg0 (* @agg0 2.0))`, `avg(amount) window 0 step -1`},
		{`count(amount > 5) > 1`, `(> @agg0 1)`, `count(if (> amount 5.0)) window 0 step -1`},
		{`count(ok) > 1`, `(> @agg0 1)`, `count(if ok) window 0 step -1`},
		{`count(card) > 1`, `(> @agg0 1)`, `count(card) window 0 step -1`},
		{`percentile(amount, 99) > amount`, `(> @agg0 amount)`, `percentile(amount) window 0 step -1`},
		{`last(card) == card`, `(== @agg0 card)`, `last(card) window 0 step -1`},
		{`sum(xs) > sum(count)`, `(> (sum xs) @agg0)`, `sum(count) window 0 step -1`},
		{`any(items, .price > avg(amount))`, `(any items (> (.price #0) @agg0))`, `avg(amount) window 0 step -1`},
		{`any(items, max([.price, 2.0]) > 1)`, `(any items (> (max (list (.price #0) 2.0)) 1.0))`, ``},
		{`max(meta.time) - min(at) > 1s`, `(> (- @agg0 @agg1) 1000000000ns)`, `max(@meta.time) window 0 step -1; min(at) window 0 step -1`},
		{`sum(double) > 1`, `(> @agg0 1.0)`, `sum((* amount 2.0)) window 0 step -1`},
		{`len(top(card, 3)) > 1`, `(> (len @agg0) 1)`, `top(card) window 0 step -1`},
	} {
		t.Run(c.text, func(t *testing.T) {
			s, a := inWindow()
			e, errs := Compile(span(c.text), s, event.Bool)
			if errs != nil {
				t.Fatal(errs)
			}
			if e.String() != c.want || a.String() != c.aggs {
				t.Errorf("got  %s with %s\nwant %s with %s", e, a, c.want, c.aggs)
			}
		})
	}
}

func TestAggregatesSayWhatTheyNeed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`sum(avg(amount)) > 1`, `4-15 R208 an aggregate within an aggregate`},
		{`avg(card) > 1`, `0-9 R205 avg takes a number or a duration, not string`},
		{`avg(raw) > 1`, `4-7 R205 avg needs a number, this is a value of any type; convert it with float()`},
		{`sum() > 1`, `0-5 R207 sum takes one argument, not 0`},
		{`percentile(amount) > 1`, `0-18 R207 percentile takes two arguments, not 1`},
		{`percentile(amount, 101) > 1`, `19-22 R215 a percentile is from 0 to 100`},
		{`len(top(card, count)) > 1`, `14-19 R215 the second argument of top is a constant number`},
		{`sum(amout) > 1`, `4-9 R203 unknown field "amout" of payment; did you mean "amount"?`},
		{`sum(who) > 1`, `4-7 R211 a part of the key is not seen in an aggregate's argument; use it outside the aggregate`},
	} {
		s, _ := inWindow()
		_, errs := Compile(span(c.text), s, event.Bool)
		if len(errs) == 0 || show(errs[0]) != c.want {
			t.Errorf("%s: got %v\nwant %s", c.text, errs, c.want)
		}
	}
}

func TestNamedWindows(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`sum(recent.amount) > 5 * avg(normal.amount)`, `(> @agg0 (* 5.0 @agg1))`},
		{`count(recent) > count(normal.amount > 5)`, `(> @agg0 @agg1)`},
		{`amount > 1`, `(> amount 1.0)`},
		{`count() > 1`, `0-7 R209 count does not say over which window; write count(recent), or fields such as recent.field`},
		{`sum(amount) > 1`, `0-11 R209 sum does not say over which window; write sum(recent), or fields such as recent.field`},
		{`sum(recent.amount + normal.amount) > 1`, `20-26 R209 an aggregate is over one window, not over "recent" and "normal"`},
		{`sum(recent.amount + amount) > 1`, `0-27 R209 sum has fields with and without a window; write recent. before each`},
		{`recent.amount > 1`, `0-6 R203 unknown field "recent" of payment`},
	} {
		s, _ := inWindow()
		s.Windows = []string{"recent", "normal"}
		e, errs := Compile(span(c.text), s, event.Bool)
		got := e.String()
		if len(errs) > 0 {
			got = show(errs[0])
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestWindowsEvaluatedAtTheirEnd(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`sum(amount) > 5 and card == "x"`, `(and (> @agg0 5.0) (== @key0 "x"))`},
		{`window.end - window.start > 1m`, `(> (- @window.end @window.start) 60000000000ns)`},
		{`amount > 5`, `0-6 R210 the field "amount" cannot be read here: the window is evaluated at its end; write last(amount), or another aggregate`},
		{`meta.time > at`, `0-4 R210 there is no event at hand here`},
	} {
		s, _ := inWindow()
		s.NoBare, s.WindowTimes = "the window is evaluated at its end", true
		e, errs := Compile(span(c.text), s, event.Bool)
		got := e.String()
		if len(errs) > 0 {
			got = show(errs[0])
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestStepsOfPatterns(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`amount > a.amount * 5`, `(> amount (* $0.amount 5.0))`},
		{`amount > prev.amount`, `(> amount $1.@prev.amount)`},
		{`prev == nil or prev.card == card`, `(or (not $1?) (== $1.@prev.card card))`},
		{`a != nil`, `$0?`},
		{`small[2] != nil`, `(!= $1[2].@meta.time nil)`},
		{`first(small).amount < last(small).amount`, `(< $1.amount $1.@last.amount)`},
		{`small[0].amount < small[-1].amount`, `(< $1.amount $1.@last.amount)`},
		{`small[count].geo.city == ""`, `(== $1[count].geo.city "")`},
		{`count(small) > 3 and avg(small.amount) > amount`, `(and (> @agg0 3) (> @agg1 amount))`},
		{`max(small.meta.time) < at`, `(< @agg0 at)`},
		{`a.meta.id == ""`, `(== $0.@meta.id "")`},
		{`first(small.amount) > 1`, `(> @agg0 1.0)`},
		{`small.amount > 1`, `0-5 R211 the step "small" may take several events; write first(small).amount, last(small).amount, or an aggregate such as max(small.amount)`},
		{`later.amount > 1`, `0-5 R211 the step "later" cannot be read here: it is taken later`},
		{`a > 1`, `0-1 R212 "a" is an event, a value is needed; name one of its fields, or compare it with nil`},
		{`a.amout > 1`, `2-7 R203 unknown field "amout" of payment; did you mean "amount"?`},
		{`sum(amount) > 1`, `0-11 R209 sum does not say over which repeated step; write sum(step.field), or count(step)`},
		{`sum(a.amount) > 1`, `4-5 R211 an aggregate's argument sees the events of one repeated step`},
		{`sum(small.amount * amount) > 1`, `0-26 R209 sum does not say over which repeated step; write sum(step.field), or count(step)`},
	} {
		t.Run(c.text, func(t *testing.T) {
			s, _ := inPattern()
			e, errs := Compile(span(c.text), s, event.Bool)
			got := e.String()
			if len(errs) > 0 {
				got = show(errs[0])
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestIndexedStepsAreKept(t *testing.T) {
	for text, want := range map[string]bool{`small[0].amount > 1`: false, `small[-1].amount > 1`: false, `small[1].amount > 1`: true, `small[count].amount > 1`: true} {
		s, _ := inPattern()
		if _, errs := Compile(span(text), s, event.Bool); errs != nil {
			t.Fatal(errs)
		}
		if got := *s.Steps[1].KeepAll; got != want {
			t.Errorf("%s: kept %v, want %v", text, got, want)
		}
	}
}

// A field of another type that the rule reads is nil, and the text of what it is in
// is the same for both types, so that they share one aggregate.
func TestFieldsOfOtherTypesAreNil(t *testing.T) {
	refund := &plan.Type{Schema: event.Schema{Name: "refund", Fields: []event.Field{{Name: "why", Type: typ(event.String)}, {Name: "fee", Type: typ(event.Int)}}}}
	a := &aggs{}
	compile := func(t1, t2 *plan.Type) (*plan.Expr, source.Errors) {
		s := &Scope{Event: t1, Others: []*plan.Type{t2}, Aggs: a, Windows: []string{""}}
		return Compile(span(`why == nil and sum(fee * amount) > 1`), s, event.Bool)
	}
	x, errs := compile(payment(), refund)
	y, errs2 := compile(refund, payment())
	if errs != nil || errs2 != nil {
		t.Fatal(errs, errs2)
	}
	if x.String() != y.String() || len(a.calls) != 1 || a.calls[0].Func != windows.Sum {
		t.Errorf("got %s and %s with %s, want the same with one aggregate", x, y, a)
	}
	if x.Args[0].Args[0].Op != plan.OpConst || y.Args[0].Args[0].Op != plan.OpField {
		t.Errorf("why is %v of payment and %v of refund", x.Args[0].Args[0].Op, y.Args[0].Args[0].Op)
	}
}

func TestUsedFieldsGetSlots(t *testing.T) {
	s := atHand()
	if _, errs := Compile(span(`amount > 5 and geo.city == card and geo != nil`), s, event.Bool); errs != nil {
		t.Fatal(errs)
	}
	var got []string
	for _, slot := range s.Event.Layout.Slots {
		got = append(got, strings.Join(slot.Path, ".")+" "+slot.Type.Kind.String())
	}
	if diff := cmp.Diff([]string{"amount float", "geo.city string", "card string", "geo any"}, got); diff != "" {
		t.Error(diff)
	}
}

// Macros that double their argument grow past any bound quickly.
func TestExpansionIsBounded(t *testing.T) {
	text := "(let a0 = amount; "
	for i := 1; i <= 30; i++ {
		text += fmt.Sprintf("let a%d = a%d + a%d; ", i, i-1, i-1)
	}
	_, errs := Compile(span(text+"a30 > 1)"), atHand(), event.Bool)
	if len(errs) != 1 || errs[0].Code != codeTooLarge {
		t.Errorf("got %v, want one error of size", errs)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`amount > 5 and card == "a ${count} b"`, `any(xs, # > 1)`, `(let x = 1h30m; x + x)`, "`odd name` ?? 1", `a.b?.c[1:2]`,
		`sum(small.amount)`, `not - + !x ** 2 ? : 1`, `{a: 1}["a"]`, `'raw' matches "("`, `1..5`, `#index`, `((((`, `"${"${"${1}"}"}"`,
		`"${amount +}"`, `meta.tme + meta`, `"noon" > meta.time ?? "x"`, `avg(smal.amount)`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4000 {
			return
		}
		s, _ := inPattern()
		e, errs := Compile(span(text), s, event.Bool)
		if (e == nil) != errs.HasErrors() {
			t.Fatalf("%q: expression %v with %d errors", text, e, len(errs))
		}
		for _, err := range errs {
			if err.Span.Start < 0 || err.Span.Start > err.Span.End || err.Span.End > len(err.Span.File.Text) {
				t.Fatalf("%q: error outside the text: %v", text, err)
			}
		}
		_ = e.String()
	})
}
