package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
)

type checkVerb struct {
	Paths  []string `arg:"" optional:"" name:"path" help:"Rule files, or folders of them (*.cep). All together are one rule set, as run --rules takes them."`
	Config string   `name:"config" short:"c" type:"given" placeholder:"FILE" help:"Check a configuration (cepheus.yaml), and the rules that it names."`
	Probe  bool     `name:"probe" help:"With -c: also try whether each source and sink can be reached. Nothing is read or sent."`
	JSON   bool     `name:"json" help:"Print the messages as one JSON array."`
	Strict bool     `name:"strict" help:"Warn of rules without a test, too; warnings make the exit code 1."`
}

// Run prints every error and warning of the rule set that the paths make, or of a
// configuration; they are the verb's result.
func (v checkVerb) Run(w *world) error {
	switch {
	case v.Config != "" && len(v.Paths) > 0:
		return usage(errors.New("a path, or a configuration with -c, which names its rules itself: not both"))
	case v.Config != "":
		return v.checkConfig(w)
	case v.Probe:
		return usage(errors.New("--probe is for sources and sinks, which a configuration names; give it with -c FILE"))
	case len(v.Paths) == 0:
		return usage(errors.New("nothing to check: give a path of rules, or a configuration with -c FILE"))
	}
	set, messages, err := compile(v.Paths)
	if err != nil {
		return err
	}
	return v.tell(w.stdout, nil, append(messages, v.advice(v.Paths, set)...))
}

// checkConfig checks as much of a configuration as can be: what is within it, or else
// its rules, and what of the world it names.
func (v checkVerb) checkConfig(w *world) error {
	file, err := config.Load(v.Config, config.Options{})
	var faults config.Faults
	switch {
	case errors.As(err, &faults):
		return v.tell(w.stdout, faults, nil)
	case err != nil:
		return usage(err)
	}
	run := runVerb{Config: v.Config}
	run.take(file)
	faults = run.unusable()
	set, messages, err := compile(run.Rules)
	if err != nil && len(faults) == 0 {
		return err // else it is among the faults
	}
	if set != nil {
		faults = append(faults, run.undeclaredTypes(set)...)
	}
	if v.Probe {
		faults = append(faults, run.probe(w)...)
	}
	faults.Sort()
	return v.tell(w.stdout, faults, append(messages, v.advice(run.Rules, set)...))
}

// unusable are files that the configuration names and that could not be used.
func (v *runVerb) unusable() (faults config.Faults) {
	for i, path := range v.file.Rules {
		if _, err := os.Stat(path.Name); err != nil {
			faults = append(faults, v.fault(fmt.Sprintf("rules[%d]", i), err))
		}
	}
	if err := v.letterFolderUsable(); err != nil {
		faults = append(faults, v.fault("dead_letter.file.dir", err))
	}
	if _, err := v.readSinks(); err != nil {
		faults = append(faults, v.fault("sinks", err))
	}
	return faults
}

func (v *runVerb) letterFolderUsable() error {
	if !v.lettersOfFile {
		return writable(v.DeadLetters)
	}
	folder := v.file.DeadLetter.File.Dir.Name
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return roomFor(folder)
	}
	return writable(v.DeadLetters)
}

// tell prints what was found and returns whether all is well.
func (v checkVerb) tell(to io.Writer, faults config.Faults, messages source.Errors) error {
	messages.Sort()
	if err := v.print(to, faults, messages); err != nil {
		return fmt.Errorf("print messages: %w", err)
	}
	if len(faults) > 0 || messages.HasErrors() || v.Strict && len(messages) > 0 {
		return errNotWell
	}
	return nil
}

// advice is what an author should look at in a set that compiles.
func (v checkVerb) advice(paths []string, set *plan.Set) source.Errors {
	if set == nil {
		return nil
	}
	files, _ := source.Read(paths)
	out := lang.Advice(files, set)
	if v.Strict {
		out = append(out, lang.Untested(files, set)...)
	}
	return out
}

func (v checkVerb) print(to io.Writer, faults config.Faults, messages source.Errors) error {
	if !v.JSON {
		for _, f := range faults {
			if _, err := fmt.Fprintln(to, f.Error()); err != nil {
				return err
			}
		}
		return messages.Print(to)
	}
	all := []source.Message{}
	for _, f := range faults {
		all = append(all, messageOf(f))
	}
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(append(all, messages.Messages()...))
}

// messageOf is a fault of a configuration in the form of messages about rules. It has no
// code.
func messageOf(f config.Fault) source.Message {
	m := source.Message{Severity: source.Err.String(), File: f.File, Line: f.Line, Column: f.Column, EndLine: f.Line, EndColumn: f.Column, Message: f.Message}
	if f.Key != "" {
		m.Message = f.Key + ": " + f.Message
	}
	return m
}

// compile reads and compiles the rule set that the paths make. The set is nil where
// a message is an error. A path that is not there is wrong usage. Where a file cannot
// be read the others are not compiled: half of their messages would be about names
// that the missing file declares.
func compile(paths []string) (*plan.Set, source.Errors, error) {
	if err := rulesAreThere(paths); err != nil {
		return nil, nil, err
	}
	files, unread := source.Read(paths)
	if unread.HasErrors() {
		unread.Sort()
		return nil, unread, nil
	}
	set, messages := lang.CompileWith(files, lookup.New(lookup.Options{}).Read)
	return set, messages, nil
}

// rulesAreThere refuses paths of rules that are not there.
func rulesAreThere(paths []string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return usage(fmt.Errorf("rules: %w", err))
		}
	}
	return nil
}
