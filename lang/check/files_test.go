package check_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// data holds files of lists (an entry a line) and tables (a header and cells between
// commas), by path.
type data map[string]string

func (d data) read(f *plan.File) (*plan.Contents, error) {
	text, ok := d[filepath.ToSlash(f.At)]
	if !ok {
		return nil, errors.New("no such file")
	}
	c := &plan.Contents{Hash: text, Columns: make([][]string, 1)}
	for n, line := range strings.Split(text, "\n") {
		cells := []string{line}
		if f.Key != "" {
			cells = strings.Split(line, ",")
		}
		if f.Key != "" && n == 0 {
			c.Header, c.Columns = cells, make([][]string, len(cells))
			continue
		}
		for i := range c.Columns {
			c.Columns[i] = append(c.Columns[i], cells[i])
		}
		c.Lines = append(c.Lines, int32(n)+1)
	}
	return c, nil
}

// compileWith checks texts by file name, beside the prelude.
func compileWith(t *testing.T, d data, texts map[string]string) (*plan.Set, []string) {
	t.Helper()
	texts["p.cep"] = prelude
	var files []*syntax.File
	for name, text := range texts {
		f, errs := syntax.Parse(&source.File{Name: name, Text: text})
		if errs.HasErrors() {
			t.Fatalf("the test does not parse: %v", errs)
		}
		files = append(files, f)
	}
	set, errs := check.With(files, d.read)
	var out []string
	for _, e := range errs {
		out = append(out, e.Error())
	}
	return set, out
}

func TestFilesOfListsAndTables(t *testing.T) {
	d := data{
		"rules/ips.txt": "10.0.0.0/8\nx", "merchants.csv": "id,risk,closed\nm1,3,true\nm2,,false", "/abs/n.txt": "1\n2",
	}
	rule := `list ips from file "ips.txt" list ns from file "/abs/n.txt" table ms (key: id) from file "../merchants.csv"
		rule r { from a where s in ips and n in ns by ms[s].risk as risk emit { closed: ms[k].closed } }`
	set, errs := compileWith(t, d, map[string]string{"rules/r.cep": rule})
	if errs != nil {
		t.Fatal(errs)
	}
	optional := func(k event.Kind) event.Type { return event.Type{Kind: k, Optional: true} }
	want := []*plan.File{
		{Name: "ips", Path: "ips.txt", At: "rules/ips.txt", Asked: []event.Kind{event.String}},
		{
			Name: "ms", Path: "../merchants.csv", At: "merchants.csv", Key: "id", Asked: []event.Kind{event.String},
			Columns: []event.Field{{Name: "id", Type: optional(event.String)}, {Name: "risk", Type: optional(event.Int)}, {Name: "closed", Type: optional(event.Bool)}},
		},
		{Name: "ns", Path: "/abs/n.txt", At: "/abs/n.txt", Asked: []event.Kind{event.Int}},
	}
	for i, f := range set.Files {
		got := *f
		got.Contents = nil
		if f.Contents == nil {
			t.Errorf("%s has no contents", f.Name)
		}
		if diff := cmp.Diff(*want[i], got); diff != "" {
			t.Errorf("file %d (-want +got):\n%s", i, diff)
		}
	}
	in := set.Rules[0].Inputs[0]
	if got := in.Where.String() + in.Key[0].String() + in.Emit[0].Expr.String(); got != "(and (infile ips s) (infile ns n))(.risk (row ms s))(.closed (row ms k))" {
		t.Errorf("got %s", got)
	}
	if k := set.Rules[0].Keys[0].Type.Kind; k != event.Int {
		t.Errorf("the key is of kind %s", k)
	}
}

func TestFileErrors(t *testing.T) {
	d := data{"l.txt": "x\n10.0.0.0/8", "t.csv": "id,risk\na,1\nb,2\na,3", "ok.csv": "id,risk\na,1"}
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"a file that is not there": {`list l from file "no.txt" rule r { from a where s in l and m > 1 }`, []string{
			`r.cep:1:18: R108: the file "no.txt" of l cannot be taken: no such file`,
		}},
		"what uses it is not judged, the rest is": {`table t (key: id) from file "no.csv" rule r { from a where t[s].risk > 1 } rule q { from a where m > 1 }`, []string{
			`r.cep:1:29: R108: the file "no.csv" of t cannot be taken: no such file`,
			`r.cep:1:98: R203: unknown field "m" of a`,
		}},
		"no such key":                      {`table t (key: ids) from file "ok.csv"`, []string{`r.cep:1:15: R108: the file "ok.csv" has no column "ids"; did you mean "id"?`}},
		"no such near key":                 {`table t (key: merchant) from file "ok.csv"`, []string{`r.cep:1:15: R108: the file "ok.csv" has no column "merchant"; there are id, risk`}},
		"a key twice":                      {`table t (key: id) from file "t.csv"`, []string{`r.cep:1:29: R109: the file "t.csv" of t has wrong rows: line 4: id "a" stands in line 2 already`}},
		"rows that no rule looks wrong at": {`list l from file "l.txt" rule r { from a where s in l }`, nil},
		"rows that do not fit a rule": {`list l from file "l.txt" rule r { from a where n in l }`, []string{
			`r.cep:1:18: R109: the file "l.txt" of l has wrong rows: line 1: "x" is no whole number, and rules look whole numbers up; line 2: "10.0.0.0/8" is no whole number, and rules look whole numbers up`,
		}},
		"an unknown column": {`table t (key: id) from file "ok.csv" rule r { from a where t[s].rsk > 1 }`, []string{`r.cep:1:65: R203: unknown field "rsk" of the table t; did you mean "risk"?`}},
		"two of one name":   {`list l from file "l.txt" table l (key: id) from file "ok.csv"`, []string{`r.cep:1:32: R101: table "l" has the name of a list`}},
	} {
		t.Run(name, func(t *testing.T) {
			set, got := compileWith(t, d, map[string]string{"r.cep": tc.text})
			if diff := cmp.Diff(tc.want, got); diff != "" || (set == nil) != (tc.want != nil) {
				t.Errorf("set %v (-want +got):\n%s", set, diff)
			}
		})
	}
}

// What a file holds is no part of what a rule means; which file it is is.
func TestVersionsAndFiles(t *testing.T) {
	rules := `list l from file "l.txt" table t (key: id) from file "t.csv" rule r { from a where s in l and t[s].x > 1 } rule q { from a }`
	version := func(d data, text string) (string, string, string) {
		set, errs := compileWith(t, d, map[string]string{"r.cep": text})
		if errs != nil {
			t.Fatal(errs)
		}
		return set.Rules[1].Version, set.Rules[0].Version, set.Version
	}
	d := data{"l.txt": "a", "t.csv": "id,x\na,1", "m.txt": "a", "u.csv": "id,x\na,1"}
	r, q, s := version(d, rules)
	r2, q2, s2 := version(data{"l.txt": "b", "t.csv": "id,x,y\nb,2,1"}, rules)
	if r != r2 || q != q2 || s != s2 {
		t.Error("what files hold changes a version")
	}
	for _, change := range [][2]string{{"l.txt", "m.txt"}, {"t.csv", "u.csv"}, {"key: id", "key: x"}} {
		r2, q2, s2 := version(d, strings.Replace(rules, change[0], change[1], 1))
		if r == r2 || q != q2 || s == s2 {
			t.Errorf("%q for %q: the rule's version is the same: %v, another rule's: %v, the set's: %v", change[1], change[0], r == r2, q == q2, s == s2)
		}
	}
}
