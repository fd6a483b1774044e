package lang_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

const manyEvents = `event payment (time: ts(ms)) {
    ts       int
    card     string
    amount   float
    country  string
    merchant string
    device   string?
}
`

// manyRule is the text of rule i of many: filters, windows and sequences in turn, none
// like another.
func manyRule(i int) string {
	switch i % 3 {
	case 0:
		return fmt.Sprintf("rule f%d { from payment where merchant == \"m%03d\" and amount > %d emit { card: card, amount: amount } }\n", i, i%1000, 100+i%900)
	case 1:
		return fmt.Sprintf(`rule w%d "many payments at m%03d" {
    severity high
    from payment where merchant == "m%03d"
    by card
    window sliding %ds
    having count() >= 5 and sum(amount) > %d
    emit { payments: count(), total: sum(amount) }
}
`, i, i%1000, i%1000, 60+i%100, 1000+i)
	}
	return fmt.Sprintf(`rule s%d {
    by card
    match a: payment[amount < %d] -> b: payment[merchant == "m%03d" and amount > a.amount * 5]
    within 60s
    emit { first: a.amount, second: b.amount }
}
`, i, 10+i%90, i%1000)
}

// manyFiles are n rules, of which each file has so many, and a file of what they read.
func manyFiles(n, each int) []*source.File {
	files := []*source.File{{Name: "events.cep", Text: manyEvents}}
	for i := 0; i < n; i += each {
		var b strings.Builder
		for j := i; j < min(i+each, n); j++ {
			b.WriteString(manyRule(j))
		}
		files = append(files, &source.File{Name: fmt.Sprintf("rules%05d.cep", i/each), Text: b.String()})
	}
	return files
}

func BenchmarkCompileMany(b *testing.B) {
	for _, bench := range []struct{ rules, each int }{{1_000, 100}, {10_000, 100}, {10_000, 1}, {100_000, 1_000}} {
		b.Run(fmt.Sprintf("rules=%d/each=%d", bench.rules, bench.each), func(b *testing.B) {
			files := manyFiles(bench.rules, bench.each)
			b.ReportAllocs()
			for b.Loop() {
				if _, errs := lang.Compile(files); errs.HasErrors() {
					b.Fatal(errs)
				}
			}
		})
	}
}

// BenchmarkReplaceOne replaces one of many rules with one Compiler.
func BenchmarkReplaceOne(b *testing.B) {
	for _, bench := range []struct{ rules, each int }{{10_000, 100}, {10_000, 1}, {10_000, 2_500}, {100_000, 1_000}} {
		b.Run(fmt.Sprintf("rules=%d/each=%d", bench.rules, bench.each), func(b *testing.B) {
			files := manyFiles(bench.rules, bench.each)
			old := files[len(files)/2]
			new := &source.File{Name: old.Name, Text: strings.Replace(old.Text, "amount", "2 + amount", 1)}
			var c lang.Compiler
			c.Compile(files, nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				files[len(files)/2] = []*source.File{new, old}[i%2]
				if _, errs := c.Compile(files, nil); errs.HasErrors() {
					b.Fatal(errs)
				}
			}
		})
	}
}

// TestManyWarningsHideNoConditions compiles more patterns without within than messages
// are shown: what they ask of their events must be in the plan of all.
func TestManyWarningsHideNoConditions(t *testing.T) {
	var b strings.Builder
	for i := range 3_000 {
		fmt.Fprintf(&b, "rule r%d { by card match a: payment[amount < %d] -> b: payment }\n", i, i)
	}
	set, errs := lang.Compile([]*source.File{{Name: "events.cep", Text: manyEvents}, {Name: "r.cep", Text: b.String()}})
	if set == nil {
		t.Fatal(errs)
	}
	for _, r := range set.Rules {
		if r.Pattern.Steps[0].Cond == nil || len(r.Keys) != 1 {
			t.Fatalf("rule %s has lost its condition or its key", r.Name)
		}
	}
}
