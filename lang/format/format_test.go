package format_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/format"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// TestLayout compares pairs of files: NAME.cep is laid out as NAME.formatted.
func TestLayout(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.cep")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := layout(t, string(text))
		want := strings.TrimSuffix(path, ".cep") + ".formatted"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		expected, _ := os.ReadFile(want)
		if diff := cmp.Diff(string(expected), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestWhatDoesNotParseIsLeft(t *testing.T) {
	text, errs := format.File(&source.File{Name: "a.cep", Text: "rule a { from"})
	if text != "" || !errs.HasErrors() {
		t.Errorf("text %q, messages %v", text, errs)
	}
}

// TestCorpus lays out every rule file of the repository that parses.
func TestCorpus(t *testing.T) {
	n := 0
	for name, text := range corpus(t) {
		if _, errs := syntax.Parse(&source.File{Name: name, Text: text}); errs.HasErrors() {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) { unchanged(t, text) })
	}
	if n < 300 {
		t.Errorf("only %d files of the corpus parse", n)
	}
}

// TestAnyLayout lays out the corpus with other white space and with comments in any place.
func TestAnyLayout(t *testing.T) {
	var texts []string
	for _, text := range corpus(t) {
		if _, errs := syntax.Parse(&source.File{Text: text}); !errs.HasErrors() && len(text) < 4000 {
			texts = append(texts, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := respaced(t, rapid.SampledFrom(texts).Draw(t, "text"))
		if _, errs := syntax.Parse(&source.File{Text: text}); errs.HasErrors() {
			t.Fatalf("%s\n%v", text, errs)
		}
		unchanged(t, text)
	})
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func layout(t tester, text string) string {
	t.Helper()
	out, errs := format.File(&source.File{Name: "a.cep", Text: text})
	if errs.HasErrors() {
		t.Fatalf("%s\n%v", text, errs)
	}
	return out
}

// unchanged asks that a file's layout has the same tokens, comments and versions, and that
// laying it out again changes nothing.
func unchanged(t tester, text string) {
	t.Helper()
	out := layout(t, text)
	if !format.Same(&source.File{Text: text}, &source.File{Text: out}) {
		t.Fatalf("other tokens:\n%s\nof\n%s", out, text)
	}
	if again := layout(t, out); again != out {
		t.Fatalf("laid out again:\n%s\nwas\n%s\nof\n%s\n%s", again, out, text, cmp.Diff(out, again))
	}
	if before, after := versions(text), versions(out); before != after {
		t.Fatalf("versions\n%s\nwere\n%s\nof\n%s\nlaid out as\n%s", after, before, text, out)
	}
	for _, line := range strings.Split(out, "\n") {
		if strings.TrimRight(line, " \t") != line {
			t.Fatalf("white space at the end of %q", line)
		}
	}
}

// versions are those of all rules; empty where the file does not compile.
func versions(text string) string {
	set, _ := lang.Compile([]*source.File{{Name: "a.cep", Text: text}})
	if set == nil {
		return ""
	}
	out := set.Version
	for _, r := range set.Rules {
		out += "\n" + r.Name + " " + r.Version
	}
	return out
}

var section = regexp.MustCompile(`(?m)^-- (\S+) --$`)

// corpus is every rule file of the repository, and every one in a scenario.
func corpus(t *testing.T) map[string]string {
	out := map[string]string{}
	add := func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".cep") {
			out[path] = string(text)
			return nil
		}
		places := section.FindAllStringSubmatchIndex(string(text), -1)
		for i, m := range places {
			end := len(text)
			if i+1 < len(places) {
				end = places[i+1][0]
			}
			if name := string(text[m[2]:m[3]]); name == "rules" || strings.HasSuffix(name, ".cep") {
				out[path+"/"+name] = string(text[m[1]+1 : end])
			}
		}
		return nil
	}
	for _, dir := range []string{"../../rules", "../../examples", "../../cmd", "../check/testdata", "testdata"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".txt") && !strings.HasSuffix(path, ".txtar") && !strings.HasSuffix(path, ".cep") {
				return err
			}
			return add(path)
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return out
}

// respaced is a text with other white space between its tokens, and comments.
func respaced(t *rapid.T, text string) string {
	var b strings.Builder
	last := 0
	for i, tok := range syntax.Tokens(&source.File{Text: text}) {
		space := ""
		if i > 0 && tok.Start > last {
			space = rapid.SampledFrom([]string{" ", "\n", "\n\n\n", "  ", "\t", "\r\n", " // why \n", "\n// own line\n", " /* in */ ", "\n/* two\n  lines */\n", "\n\n// far\n\n"}).Draw(t, "space")
			if before := text[last:tok.Start]; strings.Contains(before, "\n") && !strings.Contains(space, "\n") {
				space += "\n" // behind a line comment
			}
		}
		b.WriteString(space + text[tok.Start:tok.End])
		last = tok.End
	}
	return b.String() + "\n"
}

func FuzzFormat(f *testing.F) {
	f.Add("event a (time: t) { t time } rule r { from a where t > t }")
	f.Fuzz(func(t *testing.T, text string) {
		if _, errs := syntax.Parse(&source.File{Text: text}); !errs.HasErrors() {
			unchanged(t, text)
		}
	})
}
