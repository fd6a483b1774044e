package infer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/format"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/infer"
)

func TestDeclarations(t *testing.T) {
	g := infer.New("", "")
	for i := range 30 {
		note := ""
		if i%3 == 0 {
			note = `,"note":"x"`
		}
		g.Add(fmt.Appendf(nil, `{"type":"pay","pay_id":"p%d","at":"2026-01-01T00:00:%02dZ","n":%d,"amount":%d.5,"ip":"10.0.0.1","took":"5s","tags":["a"],"where":{"lat":1.5,"lon":2},"ok":true,"in":null,"mixed":%s%s}`,
			i, i, i%4, i, []string{"1", `"a"`}[i%2], note))
	}
	g.Add([]byte(`{"type":"tick","t":1767225600000}`))
	g.Add([]byte(`[1]`))
	g.Add([]byte(`{"no":"type"}`))
	want := `// From 30 records: sure of types.
event pay (time: at, id: pay_id) {
    pay_id string
    at     time
    n      int
    amount float
    ip     ip
    took   duration
    tags   [string]
    where  { lat float  lon int }
    ok     bool
    ` + "`in`" + `   any? // never anything but null, in 0 % of records
    mixed  any // values of several types
    note   string? // in 33 % of records
}

// From 1 record: few to be sure.
// Time: t is a guess by its form; look at it.
event tick (time: t(ms)) {
    t int
}
`
	if diff := cmp.Diff(want, g.Declarations()); diff != "" {
		t.Error(diff)
	}
	if g.Malformed != 2 || g.Records != 33 {
		t.Errorf("%d of %d malformed", g.Malformed, g.Records)
	}
}

// TestAnythingIsDeclared says that what is proposed compiles, and is laid out.
func TestAnythingIsDeclared(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "at", "in", "id", "x y", "ö", "type", "", "`", "event", "@timestamp", "1"})
	value := rapid.SampledFrom([]string{"1", "1.5", "null", `"s"`, `"2026-01-01T00:00:00Z"`, "1767225600", "true", `["a",1]`, `{"a":{"b":null}}`, `"::1"`, "{}", "[]"})
	rapid.Check(t, func(t *rapid.T) {
		g := infer.New("", "")
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			text := fmt.Sprintf(`{"type":%q`, name.Draw(t, "type"))
			for range rapid.IntRange(0, 4).Draw(t, "fields") {
				text += fmt.Sprintf(",%q:%s", name.Draw(t, "name"), value.Draw(t, "value"))
			}
			g.Add([]byte(text + "}"))
		}
		f := &source.File{Name: "x.cep", Text: g.Declarations()}
		if set, errs := lang.Compile([]*source.File{f}); set == nil {
			t.Fatalf("%s\n%v", f.Text, errs)
		}
		if text, _ := format.File(f); text != f.Text {
			t.Fatalf("%s\n%s", f.Text, cmp.Diff(f.Text, text))
		}
	})
}

// TestDeepRecordsAreAny: what is nested deeper than a rule file can say is not told.
func TestDeepRecordsAreAny(t *testing.T) {
	g := infer.New("deep", "")
	g.Add([]byte(strings.Repeat(`{"d":`, 150) + "1" + strings.Repeat("}", 150)))
	g.Add([]byte(`{"l":` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `}`))
	text := g.Declarations()
	if _, errs := lang.Compile([]*source.File{{Name: "d.cep", Text: text}}); errs.HasErrors() {
		t.Errorf("%s\n%v", text, errs)
	}
}
