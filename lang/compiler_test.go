package lang_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// The declarations that rule sets are drawn from, by what they declare: several texts of
// each. Some are wrong by themselves or beside others, and some do not parse.
var (
	globalTexts = map[string][]string{
		"event a": {
			`event a (time: at) { at time  k string  n int  x float?  dev { os string?  n int } }`,
			`event a (time: at, id: k) { k string  at time  n int  x float?  dev { n int  os string? } }`,
			`event a (time: at) { at time  k string  n float  x float?  low int }`,
			`event a (time: at) { at tim  k string }`,
			`event a (time: at) { at time  k }`,
		},
		"event b": {
			`event b (time: at) { at time  k string  n int  s string }`,
			`event b (time: at) { at time  k string  n int  s string  blocked string }`,
			`event b (time: at { at time`,
		},
		"event aa":       {`event aa (time: at) { at time  k string }`},
		"event made":     {`event made (time: at) { at time  k string  n int }`, `event made (time: at) { at time  k string }`},
		"let low":        {`let low = 3`, `let low = 3 + 4`, `let low = "x"`, `let low = high`, `let low = `},
		"let high":       {`let high = low + 10`, `let high = 99`},
		"fn big":         {`fn big(n int) = n > high`, `fn big(n int) = n > 5`, `fn big(e a) = e.n > low`, `fn big(n nothing) = n`},
		"list blocked":   {`list blocked = ["x", "y"]`, `list blocked = ["z"]`, `list blocked from file "l.txt"`, `list blocked from file "gone.txt"`},
		"table owners":   {`table owners (key: k) from file "t.csv"`, `table owners (key: k) from file "u.csv"`},
		"table seen":     {`table seen by k from a { count: count(), most: max(n) }`, `table seen by k from a where n > low { count: count() }`, `table seen by k from made { most: max(n) }`},
		"table another":  {`table another by k from b { count: count() }`},
		"test":           {`test f0 { at 0s a { k: "x", n: 1 } expect f0 at 0s }`, `test f0, w0 { at 0s a { q: 1 } }`, `test none { }`},
		"let `odd name`": {"let `odd name` = 2"},
	}
	ruleTexts = []string{
		`rule %s { from a where n > %d }`,
		`rule %s { from a where n > low and x > %d emit { os: dev.os } }`,
		`rule %s { from a where big(n) and n != %d }`,
		`rule %s { from b where s in blocked and n > %d by k }`,
		`rule %s "title" { severity high from a, b by k window sliding 5m having count() > %d emit { total: sum(n) } }`,
		`rule %s { from a by k window tumbling 1h having avg(x) > %d }`,
		`rule %s { by k match p: a[n > %d] -> q: b[n > p.n] within 1h emit { n: q.n, os: p.dev.os } }`,
		`rule %s { by k match p: a[n > %d]{2,} -> q: a[n > low and dev.n > 1] }`,
		`rule %s { let y = n * 2  from a where y > %d emit made { at: meta.time, k: k, n: n } }`,
		`rule %s { from made where n > %d }`,
		`rule %s { from a where seen[k].count > %d }`,
		`rule %s { from b where seen[s].count > %d and k in seen }`,
		`rule %s { from b where owners[k].age > %d }`,
		`rule %s { from b where another[s].count > %d suppress 5m by s }`,
		"rule %s { from a where n > `odd name` + %d }",
		`rule %s { from a where unknown > %d }`,
		`rule %s { from a whre n > %d }`,
		`rule %s { from a where n > %d by k window sliding 5m having count() > `,
		`rule %s { from aa where k == "%d" }`,
		`rule %s { let unused = n in owners  from b where n > %d }`,
	}
)

// drawData is what files hold in one state of the world.
func drawData(t *rapid.T) lang.Data {
	columns := rapid.SampledFrom([][]string{{"k", "age"}, {"age", "k"}, {"k", "name"}}).Draw(t, "columns")
	cell := rapid.SampledFrom([]string{"7", "seven"}).Draw(t, "cell")
	return func(f *plan.File) (*plan.Contents, error) {
		switch f.Path {
		case "l.txt":
			return &plan.Contents{Columns: [][]string{{"x", cell}}, Lines: []int32{1, 2}}, nil
		case "t.csv":
			return &plan.Contents{Header: columns, Columns: [][]string{{"1"}, {cell}}, Lines: []int32{2}}, nil
		case "u.csv":
			return &plan.Contents{Header: []string{"k", "age"}, Columns: [][]string{{"a"}, {"4"}}, Lines: []int32{2}}, nil
		}
		return nil, errors.New("it is gone")
	}
}

// world is a rule set that changes: its declarations, and the file that each stands in.
type world struct {
	decls map[string]string
	file  map[string]int
}

const worldFiles = 4

func (w *world) names() []string {
	var names []string
	for name := range w.decls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// files writes the set out.
func (w *world) files(comment string) []*source.File {
	texts := make([]string, worldFiles)
	for _, name := range w.names() {
		texts[w.file[name]] += w.decls[name] + "\n"
	}
	var files []*source.File
	for i, text := range texts {
		if i == 0 {
			text = comment + text
		}
		files = append(files, &source.File{Name: fmt.Sprintf("dir/f%d.cep", i), Text: text})
	}
	return files
}

// put gives a declaration a text.
func (w *world) put(t *rapid.T, name, text string) {
	if _, ok := w.decls[name]; !ok {
		w.file[name] = rapid.IntRange(0, worldFiles-1).Draw(t, "file")
	}
	w.decls[name] = text
}

// edit changes something.
func (w *world) edit(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "edit") {
	case 0, 1:
		names := slices.Sorted(mapKeys(globalTexts))
		name := rapid.SampledFrom(names).Draw(t, "name")
		texts := globalTexts[name]
		w.put(t, name, texts[min(rapid.IntRange(0, 2*len(texts)).Draw(t, "text")/2, len(texts)-1)])
	case 2:
		if names := w.names(); len(names) > 0 {
			delete(w.decls, rapid.SampledFrom(names).Draw(t, "gone"))
		}
	case 3:
		if names := w.names(); len(names) > 0 {
			w.file[rapid.SampledFrom(names).Draw(t, "moved")] = rapid.IntRange(0, worldFiles-1).Draw(t, "file")
		}
	case 4: // nothing, or what says the same: a comment, another name for the same text
	default:
		name := fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"f", "w", "low"}).Draw(t, "kind"), rapid.IntRange(0, 3).Draw(t, "number"))
		text := rapid.SampledFrom(ruleTexts).Draw(t, "rule")
		if i := rapid.IntRange(0, 99).Draw(t, "sound"); i > 15 {
			text = ruleTexts[i%15]
		}
		w.put(t, "rule "+name, fmt.Sprintf(text, name, rapid.IntRange(0, 9).Draw(t, "than")))
	}
}

func mapKeys(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// sound is a world that compiles, with few or many rules.
func sound(t *rapid.T) *world {
	w := &world{decls: map[string]string{}, file: map[string]int{}}
	for i, name := range slices.Sorted(mapKeys(globalTexts)) {
		if name != "test" {
			w.decls[name], w.file[name] = globalTexts[name][0], i%worldFiles
		}
	}
	every := rapid.IntRange(1, 5).Draw(t, "every")
	for i, text := range ruleTexts[:15] {
		if i%every > 0 {
			continue
		}
		name := fmt.Sprintf("%s%d", []string{"f", "w", "low"}[i%3], i/3)
		w.decls["rule "+name], w.file["rule "+name] = fmt.Sprintf(text, name, i), i%worldFiles
	}
	return w
}

// differ compares sets to the last field; of functions, which the texts' rules have none
// of, whether they are there. That of the package reflect is the fast one.
func differ(a, b *plan.Set) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return cmp.Diff(a, b, cmp.Comparer(func(a, b func([]event.Value) (event.Value, error)) bool { return (a == nil) == (b == nil) }))
}

// TestCompilerGivesWhatCompileGives makes random edits to a random rule set, and compares
// each time what a Compiler that remembers gives with a compilation from scratch.
func TestCompilerGivesWhatCompileGives(t *testing.T) {
	var sets, shared int
	rapid.Check(t, func(t *rapid.T) {
		w, data := sound(t), drawData(t)
		var c lang.Compiler
		var last, lastWant *plan.Set
		for range rapid.IntRange(2, 12).Draw(t, "steps") {
			comment := rapid.SampledFrom([]string{"", "// hello\n"}).Draw(t, "comment")
			files := w.files(comment)
			got, messages := c.Compile(files, data)
			want, wantMessages := lang.CompileWith(w.files(comment), data)
			if diff := cmp.Diff(wantMessages, messages); diff != "" {
				t.Fatalf("messages of\n%s\n-want +got:\n%s", show(files), diff)
			}
			if diff := differ(want, got); diff != "" {
				t.Fatalf("plan of\n%s\n-want +got:\n%s", show(files), diff)
			}
			if diff := differ(lastWant, last); diff != "" {
				t.Fatalf("the set before was changed by\n%s\n-want +got:\n%s", show(files), diff)
			}
			if got != nil {
				sets++
				shared += sharedRules(last, got)
				last, lastWant = got, want
			}
			for range rapid.IntRange(1, 2).Draw(t, "edits") {
				w.edit(t)
			}
			if rapid.IntRange(0, 3).Draw(t, "other data") == 0 {
				data = drawData(t)
			}
		}
	})
	if shared == 0 {
		t.Errorf("no rule was taken over in %d sets: the test shows nothing", sets)
	}
	t.Logf("%d sets, %d rules taken over", sets, shared)
}

func show(files []*source.File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "-- %s --\n%s", f.Name, f.Text)
	}
	return b.String()
}

// sharedRules counts the rules that two sets have in common.
func sharedRules(a, b *plan.Set) int {
	n := 0
	if a == nil {
		return 0
	}
	for _, r := range b.Rules {
		if slices.Contains(a.Rules, r) {
			n++
		}
	}
	return n
}
