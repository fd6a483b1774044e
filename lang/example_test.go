package lang_test

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// A rule set is compiled as a whole; the messages say all that is wrong with it.
func ExampleCompile() {
	file := &source.File{Name: "card.cep", Text: `
event payment { card string  amount float }

rule large {
    from payment where amout > 1000
    by card
}
`}
	set, errs := lang.Compile([]*source.File{file})
	fmt.Println(set == nil, errs)

	file.Text = `event payment { card string  amount float }
rule large { from payment where amount > 1000 by card }`
	set, errs = lang.Compile([]*source.File{file})
	fmt.Println(set.Rules[0].Name, len(errs))
	// Output:
	// true card.cep:5:24: R203: unknown field "amout" of payment; did you mean "amount"?
	// large 0
}
