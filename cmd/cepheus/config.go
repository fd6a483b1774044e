package main

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/config"
)

type configVerbs struct {
	Schema schemaVerb `cmd:"" help:"Print a JSON Schema of cepheus.yaml, for editors."`
}

type schemaVerb struct{}

// Run prints the schema.
func (schemaVerb) Run(w *world) error {
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "%s\n", text)
	return err
}
