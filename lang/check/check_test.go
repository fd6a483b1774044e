package check_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// prelude declares what the rules of the tests read. It is a file of its own, so that
// places in the tests count from their own first line.
const prelude = `
event a (time: at) { at time  k string  n int  x float?  s string }
event b (time: at) { at time  k string  n int  x float?  s string }
event c (time: at) { at time  k string  n float  other string }
event d { owner string  n int }
`

// compile checks a text beside the prelude, which must parse.
func compile(t *testing.T, texts ...string) (*plan.Set, source.Errors) {
	t.Helper()
	var files []*syntax.File
	for i, text := range append([]string{prelude}, texts...) {
		f, errs := syntax.Parse(&source.File{Name: string(rune('p'-1+i)) + ".cep", Text: text})
		if errs.HasErrors() {
			t.Fatalf("the test does not parse: %v", errs)
		}
		files = append(files, f)
	}
	return check.Check(files)
}

// wantErrors compares the messages of a text, one a line, without the file's name.
func wantErrors(t *testing.T, text string, want ...string) {
	t.Helper()
	set, errs := compile(t, text)
	var got []string
	for _, e := range errs {
		got = append(got, strings.TrimPrefix(e.Error(), "p.cep:"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages of\n%s\n(-want +got):\n%s", text, diff)
	}
	if (set == nil) != errs.HasErrors() {
		t.Errorf("set is nil: %v, errors: %v", set == nil, errs)
	}
}

// wantPlan compiles a text without errors and returns its set.
func wantPlan(t *testing.T, text string) *plan.Set {
	t.Helper()
	set, errs := compile(t, text)
	if errs.HasErrors() {
		t.Fatalf("errors of\n%s\n%v", text, errs)
	}
	return set
}
