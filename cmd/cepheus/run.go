package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sources/file"
)

type runVerb struct {
	Rules     []string `name:"rules" type:"given" required:"" placeholder:"PATH" sep:"none" help:"Rule file, or folder of rule files (*.cep). May be given more than once; all are one rule set."`
	Input     []string `name:"input" type:"given" placeholder:"FILE" sep:"none" help:"Events, one a line; also gzip; - is standard input. May be given more than once; each is a partition, which --state knows by the name given here."`
	Format    string   `name:"format" enum:"jsonl,csv" default:"jsonl" help:"Format of the inputs: jsonl or csv (with a header row)."`
	Type      string   `name:"type" type:"given" placeholder:"EVENT" xor:"type" help:"The event type of every record."`
	TypeField string   `name:"type-field" type:"given" placeholder:"NAME" xor:"type" help:"The field that holds a record's event type; without it, type."`
	stateFlags
	Sink        []string `name:"sink" type:"given" placeholder:"stdout|FILE|URL" sep:"none" help:"Where alerts go: standard output (the default), a file, or an http or https URL. May be given more than once; each gets all alerts, at its own pace."`
	DropSink    []string `name:"drop-sink" type:"given" placeholder:"NAME" sep:"none" help:"With --state: let the alerts go that wait for a sink of earlier runs."`
	DeadLetters string   `name:"dead-letters" type:"given" placeholder:"FILE" default:"dead-letters.jsonl" help:"Where records that cannot be decoded are kept, with the reason, and alerts that a receiver has refused for good; made when there is one, up to 64 MiB."`
}

// Run runs the rules over the inputs to their end, or until a signal: alerts to the sinks,
// then a summary on standard error.
func (v runVerb) Run(w *world) error {
	set, err := v.ruleSet(w)
	if err != nil {
		return err
	}
	if err := v.needState(); err != nil {
		return usage(err)
	}
	if err := v.deadLettersHaveAPlace(); err != nil {
		return usage(err)
	}
	to, err := v.readSinks()
	if err != nil {
		return usage(err)
	}
	inputs, err := v.open(w)
	if err != nil {
		return usage(err)
	}
	if err := v.deadLettersAreNoInput(inputs); err != nil {
		return errors.Join(usage(err), closeAll(inputs))
	}
	if err := v.sinksAreNoInput(to, inputs); err != nil {
		return errors.Join(usage(err), closeAll(inputs))
	}
	p := newPipeline(v, w, set, inputs, to)
	return errors.Join(p.run(w.ctx), closeAll(inputs))
}

// ruleSet compiles the rules. Warnings go to standard error, and so do errors, which
// end the verb.
func (v runVerb) ruleSet(w *world) (*plan.Set, error) {
	set, messages, err := compile(v.Rules)
	if err != nil {
		return nil, err
	}
	if err := messages.Print(w.stderr); err != nil {
		return nil, err
	}
	if messages.HasErrors() {
		return nil, errNotWell
	}
	v.warn(w.stderr, set)
	return set, v.typeDeclared(set)
}

// stdoutSink is the name of the sink that a run has where --sink names none.
const stdoutSink = "stdout"

// maxWarnings is how many rules are warned of one by one, as many as check has messages.
const maxWarnings = 100

// warn tells of rules that do something else than their text says: none at all, and
// those that are for sinks that a run without a configuration does not have.
func (v runVerb) warn(to io.Writer, set *plan.Set) {
	if len(set.Rules) == 0 {
		fmt.Fprintf(to, "warning: no rule in %s: nothing can alert\n", strings.Join(v.Rules, ", "))
	}
	told, more := 0, 0
	for _, rule := range set.Rules {
		others := slices.DeleteFunc(slices.Clone(rule.To), func(sink string) bool { return sink == stdoutSink })
		switch {
		case len(others) == 0 || rule.Mode != plan.Live:
		case told == maxWarnings:
			more++
		default:
			told++
			fmt.Fprintf(to, "warning: rule %s: no sink named %s: its alerts go to %s\n",
				rule.Name, strings.Join(others, ", "), v.whereTo())
		}
	}
	if more > 0 {
		fmt.Fprintf(to, "warning: %d more rules are for sinks that are not there\n", more)
	}
}

// whereTo says where alerts go, whatever their rules say.
func (v runVerb) whereTo() string {
	if len(v.Sink) == 0 {
		return "standard output, the only sink of a run without a configuration"
	}
	return "every --sink, for sinks have no names of their own without a configuration"
}

// deadLettersHaveAPlace refuses a file that could not be written: the run would fail at
// the first record that cannot be decoded, perhaps hours from now. Nothing is left behind.
func (v runVerb) deadLettersHaveAPlace() error {
	if err := writable(v.DeadLetters); err != nil {
		return fmt.Errorf("--dead-letters %s: %w; name a file that can be written", v.DeadLetters, err)
	}
	return nil
}

// writable tries whether lines could be appended to the file path, or, where there is
// none, whether one could be made beside where it would be.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return roomFor(path)
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return nil // opening a pipe would wait for its reader
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// roomFor makes a file of another name and removes it: one of the name itself could be
// another process's by then.
func roomFor(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".cepheus-*")
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("a file in %s: %w", folder, path.Err) // without the name made up
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// deadLettersAreNoInput refuses inputs that would grow by what cannot be decoded of them.
func (v runVerb) deadLettersAreNoInput(inputs []*file.Source) error {
	for i, s := range inputs {
		if s.Reads(v.DeadLetters) {
			return fmt.Errorf("--input %s is the file that dead letters are written to; name another for them with --dead-letters", v.Input[i])
		}
	}
	return nil
}

// typeDeclared refuses a --type that no rule file declares: no event would be read.
func (v runVerb) typeDeclared(set *plan.Set) error {
	var names []string
	for _, t := range set.Types {
		if t.Schema.Name == v.Type {
			return nil
		}
		names = append(names, t.Schema.Name)
	}
	if v.Type == "" {
		return nil
	}
	mend := "declare it: event " + v.Type + " { … }"
	if name, ok := source.Near(v.Type, names); ok {
		mend = fmt.Sprintf("did you mean %q?", name)
	}
	return usage(fmt.Errorf("--type: no rule file declares the event type %q; %s", v.Type, mend))
}

// open opens every input, or none.
func (v runVerb) open(w *world) (inputs []*file.Source, err error) {
	if len(v.Input) == 0 {
		return nil, errors.New("nothing to read: name the events with --input FILE, or --input - for standard input")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(inputs))
			inputs = nil
		}
	}()
	for _, path := range v.Input {
		s, err := file.Open(path, file.Options{Stdin: w.stdin, Header: v.Format == "csv", Now: w.now})
		if err != nil {
			return inputs, err
		}
		inputs = append(inputs, s)
		if err := v.onlyOnce(inputs); err != nil {
			return inputs, err
		}
	}
	return inputs, nil
}

// onlyOnce refuses the last input where an earlier one has its name, or is its file by
// another name: all of its events would count twice.
func (v runVerb) onlyOnce(inputs []*file.Source) error {
	last := len(inputs) - 1
	for i, s := range inputs[:last] {
		if s.Partition() == inputs[last].Partition() {
			return fmt.Errorf("--input %s is given twice", v.Input[last])
		}
		if s.SameAs(inputs[last]) {
			return fmt.Errorf("--input %s is the same file as --input %s", v.Input[last], v.Input[i])
		}
	}
	return nil
}

func closeAll(inputs []*file.Source) error {
	var errs []error
	for _, s := range inputs {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// decoding says how records become events.
func (v runVerb) decoding() event.Options {
	o := event.Options{Type: v.Type, TypeField: v.TypeField}
	if v.Format == "csv" {
		o.Format = event.FormatCSV
	}
	return o
}
