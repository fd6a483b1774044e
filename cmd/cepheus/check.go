package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
)

type checkVerb struct {
	Paths []string `arg:"" name:"path" help:"Rule files, or folders of them (*.cep). All together are one rule set, as run --rules takes them."`
	JSON  bool     `name:"json" help:"Print the messages as one JSON array."`
}

// Run prints every error and warning of the rule set that the paths make; they are
// the verb's result.
func (v checkVerb) Run(w *world) error {
	_, messages, err := compile(v.Paths)
	if err != nil {
		return err
	}
	if err := v.print(w.stdout, messages); err != nil {
		return fmt.Errorf("print messages: %w", err)
	}
	if messages.HasErrors() {
		return errNotWell
	}
	return nil
}

func (v checkVerb) print(to io.Writer, messages source.Errors) error {
	if !v.JSON {
		return messages.Print(to)
	}
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(messages.Messages())
}

// compile reads and compiles the rule set that the paths make. The set is nil where
// a message is an error. A path that is not there is wrong usage. Where a file cannot
// be read the others are not compiled: half of their messages would be about names
// that the missing file declares.
func compile(paths []string) (*plan.Set, source.Errors, error) {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, usage(fmt.Errorf("rules: %w", err))
		}
	}
	files, unread := source.Read(paths)
	if unread.HasErrors() {
		unread.Sort()
		return nil, unread, nil
	}
	set, messages := lang.CompileWith(files, lookup.New(lookup.Options{}).Read)
	return set, messages, nil
}
