package eval

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

// sample is an event with a value in every field but those of the second of a kind.
func sample() map[string]event.Value {
	return map[string]event.Value{
		"b1": event.OfBool(true), "i1": event.OfInt(7), "x1": event.OfFloat(2.5), "s1": event.OfString("Hello"),
		"t1": event.OfKind(event.Time, 1767323045_000000000), "d1": event.OfKind(event.Duration, 90e9),
		"a1": {Kind: event.IP, S: "10.1.2.3"}, "any1": event.OfString(`{"n":3,"f":1.5,"s":"txt","l":[1,null,"x"],"z":null}`),
		"is": event.OfString(`[3,1,2]`), "xs": event.OfString(`[1.5,null,2]`), "ss": event.OfString(`["b","a"]`),
		"ts": event.OfString(`["2026-01-02T03:04:05Z"]`), "r": event.OfString(`{"x":1,"t":"2026-01-02T03:04:05Z"}`), "r.x": event.OfFloat(1),
	}
}

// TestExpressionsMean says what each sentence of the language's section on
// expressions comes to.
func TestExpressionsMean(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// durations and times
		{`t1 - t1`, `duration "0s"`},
		{`t1 + d1`, `time "2026-01-02T03:05:35Z"`},
		{`d1 + 30s`, `duration "2m"`},
		{`d1 - 2m`, `duration "-30s"`},
		{`d1 / 30s`, `float 3`},
		{`d1 * 2`, `duration "3m"`},
		{`0.5 * d1`, `duration "45s"`},
		{`d1 / 4`, `duration "22s500ms"`},
		{`-d1`, `duration "-1m30s"`},
		{`d1 < 2m`, `bool true`},
		{`d1 / 0`, `nil null`},
		{`d1 / 0s`, `nil null`},
		{`d1 / 1e11`, `duration "1ns"`},
		{`t1 > "2026-01-01T00:00:00Z"`, `bool true`},
		// numbers
		{`i1 / 2`, `float 3.5`},
		{`i1 % 4`, `int 3`},
		{`-i1 % 4`, `int -3`},
		{`i1 % 0`, `nil null`},
		{`x1 / 0`, `nil null`},
		{`0 / 0.0`, `nil null`},
		{`i1 ** 2`, `float 49`},
		{`(0.0 - 8) ** 0.5`, `nil null`},
		{`1e308 * x1 * 10`, `nil null`},
		{`i1 + x1`, `float 9.5`},
		{`i1 == 7.0`, `bool true`},
		{`i1 > 6.5`, `bool true`},
		// nil
		{`i2 < 5`, `bool false`},
		{`i2 >= 5`, `bool false`},
		{`not (i2 < 5)`, `bool true`},
		{`i2 + 1`, `nil null`},
		{`x2 * 2`, `nil null`},
		{`i2 == nil`, `bool true`},
		{`i1 == nil`, `bool false`},
		{`i2 != 5`, `bool true`},
		{`i2 == i2`, `bool true`},
		{`i2 == i1`, `bool false`},
		{`i2 ?? 3`, `int 3`},
		{`s2 ?? "none"`, `string "none"`},
		{`i2 in [1, nil]`, `bool true`},
		{`i2 in [1]`, `bool false`},
		{`b2 and true`, `bool false`},
		{`b2 or b1`, `bool true`},
		{`not b2`, `bool true`},
		{`b2 ? 1 : 2`, `int 2`},
		{`s2 contains "x"`, `bool false`},
		{`s2 matches "x"`, `bool false`},
		{`s2 + "x"`, `nil null`},
		{`d2 + 1s`, `nil null`},
		{`len(s2)`, `nil null`},
		{`lower(s2)`, `nil null`},
		{`b2 == false`, `bool false`},
		{`b2 == nil`, `bool true`},
		{`s2 == s2`, `bool true`},
		{`s2 != "a"`, `bool true`},
		{`a2 == "10.0.0.1"`, `bool false`},
		{`i2 < i1`, `bool false`},
		{`1 in is and i2 in is`, `bool false`},
		{`nil in xs`, `bool true`},
		{`hour(t2)`, `nil null`},
		// indices and members
		{`is[0]`, `int 3`},
		{`is[-1]`, `int 2`},
		{`is[9]`, `nil null`},
		{`is[-9]`, `nil null`},
		{`xs[1]`, `nil null`},
		{`xs[0]`, `float 1.5`},
		{`ts[0] == t1`, `bool true`},
		{`any1.n`, `int 3`},
		{`any1.nope`, `nil null`},
		{`any1.z`, `nil null`},
		{`any1.s.deeper`, `nil null`},
		{`any2.x`, `nil null`},
		{`any1.l[2]`, `string "x"`},
		{`any1["s"]`, `string "txt"`},
		{`r.x`, `float 1`},
		{`r.t`, `nil null`},
		{`(r ?? r).t`, `time "2026-01-02T03:04:05Z"`},
		{`r`, `record {"x":1,"t":"2026-01-02T03:04:05Z"}`},
		{`is[1:]`, `list [1,2]`},
		{`s1[1:-1]`, `string "ell"`},
		{`is[5:9]`, `list []`},
		// values of undeclared type
		{`any1.n > 2`, `bool true`},
		{`any1.n + 1`, `int 4`},
		{`any1.f + any1.n`, `float 4.5`},
		{`any1.z > 2`, `bool false`},
		{`any1.s == "txt"`, `bool true`},
		{`any1.s == 5`, `bool false`},
		{`"n" in any1`, `bool true`},
		{`3 in any1.l`, `bool false`},
		{`any1.n in [1, 3]`, `bool true`},
		{`any1.s contains "x"`, `bool true`},
		{`-any1.n`, `int -3`},
		{`len(any1.l)`, `int 3`},
		// text
		{`"${i1} ${x1} ${i2} ${s1} ${d1} ${b1}"`, `string "7 2.5  Hello 1m30s true"`},
		{`"${t1}"`, `string "2026-01-02T03:04:05Z"`},
		{`"${is} ${r}"`, `string "[3,1,2] {\"x\":1,\"t\":\"2026-01-02T03:04:05Z\"}"`},
		{`s1 + "!"`, `string "Hello!"`},
		{`s1 matches '^H.*o$'`, `bool true`},
		{`s1 matches "${"H"}el"`, `bool true`},
		{`s1 startsWith "He" and s1 endsWith "lo"`, `bool true`},
		{`s1 < "J"`, `bool true`},
		{`s1 contains s2`, `bool false`},
		{`s1 not in ["a", "b"]`, `bool true`},
		{`s1 in ["a","b","c","d","e","f","g","h","i","Hello"]`, `bool true`},
		// lists
		{`any(is, # > 2)`, `bool true`},
		{`all(is, # > 1)`, `bool false`},
		{`none(is, # > 3)`, `bool true`},
		{`one(is, # == 2)`, `bool true`},
		{`filter(is, # > 1)`, `list [3,2]`},
		{`map(is, # * 2)`, `list [6,2,4]`},
		{`count(is, # > 1)`, `int 2`},
		{`sum(is)`, `int 6`},
		{`sum(xs)`, `float 3.5`},
		{`sum(xs, # * 2)`, `float 7`},
		{`sum([1.5], # - 1)`, `float 0.5`},
		{`find(is, # < 3)`, `int 1`},
		{`findIndex(is, # < 3)`, `int 1`},
		{`findLast(is, # < 3)`, `int 2`},
		{`findLastIndex(is, # > 9)`, `nil null`},
		{`sortBy(is, #)`, `list [1,2,3]`},
		{`sortBy(xs, #, "desc")`, `list [2,1.5,null]`},
		{`reduce(is, #acc + #, 0)`, `int 6`},
		{`reduce(is, #acc * #)`, `int 6`},
		{`map(is, #index)`, `list [0,1,2]`},
		{`any(is, any(ss, len(#) == 1) and # == 3)`, `bool true`},
		{`max(is)`, `int 3`},
		{`min(xs)`, `float 1.5`},
		{`max(i1, x1, i2)`, `nil null`},
		{`max(i1, x1)`, `float 7`},
		{`first(is)`, `int 3`},
		{`last(ss)`, `string "a"`},
		{`median(is)`, `float 2`},
		{`mean(xs)`, `float 1.75`},
		{`any(filter(is, # > 9), true)`, `bool false`},
		{`1..3`, `list [1,2,3]`},
		{`sort(is)`, `list [1,2,3]`},
		{`reverse(ss)`, `list ["a","b"]`},
		{`join(ss, "-")`, `string "b-a"`},
		{`uniq([1,1,2])`, `list [1,2]`},
		{`map(is, (let y = #; any(is, # > y)))`, `list [false,true,true]`},
		{`{a: i1, b: [s1, s2]}`, `record {"a":7,"b":["Hello",null]}`},
		{`{a: 1} == {a: 1.0}`, `bool true`},
		{`[1, 2] == is[1:]`, `bool true`},
		{`count(map(is, # > 1))`, `int 2`},
		// functions
		{`round(geo_km(52.52, 13.405, 48.1372, 11.5756))`, `float 504`},
		{`geo_km(91, 0, 0, 0)`, `nil null`},
		{`cidr(a1, "10.0.0.0/8")`, `bool true`},
		{`cidr("nowhere", "10.0.0.0/8")`, `nil null`},
		{`cidr(a1, "${"10.2"}.0.0/16")`, `bool false`},
		{`a1 in ["192.168.0.0/16", "10.1.2.3"]`, `bool true`},
		{`a1 == "10.1.2.3"`, `bool true`},
		{`hours(d1)`, `float 0.025`},
		{`minutes(d1)`, `float 1.5`},
		{`seconds(d1)`, `float 90`},
		{`hour(t1)`, `int 3`},
		{`hour(t1, "Asia/Tokyo")`, `int 12`},
		{`weekday(t1)`, `int 5`},
		{`weekday(t1 + 2d)`, `int 7`},
		{`entropy("abab")`, `float 1`},
		{`entropy("")`, `float 0`},
		{`entropy("äöäö")`, `float 1`},
		{`domain("https://u:p@Mail.Example.COM:8080/x?y")`, `string "mail.example.com"`},
		{`domain("ann@b.org.")`, `string "b.org"`},
		{`domain("")`, `nil null`},
		{`domain("http://[::1]:80/")`, `string "::1"`},
		{`levenshtein("kitten", "sitting")`, `int 3`},
		{`levenshtein("", "äb")`, `int 2`},
		{`abs(-i1)`, `int 7`},
		{`abs(0.0 - x1)`, `float 2.5`},
		{`abs(-d1)`, `duration "1m30s"`},
		{`ceil(x1)`, `float 3`},
		{`floor(x1)`, `float 2`},
		{`round(x1)`, `float 3`},
		{`lower(s1)`, `string "hello"`},
		{`upper(s1)`, `string "HELLO"`},
		{`trim("  a ")`, `string "a"`},
		{`trim("--a-", "-")`, `string "a"`},
		{`split("a,b", ",")`, `list ["a","b"]`},
		{`split("a,b,c", ",", 2)`, `list ["a","b,c"]`},
		{`replace(s1, "l", "L")`, `string "HeLLo"`},
		{`replace(s1, "l", "L", 1)`, `string "HeLlo"`},
		{`len(s1)`, `int 5`},
		{`len("äö")`, `int 2`},
		{`int("12")`, `int 12`},
		{`int("x")`, `nil null`},
		{`int(2.9)`, `int 2`},
		{`float("1.5")`, `float 1.5`},
		{`string(i1)`, `string "7"`},
		{`duration("1h")`, `duration "1h"`},
		{`indexOf(s1, "l")`, `int 2`},
		{`hasPrefix(s1, "He")`, `bool true`},
		{`toJSON({b: 1, a: 2})`, `string "{\n  \"a\": 2,\n  \"b\": 1\n}"`},
		{`time("2026-01-02T03:04:05Z") == t1`, `bool true`},
		// what the engine has ready
		{`key`, `string "k"`},
		{`window.start`, `time "1970-01-01T00:00:00.000000005Z"`},
		{`window.end - window.start`, `duration "2ns"`},
		{`matches()`, `int 9`},
		{`meta.type`, `string "e"`},
		{`meta.source`, `string "src"`},
		{`meta.id`, `string "src@0"`},
		{`meta.time == nil`, `bool false`},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := newRig()
			e := r.mustCompile(t, c.text)
			f := r.frame(r.event(sample()))
			got := r.compiler().Value(e)(f)
			if show(got) != c.want {
				t.Errorf("%s is %s, want %s", e, show(got), c.want)
			}
			if f.Fault.Count != 0 {
				t.Errorf("%d faults: %s", f.Fault.Count, f.Fault.Last)
			}
			wantTrue := c.want == "bool true"
			if is := r.compiler().Bool(e)(f); is != wantTrue && strings.HasPrefix(c.want, "bool") {
				t.Errorf("as a condition %v, want %v", is, wantTrue)
			}
		})
	}
}

func TestStepsMean(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`one.i1`, `int 1`},
		{`one.s1`, `string "s"`},
		{`one != nil`, `bool true`},
		{`own == nil`, `bool true`},
		{`prev == nil`, `bool true`},
		{`prev.i1`, `nil null`},
		{`prev.s1 == "x"`, `bool false`},
		{`first(many).i1`, `int 2`},
		{`last(many).i1`, `int 4`},
		{`many[1].i1`, `int 3`},
		{`many[-2].i1`, `int 3`},
		{`many[3].i1`, `nil null`},
		{`many[i1].i1`, `nil null`},
		{`many[one.i1].i1`, `int 3`},
		{`many[one.i1].s1`, `string "s"`},
		{`many[2] != nil`, `bool true`},
		{`many[3] == nil`, `bool true`},
		{`own[0].meta.id`, `nil null`},
		{`one.meta.type`, `string "e"`},
		{`many[1].meta.source`, `string "src"`},
		{`one.i1 * 2 < last(many).i1`, `bool true`},
		{`i1 > one.i1 * 2`, `bool true`},
		{`one.is[0] == nil`, `bool true`},
		{`count(many) + count(own)`, `int 1`},
		{`"${one.i1}-${first(many).i1}"`, `string "1-2"`},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := newRig()
			e := r.mustCompile(t, c.text)
			f := r.frame(r.event(sample()))
			at := func(n int64) *event.Event {
				return r.event(map[string]event.Value{"i1": event.OfInt(n), "s1": event.OfString("s")})
			}
			f.Steps[0], f.Steps[1] = taken(at(1)), taken(at(2), at(3), at(4))
			if got := r.compiler().Value(e)(f); show(got) != c.want {
				t.Errorf("%s is %s, want %s", e, show(got), c.want)
			}
		})
	}
}

// What fails as it runs makes the condition false as a whole and the value nil, and
// counts once.
func TestFailuresMakeTheWholeFalse(t *testing.T) {
	for _, c := range []struct{ text, fault string }{
		{`i1 * 9_000_000_000_000_000_000 > 0 or true`, "integer overflow"},
		{`true or true and i1 > 0`, ``},
		{`not (i1 * 9_000_000_000_000_000_000 > 0)`, "integer overflow"},
		{`i1 + 9223372036854775807 == nil and 0 - i1 - 9223372036854775807 == nil`, "integer overflow"},
		{`d1 * 1e300 == nil`, "integer overflow"},
		{`t1 + d1 * 106_000_000 == nil`, "integer overflow"},
		{`-(0 - 9223372036854775807 - i1 + 6) == nil`, "integer overflow"},
		{`s1 matches "${"("}" or true`, "a computed regular expression that is none"},
		{`any1.s > 5 or true`, "comparison of string with int"},
		{`any1.s + 1 == nil`, "arithmetic on string and int"},
		{`any1.s or true`, "a condition that is no bool: string"},
		{`any1.n contains "x" or true`, "a text test on int and string"},
		{`len(any1.n) == nil`, "len of int"},
		{`any(any1, true) or true`, "a list is needed, not record"},
		{`len(1..i1 * 1000 * 1000) > 0`, "a range of more than 10000 numbers"},
		{`cidr(a1, "${s1}") or true`, "cidr: not a block of addresses"},
		{`fromJSON(s1) == nil`, ""},
		{`int(1e300) == nil`, "integer overflow"},
		{`abs(any1.s) == nil`, "abs of string"},
		{`reduce(1..99, #acc + #acc, s1) == nil`, "a text of more than 1 MB"},
		{`reduce(1..99, "${#acc}${#acc}", s1) == nil`, "a text of more than 1 MB"},
		{`replace("${1..9999}", "", "${1..9999}") == nil`, "a text of more than 1 MB"},
		{`reduce(1..99, toJSON(#acc), s1) == nil`, "a text of more than 1 MB"},
		{`join(map(1..9999, "${1..99}"), "") == nil`, "a text of more than 1 MB"},
		{`join(map(1..9999, s1), "${1..99}") == nil`, "a text of more than 1 MB"},
		{`"${map(1..9999, "${1..99}")}" == nil`, "a text of more than 1 MB"},
		{`string(map(1..9999, "${1..99}")) == nil`, "a text of more than 1 MB"},
		{`reduce(1..99, [#acc, #acc], 1) == nil`, "reduce makes a list within a list"},
		{`any(1..9999, any(1..9999, any(1..9999, # == 0))) or true`, "an expression that looks at more than 1000000 elements"},
		{`len(map(1..9999, map(1..9999, map(1..9999, #)))) == nil`, "an expression that looks at more than 1000000 elements"},
		{`sum(1..9999, sum(1..9999, #)) == nil`, "an expression that looks at more than 1000000 elements"},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := newRig()
			e := r.mustCompile(t, c.text)
			f := r.frame(r.event(sample()))
			is := r.compiler().Bool(e)(f)
			if c.fault == "" && strings.HasPrefix(c.text, "true") {
				if !is || f.Fault.Count != 0 {
					t.Errorf("got %v with %d faults, want true", is, f.Fault.Count)
				}
				return
			}
			if is || f.Fault.Count != 1 || c.fault != "" && f.Fault.Last != c.fault {
				t.Errorf("got %v with %d faults, %q; want false, one, %q", is, f.Fault.Count, f.Fault.Last, c.fault)
			}
			if v := r.compiler().Value(e)(f); !v.IsNil() || f.Fault.Count != 2 {
				t.Errorf("got value %s with %d faults in all, want nil with 2", show(v), f.Fault.Count)
			}
		})
	}
}

func TestNoExpressionGivesNoClosure(t *testing.T) {
	if (Compiler{}).Bool(nil) != nil || (Compiler{}).Value(nil) != nil {
		t.Error("a nil expression must give nil")
	}
}

// The tests that rules are made of allocate nothing.
func TestConditionsAllocateNothing(t *testing.T) {
	for _, text := range hotShapes {
		r := newRig()
		e := r.mustCompile(t, text)
		f := r.frame(r.event(sample()))
		f.Steps[0] = taken(f.Event)
		fn := r.compiler().Bool(e)
		fn(f)
		if n := testing.AllocsPerRun(100, func() { fn(f) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

var hotShapes = []string{
	`x1 > 5`, `i1 == 7`, `s1 == "Hello"`, `s1 != "a"`, `x1 < x2`, `x1 > one.x1 * 5`, `i1 * 2 > 5`,
	`x1 > 1 and s1 == "Hello" and i1 < 9 and b1`, `s1 in ["a", "b", "Hello"]`, `i1 in [1,2,3,4,5,6,7,8,9,10]`,
	`s1 in ["a","b","c","d","e","f","g","h","i","Hello"]`, `s1 startsWith "He"`, `s1 contains "lo"`, `s1 matches "^H.*o$"`,
	`t1 - one.t1 < 1m`, `d1 * 2 > 5s`, `cidr(a1, "10.0.0.0/8")`, `hour(t1) < 6`, `(x2 ?? 0) > 1`, `len(s1) > 3`, `abs(x1 - 5) < 1`, `key == "k"`, `count(many) > 3`,
}[:]

func BenchmarkShapes(b *testing.B) {
	for _, text := range hotShapes {
		b.Run("expr="+strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			r := newRig()
			e := r.mustCompile(b, text)
			f := r.frame(r.event(sample()))
			f.Steps[0] = taken(f.Event)
			fn := r.compiler().Bool(e)
			b.ReportAllocs()
			for b.Loop() {
				fn(f)
			}
		})
	}
}

// Every comparison of a field with a constant below, at and above it, and of nil.
func TestComparisonsWithConstants(t *testing.T) {
	holds := map[string][3]bool{ // field less, equal, greater
		"==": {false, true, false}, "!=": {true, false, true}, "<": {true, false, false},
		"<=": {true, true, false}, ">": {false, false, true}, ">=": {false, true, true},
	}
	fields := []struct{ field, constants, none string }{
		{"i1", "8 7 6", "i2"},
		{"x1", "3.5 2.5 1.5", "x2"},
		{"s1", `"I" "Hello" "G"`, "s2"},
		{"d1", "2m 90s 1m", "d2"},
		{"one.i1", "8 7 6", "one.i2"},
		{"i1", "7.5 7.0 6.5", "i2"},
	}
	for op, want := range holds {
		for _, c := range fields {
			for i, constant := range strings.Fields(c.constants) {
				for text, want := range map[string]bool{
					c.field + op + constant: want[i], c.none + op + constant: op == "!=",
					constant + op + c.field: holds[op][2-i],
				} {
					r := newRig()
					e := r.mustCompile(t, text)
					f := r.frame(r.event(sample()))
					f.Steps[0] = taken(f.Event)
					if got := r.compiler().Bool(e)(f); got != want {
						t.Errorf("%s is %v", text, got)
					}
				}
			}
		}
	}
}
