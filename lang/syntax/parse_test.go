package syntax

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang/source"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// parse reads a text and checks what holds of every one.
func parse(t interface {
	Helper()
	Errorf(string, ...any)
}, text string,
) (*File, source.Errors) {
	t.Helper()
	f, errs := Parse(&source.File{Name: "in.cep", Text: text})
	spans(reflect.ValueOf(f), func(path string, s source.Span) {
		if s.Start < 0 || s.Start > s.End || s.End > len(text) || s.File != f.Source {
			t.Errorf("span of %s is %d to %d of %d", path, s.Start, s.End, len(text))
		}
	})
	for _, e := range errs {
		if e.Code == "" || e.Message == "" || e.Span.Start > e.Span.End || e.Span.End > len(text) || e.Span.File != f.Source {
			t.Errorf("error out of the file or without words: %v", e)
		}
	}
	return f, errs
}

// TestCases reads each file of testdata: a first line that says why it is there, the
// rules in.cep, and what they are read as (ast) or what is wrong with them (errors).
func TestCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			runCase(t, path)
		})
	}
}

func runCase(t *testing.T, path string) {
	a, err := txtar.ParseFile(path)
	if err != nil || len(a.Files) == 0 {
		t.Fatalf("case without rules: %v", err)
	}
	input := string(a.Files[0].Data)
	f, errs := parse(t, input)
	got := []txtar.File{a.Files[0]}
	if len(f.Decls) > 0 {
		got = append(got, txtar.File{Name: "ast", Data: []byte(dump(f))})
	}
	if len(errs) > 0 {
		var b strings.Builder
		if err := errs.Print(&b); err != nil {
			t.Fatal(err)
		}
		got = append(got, txtar.File{Name: "errors", Data: []byte(b.String())})
	}
	if *update {
		a.Files = got
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(asText(a.Files), asText(got)); diff != "" {
		t.Errorf("%s\n(-want +got):\n%s", input, diff)
	}
}

func asText(files []txtar.File) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		out[f.Name] = string(f.Data)
	}
	return out
}

func TestExpressionExtent(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"x > 1 once", "x > 1"},
		{"x within 10m", "x"},
		{"x in [1, 2] once", "x in [1, 2]"},
		{"x not in blocked once", "x not in blocked"},
		{"x not once", "x"},
		{`a matches "^x" or b contains 'y' and c startsWith "${d} e" once`, `a matches "^x" or b contains 'y' and c startsWith "${d} e"`},
		{"a endsWith b limit 3", "a endsWith b"},
		{"not a and !b || -c < +d once", "not a and !b || -c < +d"},
		{"a ? b : c once", "a ? b : c"},
		{"a ? b ? 1 : 2 : 3 once", "a ? b ? 1 : 2 : 3"},
		{"a ?.5 : 1 once", "a ?.5 : 1"},
		{"a?.b?.[0].c ?? d once", "a?.b?.[0].c ?? d"},
		{"a.in.not.let once", "a.in.not.let"},
		{"`from x`.`to y` once", "`from x`.`to y`"},
		{"small[0].x[1](2) once", "small[0].x[1](2)"},
		{"any(xs, # > 1 and #acc.y == .z) once", "any(xs, # > 1 and #acc.y == .z)"},
		{"any(xs, {# > 1}) {", "any(xs, {# > 1})"},
		{"#.x > 1 once", "#.x > 1"},
		{".x > 1 once", ".x > 1"},
		{"1..5 once", "1..5"},
		{"time - start > 1h30m once", "time - start > 1h30m"},
		{"from + to * by ** window ^ match % where / once", "from + to * by ** window ^ match % where / once"},
		{"{a: 1, b: {c: 2}} once", "{a: 1, b: {c: 2}}"},
		{"(let x = 1; x + 1) once", "(let x = 1; x + 1)"},
		{`"a ${f("}")} b" "c"`, `"a ${f("}")} b"`},
		{"x == true != false <= nil >= 1_000 once", "x == true != false <= nil >= 1_000"},
		{"a && b {", "a && b"},
		{"a by b", "a"},
		{"a, b", "a"},
		{"a + -> b", "a"},
		{"a? -> b", "a"},
		{"a* | b", "a"},
		{"a -> b", "a"},
		{"a => b", "a"},
		{"a = b", "a"},
		{"a # b", "a"},
		{"a // b\n + c once", "a // b\n + c"},
		{"a /* once */ + c once", "a /* once */ + c"},
	} {
		f, errs := parse(t, "rule r { having "+tc.text+" }")
		if len(f.Rules) != 1 || f.Rules[0].Having == nil {
			t.Errorf("%s: no expression: %v", tc.text, errs)
			continue
		}
		if got := f.Rules[0].Having.Span.Text(); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.text, got, tc.want)
		}
	}
}

func TestExtentErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":           `in.cep:1:18: S020: expected an expression after "having", found "}"`,
		"in":         `in.cep:1:17: S020: expected an expression after "having", found "in"`,
		"x >":        `in.cep:1:21: S024: expected an operand after ">", found "}"`,
		"x not in":   `in.cep:1:26: S024: expected an operand after "in", found "}"`,
		"x and or y": `in.cep:1:23: S024: expected an operand after "and", found "or"`,
		"()":         `in.cep:1:17: S024: the parentheses are empty; put an expression into them`,
		"x ? y":      `in.cep:1:19: S024: "?" without its ":"; write CONDITION ? THEN : ELSE`,
		"x.5.":       "in.cep:1:18: S020: expected a clause, found \".5\"",
		"x.":         `in.cep:1:20: S024: expected the name of a field after ".", found "}"`,
		"let x = 1":  `in.cep:1:17: S024: "let" within an expression stands only in parentheses; write (let NAME = …; …)`,
		"-":          `in.cep:1:19: S024: expected an operand after "-", found "}"`,
		"x = 3":      `in.cep:1:19: S020: expected a clause, found "="; to compare write ==`,
		"x => 3":     `in.cep:1:19: S020: expected a clause, found "=>"; to compare write >=`,
		"x <> 3":     `in.cep:1:20: S024: expected an operand after "<", found ">"; to compare write !=`,
		"x AND y":    `in.cep:1:19: S020: expected a clause, found "AND"; write and`,
		"x is nil":   `in.cep:1:19: S020: expected a clause, found "is"; write == nil or != nil`,
		"x;":         `in.cep:1:18: S020: expected a clause, found ";"; leave it out`,
		"x y":        `in.cep:1:19: S020: expected a clause, found "y"`,
	} {
		_, errs := parse(t, "rule r { having "+text+" }")
		if len(errs) == 0 || errs[0].Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, errs, want)
		}
	}
}

func TestSelectionWordIsAModeOnlyWhereItCannotBeAName(t *testing.T) {
	for text, want := range map[string]string{
		"first: a":               "first",
		"first a":                "Mode first",
		"last a":                 "Mode last",
		"every first: a":         "Mode every",
		"all all":                "Mode all",
		"first -> b":             "first",
		"first[x > 1]":           "first",
		"last (a -> b)":          "Mode last",
		"every !a ->[1m] b":      "Mode every",
		"all any 2 of (a, b)":    "Mode all",
		"any[x > 1]":             "any",
		"any: a":                 "any",
		"first within 1m":        "first",
		"first by card":          "first",
		"first to -> b":          "Mode first",
		"first from[x]":          "Mode first",
		"first limit{2}":         "Mode first",
		"first emit { a: 1 }":    "first",
		"all `a`":                "Mode all",
		"last{3}":                "last",
		"every":                  "every",
		"match -> within":        "match",
		"all match: to":          "Mode all",
		"first first -> last+":   "Mode first",
		"every once having x":    "every",
		"first strict: a{2}":     "Mode first",
		"sliding: last -> first": "sliding",
	} {
		f, errs := parse(t, "rule r { match "+text+" }")
		if len(errs) > 0 || f.Rules[0].Match == nil {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		m := f.Rules[0].Match
		first := m.Pattern
		for first.Kind != StepPart {
			first = first.Parts[0]
		}
		got := first.Step.Name.Text
		if got == "" {
			got = first.Step.Event.Text
		}
		if m.Mode.Known() {
			got = "Mode " + m.Mode.Text()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]int64{
		"0s": 0, "250ms": 250e6, "10s": 10e9, "5m": 300e9, "1h": 3600e9, "7d": 7 * 86400e9, "2w": 14 * 86400e9,
		"1h30m": 5400e9, "1w2d3h4m5s6ms": 788_645_006e6, "1_000ms": 1e9, "15250w1d": 9223286400e9,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "5x", "30m1h", "1h1h", "15251w", "99999999999999999999s", "1__0s", "1h30", "5us", "-5s", "1.5h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%s: got %d, want an error", text, got)
		}
	}
}

func TestLimits(t *testing.T) {
	const n = 1 << 20
	for _, tc := range []struct{ name, text, code string }{
		{"ten thousand brackets", "let a = " + strings.Repeat("(", 10_000) + strings.Repeat(")", 10_000), codeNesting},
		{"brackets in a string", `let a = "` + strings.Repeat("${(", 10_000), codeNesting},
		{"strings in strings", "let a = " + strings.Repeat(`"${`, 10_000), codeNesting},
		{"too many brackets of the wrong kind", strings.Repeat("(]", 10_000), codeNesting},
		{"ten megabytes", strings.Repeat("let a = 1\n", n), codeTooBig},
		{"a megabyte of (", strings.Repeat("(", n), codeNesting},
		{"a megabyte of !", "rule a { match " + strings.Repeat("!", n-30), codeUnexpected},
		{"a megabyte of -", "let a = " + strings.Repeat("-", n-30), codeExpr},
		{"a megabyte of ->", "rule a { match a " + strings.Repeat("->", n/2-30), codeSteps},
		{"many matches", "rule a { " + strings.Repeat("match a ", n/32) + "}", codeTwice},
		{"many numbers", "list l = [" + strings.Repeat("1,", n/8) + "2 3]", codeUnexpected},
		{"many fields", "event a { " + strings.Repeat("b int ", n/24) + "c x }", codeWord},
		{"a megabyte of strange signs", "rule a { once " + strings.Repeat("@ ", n/2-30) + "}", codeBadRune},
		{"a megabyte of words", strings.Repeat("a ", n/2), codeDecl},
		{"a megabyte of rules", strings.Repeat("rule\n", n/5), codeUnexpected},
		{"a megabyte of open rules", strings.Repeat("rule a {\n", n/9), codeNesting},
		{"a megabyte of )", strings.Repeat(")", n), codeStray},
		{"a megabyte of quotes", strings.Repeat(`"`, n-1), codeString},
		{"a megabyte of one number", "let a = " + strings.Repeat("9", n-30), codeNumber},
		{"a megabyte of one duration", "rule a { within " + strings.Repeat("1h", n/2-30) + " }", codeDuration},
		{"a megabyte of commas", "rule a { by x" + strings.Repeat(",", n-30), codeUnexpected},
		{"a megabyte of steps", "rule a { match a" + strings.Repeat("->a", n/3-30) + " }", codeSteps},
		{"a megabyte of ?", "let a = b" + strings.Repeat(" ? b", n/4-30), codeExpr},
		{"a megabyte of strange characters", strings.Repeat("\u2192 ", n/4), codeBadRune},
		{"a megabyte of NUL", strings.Repeat("\x00", n), codeControl},
		{"a megabyte of comment", "/*" + strings.Repeat("/*", n/2-1), codeComment},
		{"not UTF-8", "let a = 1\n// \xff", codeNotUTF8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, errs := parse(t, tc.text)
			found := false
			for _, e := range errs {
				found = found || e.Code == tc.code
			}
			if !found {
				t.Errorf("no %s: %.1000s", tc.code, errs.Error())
			}
			if len(errs) > source.MaxErrors+1 {
				t.Errorf("%d errors", len(errs))
			}
		})
	}
}

func TestNestingUpToTheLimitIsRead(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("(", n) + "a" + strings.Repeat(")", n) }
	for _, text := range []string{
		"let a = " + deep(MaxNesting),
		"rule r { match " + deep(MaxNesting-1) + " }",
		"event e { f " + strings.Repeat("[", MaxNesting-1) + "int" + strings.Repeat("]", MaxNesting-1) + " }",
	} {
		if _, errs := parse(t, text); len(errs) > 0 {
			t.Errorf("%.40s…: %v", text, errs)
		}
	}
	if _, errs := parse(t, "let a = "+deep(MaxNesting+1)); len(errs) != 1 || errs[0].Code != codeNesting {
		t.Errorf("one level too deep: %v", errs)
	}
}

func TestSixtyFourStepsAreAllowed(t *testing.T) {
	pattern := "rule r { match a" + strings.Repeat(" -> a", MaxSteps-1)
	if _, errs := parse(t, pattern+" }"); len(errs) > 0 {
		t.Error(errs)
	}
	if _, errs := parse(t, pattern+" -> !a }"); len(errs) != 1 || errs[0].Code != codeSteps {
		t.Error(errs)
	}
}

func TestMarksAndLineEndsChangeNothing(t *testing.T) {
	plain := "rule r {\n    // why\n    having x\n        > 1\n    once\n}\n"
	want, _ := parse(t, plain)
	for name, text := range map[string]string{
		"byte order mark": "\uFEFF" + plain,
		"CRLF":            strings.ReplaceAll(plain, "\n", "\r\n"),
		"one line":        "rule r { /* why */ having x\n        > 1 once }",
	} {
		got, errs := parse(t, text)
		if len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
		if diff := cmp.Diff(dump(want), strings.ReplaceAll(dump(got), "\r", "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCommentsAreKept(t *testing.T) {
	f, _ := parse(t, "// one\r\nrule r { /* two */ once // three\n}\n/* four\n*/")
	var got []string
	for _, c := range f.Comments {
		got = append(got, c.Span.Text())
	}
	if diff := cmp.Diff([]string{"// one", "/* two */", "// three", "/* four\n*/"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestClauseFindsItsPlace(t *testing.T) {
	f, _ := parse(t, "rule r { once within 10m }")
	c, ok := f.Rules[0].Clause("within")
	if !ok || c.Span.Text() != "within 10m" || c.Keyword.Text() != "within" {
		t.Errorf("got %q, %v", c.Span.Text(), ok)
	}
	if _, ok := f.Rules[0].Clause("until"); ok {
		t.Error("found a clause that is not there")
	}
}

// pieces are what random files are made of: whole items and the signs that break
// them.
var pieces = []string{
	"event e (time: at, id: x) { at time x string? }\n", "rule r \"t\" {\n", "}\n", "severity high\n", "by card as c, x\n",
	"match a: b[x > 1]{3,} -> !c for 5m\n", "within 10m\n", "having count() > 1\n", "emit { a: 1, b: \"${x}\" }\n", "emit e { a: 1 }\n",
	"suppress 1h by x\n", "to a, b\n", "window w sliding 10m\n", "test r \"t\" {\n", "at 0s e { x: 1 }\n", "expect r at 5s { a: 1 }\n",
	"expect no r\n", "let a = 1\n", "list l = [1, 2]\n", "table t by x from e { n: count() }\n", "fn f(a e) = a.x\n", "from e where x > 1\n",
	"{", "}", "(", ")", "[", "]", "->", "=>", "|", "&", "!", "?", ":", ",", "\"", "'", "`", "#", "..", "5m", "3", "1.5", "in", "not", "rule", "event",
	"emit", "match", " ", "\n", "//", "/*", "*/", "\\", "${", "é", "界", "\t",
}

// Whatever is put together, every declaration that is not broken is whole, and the
// same text again gives the same.
func TestRandomFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 60).Draw(t, "pieces"), "")
		f, errs := parse(t, text)
		for _, d := range f.Decls {
			if why := incomplete(d); why != "" && len(errs) == 0 {
				t.Errorf("no errors, but %s", why)
			} else if why != "" && !broken(d) {
				t.Errorf("not broken, but %s", why)
			}
		}
		if errs.HasErrors() != (len(errs) > 0) {
			t.Errorf("messages that are no errors: %v", errs)
		}
		again, errsAgain := parse(t, text)
		if dump(again) != dump(f) || errsAgain.Error() != errs.Error() {
			t.Errorf("the same text twice gives two results")
		}
	})
}

func broken(d Decl) bool { return reflect.ValueOf(d).Elem().FieldByName("Broken").Bool() }

// incomplete says what a declaration lacks that the grammar demands.
func incomplete(d Decl) string {
	if d.DeclName().Text == "" {
		return "a declaration has no name"
	}
	switch d := d.(type) {
	case *Let:
		if d.Expr == nil {
			return "a let has no expression"
		}
	case *Fn:
		if d.Expr == nil || len(d.Params) == 0 {
			return "a fn has no expression"
		}
	case *Table:
		if (d.Path == nil) == (d.By == nil) {
			return "a table has no source"
		}
	}
	return ""
}

// Errors in one item hide none in the next, and each is said once.
func TestOneErrorAnItem(t *testing.T) {
	f, errs := parse(t, `
event a {
    x strng
    y
    z int
}

rule r {
    severity hgh
    within 5
    by
    once
    match a ->
}

test r {
    at x
    expect no r
}

let a =
`)
	want := `in.cep:3:7: S025: unknown type "strng"; did you mean "string"?
in.cep:4:5: S020: the field "y" has no type
in.cep:9:14: S025: unknown severity "hgh"; did you mean "high"?
in.cep:10:12: S020: expected a duration such as 10m after "within", found "5"; add a unit: 5s
in.cep:14:1: S020: expected a name after "->", found "}"
in.cep:17:8: S020: expected a duration such as 10m after "at", found "x"
in.cep:21:8: S020: expected an expression, found the end of the file`
	if diff := cmp.Diff(want, errs.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(f.Decls) != 4 {
		t.Errorf("%d declarations, want all 4", len(f.Decls))
	}
}

// BenchmarkParse reads a file of a thousand rules.
func BenchmarkParse(b *testing.B) {
	rule := `rule r "title" {
    severity high
    from payment where amount > 0
    by card
    window sliding 10m
    having count() >= 5 and sum(amount) > 2_000
    emit { payments: count(), total: sum(amount) }
    suppress 1h
}
`
	b.Run("rules=1000", func(b *testing.B) {
		f := &source.File{Name: "in.cep", Text: strings.Repeat(rule, 1000)}
		b.SetBytes(int64(len(f.Text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, errs := Parse(f); len(errs) > 0 {
				b.Fatal(errs)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			t.Skip("longer texts only cost time")
		}
		parse(t, text)
	})
}

// TestPairsAreThoseOfTheBalance compares the quick way to match brackets with the one that
// mends them, on texts of mostly brackets.
func TestPairsAreThoseOfTheBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"(", ")", "[", "]", "{", "}", "()", "{}", "[a]", " x ", "\n", "\"${(}\"", "/*)*/", strings.Repeat("(", 120), strings.Repeat(")", 120)}), 0, 12).Draw(t, "text"), "")
		file := &source.File{Name: "in.cep", Text: text}
		toks, ok := scan(file, &report{})
		if !ok {
			return
		}
		b := &balancer{stream: stream{file: file}, in: toks, errs: &report{}}
		b.run()
		pair, ok := pairs(toks)
		if want := !b.deep && len(b.errs.errs) == 0; ok != want {
			t.Fatalf("brackets of %q match: %t, want %t", text, ok, want)
		}
		if ok && (!cmp.Equal(pair, b.pair) || !cmp.Equal(toks, b.toks)) {
			t.Fatalf("pairs of %q: %v, want %v", text, pair, b.pair)
		}
	})
}
