package lookup_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/lookup"
)

// What the engine waits for when a file has changed: parsing, fitting, indexing.
func BenchmarkTake(b *testing.B) {
	for _, kind := range []string{"names", "blocks", "table"} {
		b.Run("rows=1e5/"+kind, func(b *testing.B) {
			var text strings.Builder
			f := &plan.File{Name: kind}
			if kind == "table" {
				f.Key = "id"
				text.WriteString("id,name,risk,open,country\n")
			}
			for i := range 100_000 {
				switch kind {
				case "names":
					fmt.Fprintf(&text, "c%06d\n", i)
				case "blocks":
					fmt.Fprintf(&text, "%d.%d.%d.0/24\n", 1+i>>16, i>>8&255, i&255)
				case "table":
					fmt.Fprintf(&text, "m%06d,Merchant %d,%d.5,true,DE\n", i, i, i%10)
				}
			}
			f.Ask(event.String)
			raw := []byte(text.String())
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				c, err := lookup.Parse(f, raw)
				if err != nil {
					b.Fatal(err)
				}
				if f.Key != "" {
					f.Columns = c.ColumnTypes()
				}
				if err := f.Fit(c); err != nil {
					b.Fatal(err)
				}
				eval.NewLookup(f, c)
			}
		})
	}
}
