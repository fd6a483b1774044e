package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
)

// log is where parts tell what they have to tell: standard error.
func (w *world) log() *slog.Logger {
	o := &slog.HandlerOptions{Level: w.logLevel}
	if w.logJSON {
		return slog.New(slog.NewJSONHandler(w.stderr, o))
	}
	return slog.New(slog.NewTextHandler(w.stderr, o))
}

// logs says how the run tells what it has to tell, by flags and then by the configuration.
func (v *runVerb) logs(w *world) error {
	format, level := v.LogFormat, v.LogLevel
	if v.file != nil && v.file.Log != nil {
		format, level = cmp.Or(format, v.file.Log.Format), cmp.Or(level, v.file.Log.Level)
	}
	w.logJSON = format == "json"
	return w.logLevel.UnmarshalText([]byte(cmp.Or(level, "info")))
}

// kinds is what sources and sinks of a configuration see of the process.
func (w *world) kinds() config.World {
	return config.World{Stdin: w.stdin, Stdout: w.stdout, Now: w.now, Log: w.log()}
}

// configure reads the configuration, where there is one, and takes from it what no flag
// says.
func (v *runVerb) configure() error {
	if v.Config == "" {
		v.DeadLetters = cmp.Or(v.DeadLetters, letterFile)
		if len(v.Rules) == 0 {
			return errors.New("nothing to run: name rules with --rules PATH, or a configuration with -c FILE")
		}
		return nil
	}
	file, err := config.Load(v.Config, config.Options{NoRules: len(v.Rules) > 0, NoSources: len(v.Input) > 0, NoAPI: v.Listen != ""})
	if err != nil {
		return err
	}
	given := *v
	v.given = &given
	v.take(file)
	if len(v.Input) == 0 && (v.Type != "" || v.TypeField != "" || v.Format != "jsonl") {
		return errors.New("--format, --type and --type-field are for --input; the sources of a configuration have keys of these names")
	}
	return nil
}

// take fills in what no flag says.
func (v *runVerb) take(file *config.Config) {
	v.file = file
	if len(v.Rules) == 0 {
		for _, path := range file.Rules {
			v.Rules = append(v.Rules, path.Name)
		}
	}
	if s := file.State; s != nil {
		v.State = cmp.Or(v.State, s.Dir.Name)
		v.Commit, v.Cache = cmp.Or(v.Commit, every(s.Commit)), cmp.Or(v.Cache, size(s.Cache))
		v.NoSync = v.NoSync || !s.Sync
	}
	if v.DeadLetters == "" && file.DeadLetter == nil {
		v.DeadLetters = filepath.Join(v.folder(), letterFile)
	}
	if v.DeadLetters == "" {
		v.DeadLetters = filepath.Join(file.DeadLetter.File.Dir.Name, letterFile)
		v.lettersOfFile = true
	}
}

// letterFile is where dead letters go unless something else is said.
const letterFile = "dead-letters.jsonl"

// folder is what relative paths of the configuration start from.
func (v *runVerb) folder() string {
	if v.file == nil {
		return ""
	}
	return filepath.Dir(v.file.File())
}

// deadLettersKey is what to mend where the file of dead letters will not do.
func (v *runVerb) deadLettersKey() string {
	if v.lettersOfFile {
		return "dead_letter.file.dir"
	}
	return "--dead-letters"
}

func (v *runVerb) deadLettersTold() string {
	if v.lettersOfFile {
		return v.file.Where("dead_letter.file.dir").String() + ": dead_letter.file.dir: " + v.DeadLetters
	}
	return "--dead-letters " + v.DeadLetters
}

// makeLetterFolder makes the folder that the configuration names.
func (v *runVerb) makeLetterFolder() error {
	if !v.lettersOfFile {
		return nil
	}
	err := os.Mkdir(filepath.Dir(v.DeadLetters), 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

func (v *runVerb) deadLetterBounds(now func() time.Time) deadletter.Options {
	if !v.lettersOfFile {
		return deadletter.Options{Now: now}
	}
	f := v.file.DeadLetter.File
	return deadletter.Options{MaxBytes: int64(f.Max), MaxAge: time.Duration(f.Age), Now: now}
}

// limit hands the limits of the configuration to the engine.
func (v *runVerb) limit(o *engine.Options) {
	if v.file == nil {
		return
	}
	l := v.file.Limits
	o.Limits = machine.Limits{KeysPerRule: l.KeysPerRule, RunsPerKey: l.RunsPerKey, EventsPerRun: l.EventsPerRun, EventsPerWindow: l.EventsPerWindow}
	o.Waiting, o.Marks, o.Silences = l.Waiting, l.DedupIDs, l.Silences
}

// sinkNames are the names that rules may send to.
func (v *runVerb) sinkNames() []string {
	if len(v.Sink) > 0 || v.file == nil || len(v.file.Sinks) == 0 {
		return []string{stdoutSink}
	}
	return slices.Sorted(maps.Keys(v.file.Sinks))
}

// namedSinks are those of --sink, or else those of the configuration.
func (v *runVerb) namedSinks() (all []sinkFlag, err error) {
	for _, given := range v.Sink {
		s, err := readSink(given)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(v.Sink) > 0 || v.file == nil {
		return all, nil
	}
	for _, name := range slices.Sorted(maps.Keys(v.file.Sinks)) {
		s := sinkFlag{given: name, name: name, sink: v.file.Sinks[name]}
		if f := s.sink.File; f != nil {
			if s.path, err = filepath.Abs(f.Path.Name); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// sources are the names of the sources of the configuration that are read: none where
// flags name inputs.
func (v *runVerb) sources() []string {
	if v.file == nil || len(v.Input) > 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(v.file.Sources))
}

// undeclaredTypes are the sources whose records are of a type that no rule file declares.
func (v *runVerb) undeclaredTypes(set *plan.Set) (faults config.Faults) {
	for _, name := range v.sources() {
		if err := typeDeclared(v.file.Sources[name].Type, set); err != nil {
			faults = append(faults, v.fault("sources."+name+".type", err))
		}
	}
	return faults
}

// fault is an error at a key of the configuration.
func (v *runVerb) fault(key string, err error) config.Fault {
	return config.Fault{Place: v.file.Where(key), Key: key, Message: fmt.Sprint(err)}
}
