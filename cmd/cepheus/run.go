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

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state/seal"
)

type runVerb struct {
	Config    string   `name:"config" short:"c" type:"given" placeholder:"FILE" help:"Configuration (cepheus.yaml); flags go before what it says. docs/configuration.md has its keys."`
	Rules     []string `name:"rules" type:"given" placeholder:"PATH" sep:"none" help:"Rule file, or folder of rule files (*.cep). May be given more than once; all are one rule set."`
	Input     []string `name:"input" type:"given" placeholder:"FILE" sep:"none" help:"Events, one a line; also gzip; - is standard input. May be given more than once; each is a partition, which --state knows by the name given here."`
	Format    string   `name:"format" enum:"jsonl,csv" default:"jsonl" help:"Format of the inputs: jsonl or csv (with a header row)."`
	Type      string   `name:"type" type:"given" placeholder:"EVENT" xor:"type" help:"The event type of every record."`
	TypeField string   `name:"type-field" type:"given" placeholder:"NAME" xor:"type" help:"The field that holds a record's event type; without it, type."`
	Watch     bool     `name:"watch" help:"Put changes of the rule files in service while the run goes on, all or none of them; SIGHUP asks for it at once. A run with -c does so unless that says rules_watch: false."`
	Listen    string   `name:"listen" type:"given" placeholder:"ADDR" help:"Serve the HTTP API there, as 127.0.0.1:8080; rules can change over it. Without --input, and without -c, events come from it."`
	stateFlags
	Sink        []string `name:"sink" type:"given" placeholder:"stdout|FILE|URL" sep:"none" help:"Where alerts go: standard output (the default), a file, or an http or https URL. May be given more than once; each gets all alerts, at its own pace."`
	DropSink    []string `name:"drop-sink" type:"given" placeholder:"NAME" sep:"none" help:"With --state: let the alerts go that wait for a sink of earlier runs."`
	DeadLetters string   `name:"dead-letters" type:"given" placeholder:"FILE" help:"Where records that cannot be decoded are kept, with the reason, and alerts that a receiver has refused for good; made when there is one, up to 64 MiB. Default dead-letters.jsonl."`

	LogFormat string `name:"log-format" enum:"text,json," default:"" help:"What is told on standard error: text (the default), or json, a line each."`
	LogLevel  string `name:"log-level" enum:"debug,info,warn,error," default:"" help:"The least that is told: debug, info (the default), warn or error."`

	file          *config.Config // nil: there is none
	given         *runVerb       // the flags alone, where there is a file
	sealed        *seal.Key      // of the state; nil: it is not encrypted
	lettersOfFile bool           // DeadLetters is that of the configuration
}

// Run runs the rules over the inputs to their end, or until a signal: alerts to the sinks,
// then a summary on standard error.
func (v runVerb) Run(w *world) error {
	if err := v.configure(); err != nil {
		return usage(err)
	}
	if err := v.logs(w); err != nil {
		return usage(err)
	}
	hangups, ignore := v.hangups()
	defer ignore()
	set, err := v.firstSet(w)
	if err != nil {
		return err
	}
	if err := v.needState(); err != nil {
		return usage(err)
	}
	if v.sealed, err = v.stateKey(); err != nil {
		return err
	}
	if err := errors.Join(v.makeLetterFolder(), v.deadLettersHaveAPlace()); err != nil {
		return usage(err)
	}
	to, err := v.readSinks()
	if err != nil {
		return usage(err)
	}
	in, err := v.open(w)
	if err != nil {
		return sourcesNotOpened(w, err)
	}
	if err := v.noLoop(in, to); err != nil {
		return errors.Join(usage(err), in.close())
	}
	p := newPipeline(v, w, set, in, to)
	p.hangups = hangups
	return errors.Join(p.run(w.ctx), in.close())
}

// firstSet is the set of the rule files, before anything else is looked at. Nil: the state
// has something to say of it too.
func (v runVerb) firstSet(w *world) (*plan.Set, error) {
	if _, err := os.Stat(v.State); err == nil && v.changes() {
		return nil, rulesAreThere(v.Rules)
	}
	return v.ruleSet(w)
}

// ruleSet compiles the rules. Warnings go to standard error, and so do errors, which
// end the verb.
func (v runVerb) ruleSet(w *world) (*plan.Set, error) {
	set, messages, err := compile(v.Rules)
	if err != nil {
		return nil, err
	}
	return set, v.judge(w, set, messages)
}

// judge tells what was found in a set, and refuses one that cannot be run.
func (v runVerb) judge(w *world, set *plan.Set, messages source.Errors) error {
	if err := messages.Print(w.stderr); err != nil {
		return err
	}
	if messages.HasErrors() {
		return errNotWell
	}
	v.warn(w.stderr, set)
	return v.typesDeclared(set)
}

// stdoutSink is the name of the sink that a run has where --sink names none.
const stdoutSink = "stdout"

// maxWarnings is how many rules are warned of one by one, as many as check has messages.
const maxWarnings = 100

// warn tells of rules that do something else than their text says: none at all, and
// those that are for sinks that are not there.
func (v runVerb) warn(to io.Writer, set *plan.Set) {
	if len(set.Rules) == 0 {
		fmt.Fprintf(to, "warning: no rule in %s: nothing can alert\n", strings.Join(v.Rules, ", "))
	}
	names, told, more := v.sinkNames(), 0, 0
	for _, rule := range set.Rules {
		why := v.goesElsewhere(rule, names)
		switch {
		case why == "":
		case told == maxWarnings:
			more++
		default:
			told++
			fmt.Fprintf(to, "warning: rule %s: %s\n", rule.Name, why)
		}
	}
	if more > 0 {
		fmt.Fprintf(to, "warning: %d more rules are for sinks that are not there\n", more)
	}
}

// goesElsewhere says where the alerts of a rule go, whatever its text says; empty where they
// go where it says.
func (v runVerb) goesElsewhere(rule *plan.Rule, names []string) string {
	others := slices.DeleteFunc(slices.Clone(rule.To), func(sink string) bool { return slices.Contains(names, sink) })
	switch {
	case rule.Mode != plan.Live || len(rule.To) == 0:
		return ""
	case len(others) == 0:
		return ""
	case len(others) < len(rule.To) && v.file != nil && len(v.Sink) == 0:
		there := slices.DeleteFunc(slices.Clone(rule.To), func(sink string) bool { return slices.Contains(others, sink) })
		return fmt.Sprintf("no sink named %s: its alerts go to %s alone", strings.Join(others, ", "), strings.Join(there, ", "))
	}
	return fmt.Sprintf("no sink named %s: its alerts go to %s", strings.Join(others, ", "), v.whereTo())
}

// whereTo says where alerts go, whatever their rules say.
func (v runVerb) whereTo() string {
	switch {
	case len(v.Sink) > 0:
		return "every --sink, for sinks have no names of their own without a configuration"
	case v.file != nil && len(v.file.Sinks) > 0 && v.file.Routing != nil:
		return "where routes say"
	case v.file != nil && len(v.file.Sinks) > 0:
		return "every sink: " + strings.Join(v.sinkNames(), ", ")
	}
	if v.file != nil {
		return "standard output, for the configuration has no sinks"
	}
	return "standard output, the only sink of a run without a configuration"
}

// deadLettersHaveAPlace refuses a file that could not be written: the run would fail at
// the first record that cannot be decoded, perhaps hours from now. Nothing is left behind.
func (v runVerb) deadLettersHaveAPlace() error {
	if err := writable(v.DeadLetters); err != nil {
		return fmt.Errorf("%s: %w; name a file that can be written", v.deadLettersTold(), err)
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

// typesDeclared refuses types of records that no rule file declares: no event would be read.
func (v runVerb) typesDeclared(set *plan.Set) error {
	if err := typeDeclared(v.Type, set); err != nil {
		return usage(fmt.Errorf("--type: %w", err))
	}
	if faults := v.undeclaredTypes(set); len(faults) > 0 {
		return usage(faults)
	}
	return nil
}

// typeDeclared refuses a name of an event type that no rule file declares.
func typeDeclared(name string, set *plan.Set) error {
	var names []string
	for _, t := range set.Types {
		if t.Schema.Name == name {
			return nil
		}
		names = append(names, t.Schema.Name)
	}
	if name == "" {
		return nil
	}
	mend := "declare it: event " + name + " { … }"
	if near, ok := source.Near(name, names); ok {
		mend = fmt.Sprintf("did you mean %q?", near)
	}
	return fmt.Errorf("no rule file declares the event type %q; %s", name, mend)
}
