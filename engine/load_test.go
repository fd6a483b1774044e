package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

const manyEvents = "event payment (time: ts(ms)) { ts int  card string  amount float  country string  merchant string }\n"

// manyRules are files of rules, so many in each, behind the file of their events.
func manyRules(rules, each int) []*source.File {
	files := []*source.File{{Name: "events.cep", Text: manyEvents}}
	for i := 0; i < rules; i += each {
		var b strings.Builder
		for n := range each {
			fmt.Fprintf(&b, "rule r%d { from payment where merchant == \"m%d\" and amount > %d.5 emit { a: amount } }\n", i+n, i%1000, (i+n)%900)
		}
		files = append(files, &source.File{Name: fmt.Sprintf("rules%d.cep", i), Text: b.String()})
	}
	return files
}

// BenchmarkReplaceOne replaces one of many rules, up to an engine that could take over.
func BenchmarkReplaceOne(b *testing.B) {
	for _, rules := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint("rules=", rules), func(b *testing.B) {
			files := manyRules(rules, 100)
			at := len(files) / 2
			old := files[at]
			other := &source.File{Name: old.Name, Text: strings.Replace(old.Text, "a: amount", "a: amount + 1", 1)}
			var c lang.Compiler
			c.Compile(files, nil)
			for i := 0; b.Loop(); i++ {
				files[at] = []*source.File{other, old}[i%2]
				set, errs := c.Compile(files, nil)
				if errs.HasErrors() {
					b.Fatal(errs)
				}
				store := state.NewMemory()
				box, err := state.OpenOutbox(b.Context(), store)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := engine.New(b.Context(), engine.Options{Set: set, Store: store, Outbox: box}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
