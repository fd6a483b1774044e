package lang_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

func compile(text string) (rules []string, errs source.Errors) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: text}})
	if set == nil {
		return nil, errs
	}
	rules = []string{}
	for _, r := range set.Rules {
		rules = append(rules, r.Name)
	}
	return rules, errs
}

func messages(errs source.Errors) []string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Error())
	}
	return out
}

// TestFirstLook compiles the rules that the language's description begins with.
func TestFirstLook(t *testing.T) {
	text, err := os.ReadFile("testdata/first_look.cep")
	if err != nil {
		t.Fatal(err)
	}
	rules, errs := compile(string(text))
	if len(errs) > 0 {
		t.Errorf("messages: %v", errs)
	}
	if diff := cmp.Diff([]string{"card_testing", "unpaid_order", "velocity"}, rules); diff != "" {
		t.Errorf("rules, -want +got:\n%s", diff)
	}
}

func TestCompile(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		rules []string
		want  []string
	}{
		"nothing":                 {"", []string{}, nil},
		"only comments":           {"// nothing", []string{}, nil},
		"a warning stops nothing": {"event e { n int } rule r { match e{2} }", []string{"r"}, []string{"r.cep:1:28: W101: the pattern has no within: an unfinished run waits forever; add within D"}},
		"errors of text and of names at once": {"event e { n int }\nrule q { from f }\nrule r { frm e }\nrule s { from e where m > 1 }", nil, []string{
			`r.cep:2:15: R102: unknown event type "f"; declare it: event f { … }`,
			`r.cep:3:10: S022: unknown clause "frm"; did you mean "from"?`,
			`r.cep:4:23: R203: unknown field "m" of e`,
		}},
		"a file that is no text": {"rule r { from e }\xff", nil, []string{"r.cep:1:18: S003: the file is not UTF-8: byte 0xff at offset 17; save it as UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			rules, errs := compile(tc.text)
			if diff := cmp.Diff(tc.rules, rules); diff != "" {
				t.Errorf("rules, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, messages(errs)); diff != "" {
				t.Errorf("messages, -want +got:\n%s", diff)
			}
		})
	}
}

// TestNothingIsSaidOfNamesWhereAFileIsMissing: what an unreadable file declares is not
// known, so that its names are not reported in others.
func TestNothingIsSaidOfNamesWhereAFileIsMissing(t *testing.T) {
	set, errs := lang.Compile([]*source.File{
		{Name: "a.cep", Text: "event e { n int }\xff"},
		{Name: "b.cep", Text: "rule r { from e }"},
	})
	if set != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "a.cep:1:") {
		t.Errorf("set %v, messages %v", set, errs)
	}
}

// TestManyErrors: a file full of faults is answered with the first of them.
func TestManyErrors(t *testing.T) {
	var b strings.Builder
	b.WriteString("event e { n int }\n")
	for range 10_000 {
		b.WriteString("rule r { from enn where nn > 3 match eee -> ee }\n")
	}
	_, errs := compile(b.String())
	if n := len(errs); n != source.MaxErrors+1 {
		t.Errorf("%d messages", n)
	}
	if first := errs[0].Span.Start; first > 100 {
		t.Errorf("the first message is at byte %d", first)
	}
}

// FuzzCompile: no text makes the compiler panic; there is a plan or an error, never
// both and never neither; every message lies within the file.
func FuzzCompile(f *testing.F) {
	text, err := os.ReadFile("testdata/first_look.cep")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	for _, seed := range []string{
		"event e (time: at(ms), id: i, dedup: 1m) { at int i string r { x [int] } } rule r { from e where r.x[0] > 1 by i }",
		"event e { n int k string } rule r { by k match !e ->[5s] x: e[n > 1]{2,5} strict => !(a: e | b: e) -> y: e for 5m within 1h until e[n > 3] }",
		"event e { n int } fn f(x e, y int) = x.n > y let c = 1h list l = [1, 2] rule r { from e where f(e, 3) and n in l window w last 3 having avg(w.n) > c / 1s once }",
		"event e (tiem: x) { n strng } rule r { form e\nbye n windw sliding 5m\nlett x = n +\nhaving x >\nemit { y: z + } }", //nolint:misspell // the errors are what is read
		"event e { n int } rule r { by n match all p: e by n + -> q: e{2} having p.n > 1 and count(q) > 1 }",
		"event e { n int } rule r { from e by n emit { m: n } } test r, q \"t\" { at 1s e { n: 1, m: \"x\" } at 2s expect r at 5s { n: 1 } expect no zz expect 2 r }",
		"table t by n from e where n > 1 keep 30d { s: sum(n) } rule r { match all (a & b) | any 2 of (a, b, c) limit 0 emit e { n: 1 } }",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := &source.File{Name: "f.cep", Text: text}
		set, errs := lang.Compile([]*source.File{file})
		if (set == nil) != errs.HasErrors() {
			t.Fatalf("set %v, messages %v", set, errs)
		}
		for _, e := range errs {
			if e.Span.File != file || e.Span.Start < 0 || e.Span.Start > e.Span.End || e.Span.End > len(text) {
				t.Fatalf("message %v at %d to %d of %d bytes", e, e.Span.Start, e.Span.End, len(text))
			}
			_ = e.Error()
		}
	})
}
