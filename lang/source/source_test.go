package source

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPositionCountsRunesAndLinesFromOne(t *testing.T) {
	f := &File{Text: "\uFEFFaé\r\n\t界x\n"}
	for offset, want := range map[int]Pos{
		0: {1, 1}, 3: {1, 1}, 4: {1, 2}, 6: {1, 3}, 8: {2, 1}, 9: {2, 2}, 12: {2, 3}, 13: {2, 4}, 14: {3, 1}, 99: {3, 1}, -1: {1, 1},
	} {
		if got := f.Position(offset); got != want {
			t.Errorf("offset %d: got %v, want %v", offset, got, want)
		}
	}
}

func TestDetailShowsLineAndCaret(t *testing.T) {
	long := strings.Repeat("x", 200) + "HERE" + strings.Repeat("y", 200)
	for name, tc := range map[string]struct {
		text, word, want string
	}{
		"plain":                    {"let a = amout", "amout", "    let a = amout\n            ^^^^^\n"},
		"tabs stay":                {"\tlet\ta", "a", "    \tlet\ta\n    \t   \t^\n"},
		"wide runes":               {"界é here", "here", "    界é here\n        ^^^^\n"},
		"carets under wide runes":  {"a 界界", "界界", "    a 界界\n      ^^^^\n"},
		"combining marks":          {"e\u0301 x", "x", "    e\u0301 x\n      ^\n"},
		"end of file":              {"let a =", "", "    let a =\n           ^\n"},
		"several lines":            {"a (b\nc) d", "(b\nc)", "    a (b\n      ^^\n"},
		"second line, CRLF":        {"a\r\nb c\r\n", "c", "    b c\n      ^\n"},
		"byte order mark":          {"\uFEFFab", "b", "    ab\n     ^\n"},
		"control characters":       {"a\x1b[31m b", "b", "    a\uFFFD[31m b\n           ^\n"},
		"a long line is clipped":   {long, "HERE", "    " + strings.Repeat("x", 60) + "HERE" + strings.Repeat("y", 56) + "\n    " + strings.Repeat(" ", 60) + "^^^^\n"},
		"no text, no line":         {"", "", ""},
		"the place is a blank end": {"a\n", "", "    \n    ^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &File{Name: "a.cep", Text: tc.text}
			at := strings.Index(tc.text, tc.word)
			if tc.word == "" {
				at = len(tc.text)
			}
			e := Error{Code: "X001", Message: "wrong", Span: Span{File: f, Start: at, End: at + len(tc.word)}}
			_, got, _ := strings.Cut(e.Detail(), "\n")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the text and the place, printing does not fail and points into the line.
func TestDetailOfAnyPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		start := rapid.IntRange(0, len(text)).Draw(t, "start")
		end := rapid.IntRange(start, len(text)).Draw(t, "end")
		e := Error{Code: "X001", Message: "wrong", Span: Span{File: &File{Name: "a", Text: text}, Start: start, End: end}}
		lines := strings.Split(e.Detail(), "\n")
		if strings.TrimSpace(text) != "" && (len(lines) != 4 || !strings.HasSuffix(lines[2], "^")) {
			t.Fatalf("got %q", lines)
		}
	})
}

func TestErrorsSortDropRepetitionsAndLimit(t *testing.T) {
	a, b := &File{Name: "a.cep", Text: "xxxx"}, &File{Name: "b.cep", Text: "xxxx"}
	at := func(f *File, n int, code string, s Severity) Error {
		return Error{Severity: s, Code: code, Message: code, Span: Span{File: f, Start: n, End: n + 1}}
	}
	es := Errors{at(b, 1, "3", Err), at(a, 2, "2", Err), at(a, 1, "w", Warning), at(a, 2, "2", Err), at(b, 3, "4", Err)}
	es.Sort()
	if got, want := codes(es), "w 2 3 4"; got != want {
		t.Errorf("sorted: got %s, want %s", got, want)
	}
	if got, want := codes(es.Limit(4)), "w 2 3 4"; got != want {
		t.Errorf("within the limit: got %s, want %s", got, want)
	}
	short := es.Limit(2)
	if got, want := codes(short), "2 3 S000"; got != want {
		t.Errorf("errors go before warnings: got %s, want %s", got, want)
	}
	if got, want := short[2].Message, "2 more messages are not shown"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func codes(es Errors) string {
	var out []string
	for _, e := range es {
		out = append(out, e.Code)
	}
	return strings.Join(out, " ")
}

func TestWarningsAreNoErrors(t *testing.T) {
	warning := Errors{{Severity: Warning}}
	if warning.HasErrors() || warning.Err() != nil {
		t.Error("a warning counts as an error")
	}
	mixed := Errors{{Severity: Warning}, {Severity: Err}}
	if !mixed.HasErrors() || mixed.Err() == nil {
		t.Error("an error does not count")
	}
}

func TestPrintAndJSONSayTheSame(t *testing.T) {
	f := &File{Name: "r.cep", Text: "once\nonce\n"}
	es := Errors{{
		Code: "S023", Message: "twice", Mend: "keep one of them", Span: Span{File: f, Start: 5, End: 9},
		Also: Span{File: f, Start: 0, End: 4}, AlsoText: "first written here",
	}}
	var b strings.Builder
	if err := es.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := "r.cep:2:1: S023: twice; keep one of them\n    once\n    ^^^^\n    r.cep:1:1: first written here\n    once\n    ^^^^\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := json.Marshal(es.Messages())
	if err != nil {
		t.Fatal(err)
	}
	want = `[{"severity":"error","code":"S023","file":"r.cep","line":2,"column":1,"end_line":2,"end_column":5,"message":"twice","mend":"keep one of them",` +
		`"also":{"file":"r.cep","line":1,"column":1,"end_line":1,"end_column":5,"text":"first written here"}}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (Errors{{}}).Error(); got != "(unknown place): : " {
		t.Errorf("an error without a place: %q", got)
	}
	if got, _ := json.Marshal(Errors(nil).Messages()); string(got) != "[]" {
		t.Errorf("no messages: %s", got)
	}
}

func TestNear(t *testing.T) {
	names := []string{"amount", "at", "card", "country", "merchant", "payment_id", "sliding", "Straße", "user", "usr"}
	for name, want := range map[string]string{
		"amout": "amount", "amuont": "amount", "Amount": "amount", "cart": "card", "car": "card", "acrd": "card", "merchand": "merchant",
		"paymentid": "payment_id", "slidng": "sliding", "strasse": "Straße", "uesr": "user", "usre": "user", "AT": "at",
		"ta": "", "a": "", "": "", "currency": "", "x_amount_y": "", "cdra": "",
		strings.Repeat("a", 100): "",
	} {
		got, ok := Near(name, names)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", name, got, ok, want)
		}
	}
	if got := DidYouMean("amout", names); got != `did you mean "amount"?` {
		t.Errorf("got %s", got)
	}
}

// The bounded distance agrees with the recursive definition.
func TestDistanceAgreesWithItsDefinition(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := []rune(word.Draw(t, "a")), []rune(word.Draw(t, "b"))
		limit := rapid.IntRange(0, 7).Draw(t, "limit")
		want := min(plainDistance(a, b), limit+1)
		if got := min(distance(a, b, limit), limit+1); got != want {
			t.Fatalf("%s %s within %d: got %d, want %d", string(a), string(b), limit, got, want)
		}
	})
}

func plainDistance(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) + len(b)
	}
	i, j := len(a)-1, len(b)-1
	best := min(plainDistance(a[:i], b)+1, plainDistance(a, b[:j])+1, plainDistance(a[:i], b[:j])+differ(a[i], b[j]))
	if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
		best = min(best, plainDistance(a[:i-1], b[:j-1])+1)
	}
	return best
}

func TestReadTakesFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	b, a := write("rules/b.cep", "b"), write("rules/a.cep", "a")
	write("rules/notes.txt", "no rules")
	write("rules/below/c.cep", "not read")
	other := write("other.rules", "other")
	big := write("big.cep", strings.Repeat("x", MaxFileSize+1))
	write("none/readme", "")

	files, errs := Read([]string{filepath.Join(dir, "rules"), b, other, big, filepath.Join(dir, "none"), filepath.Join(dir, "gone.cep")})
	var got []string
	for _, f := range files {
		got = append(got, f.Name+"="+f.Text)
	}
	if diff := cmp.Diff([]string{a + "=a", b + "=b", other + "=other"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	want := []string{
		big + ":1:1: S002: the file is larger than 1 MB, the limit for a rule file",
		filepath.Join(dir, "none") + ":1:1: S001: the folder holds no rule files (*.cep)",
		filepath.Join(dir, "gone.cep") + ":1:1: S001: cannot be read: no such file or directory",
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), errs.Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestReadReportsUnreadableFilesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a.cep")); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "b.cep")); err != nil {
		t.Fatal(err)
	}
	files, errs := Read([]string{dir})
	if len(files) != 0 || len(errs) != 2 || errs[0].Code != "S001" || !strings.Contains(errs[1].Message, "not a regular file") {
		t.Errorf("got %d files, %v", len(files), errs)
	}
}
