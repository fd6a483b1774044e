package ruletest

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
)

// Scenario is a parsed scenario. It is not changed by running and may be run by several
// goroutines at once.
type Scenario struct {
	Name    string // as given to Parse
	Why     string // the first line of its comment
	Options Options

	rules      []section // in order of writing; names are file names
	data       []section // files that rules name
	partitions []partition
	expect     expectation
	archive    archive
}

// partition is one ordered part of the input, as lines of JSON.
type partition struct {
	name  string
	lines []string
}

// expectation is what must come of a run. Of what is nil nothing is said.
type expectation struct {
	alerts   []object // nil with errors
	errors   []string
	warnings []string
	counts   []count
	dead     []string
}

// count is an expected total.
type count struct {
	name string
	n    uint64
}

// Options of a scenario, from its section "options", one "NAME" or "NAME VALUE" a line.
type Options struct {
	Final  bool           // final: the end of the events is the end of time
	Zero   int64          // zero TIME: what offset 0 stands for; default 2026-01-01T00:00:00Z, a Thursday
	Stop   int            // stop N: records of each partition before the stop of a variant; default half of the longest
	Decode event.Options  // type NAME, type_field NAME: how a record's type is known
	Limits machine.Limits // runs_per_key N, events_per_run N, events_per_window N
}

// defaultZero is 2026-01-01T00:00:00Z: a Thursday, the start of an hour, a day and a year.
const defaultZero = 1767225600 * int64(1e9)

// Names of sections that stand once.
const (
	sectionRules  = "rules"
	sectionEvents = "events.jsonl"
	sectionAlerts = "alerts.jsonl"
	sectionErrors = "errors"
)

// Parse reads a scenario. Name is for messages, usually the path of the file.
func Parse(name string, text []byte) (*Scenario, error) {
	s := &Scenario{Name: name, Options: Options{Zero: defaultZero}, archive: parseArchive(string(text))}
	s.Why = firstLine(s.archive.comment)
	seen := map[string]bool{}
	for _, sec := range s.archive.sections {
		if seen[sec.name] {
			return nil, fmt.Errorf("read %s: section %q stands twice", name, sec.name)
		}
		seen[sec.name] = true
		if err := s.section(sec); err != nil {
			return nil, fmt.Errorf("read %s: section %q: %w", name, sec.name, err)
		}
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return s, nil
}

func firstLine(comment string) string {
	line, _, _ := strings.Cut(comment, "\n")
	return strings.TrimSpace(strings.TrimLeft(line, "# "))
}

func (s *Scenario) validate() error {
	switch {
	case s.Why == "":
		return fmt.Errorf("the first line must say why the scenario exists")
	case len(s.rules) == 0:
		return fmt.Errorf("no section %q", sectionRules)
	case (s.expect.alerts == nil) == (s.expect.errors == nil):
		return fmt.Errorf("want one section of %q and %q", sectionAlerts, sectionErrors)
	case s.expect.alerts != nil && len(s.partitions) == 0:
		return fmt.Errorf("no section %q", sectionEvents)
	}
	return nil
}

// section takes one section; what it is, its name says.
func (s *Scenario) section(sec section) (err error) {
	x := &s.expect
	switch sec.name {
	case sectionRules:
		s.rules = append(s.rules, section{"rules.cep", sec.text})
	case sectionEvents:
		s.partitions = append(s.partitions, partition{"events", recordLines(sec.text)})
	case sectionAlerts:
		x.alerts, err = parseAlerts(sec.text)
	case sectionErrors:
		x.errors = append([]string{}, lines(sec.text)...)
	case "warnings":
		x.warnings = append([]string{}, lines(sec.text)...)
	case "dead":
		x.dead = append([]string{}, lines(sec.text)...)
	case "counts":
		x.counts, err = parseCounts(sec.text)
	case "options":
		err = s.Options.parse(sec.text)
	default:
		err = s.file(sec)
	}
	return err
}

// file takes a section that stands for a file: rules, a partition, or data.
func (s *Scenario) file(sec section) error {
	dir, base := path.Split(sec.name)
	ext := path.Ext(base)
	switch {
	case dir == "rules/" && ext == ".cep":
		s.rules = append(s.rules, section{base, sec.text})
	case dir == "events/" && ext == ".jsonl":
		s.partitions = append(s.partitions, partition{strings.TrimSuffix(base, ext), recordLines(sec.text)})
	case dir == "" && (ext == ".txt" || ext == ".csv"):
		s.data = append(s.data, sec)
	default:
		return fmt.Errorf("no such section")
	}
	return nil
}

// recordLines are the records of a partition: all lines that are not blank.
func recordLines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

func parseCounts(text string) ([]count, error) {
	out := []count{}
	for _, line := range lines(text) {
		name, value, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q: want NAME N", line)
		}
		out = append(out, count{name, n})
	}
	return out, nil
}

func (o *Options) parse(text string) error {
	for _, line := range lines(text) {
		name, value, _ := strings.Cut(line, " ")
		if err := o.option(name, strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
	}
	return nil
}

func (o *Options) option(name, value string) (err error) {
	switch name {
	case "final":
		o.Final = true
	case "zero":
		o.Zero, err = event.ParseTime(value)
	case "stop":
		o.Stop, err = strconv.Atoi(value)
	case "type":
		o.Decode.Type = value
	case "type_field":
		o.Decode.TypeField = value
	case "runs_per_key":
		o.Limits.RunsPerKey, err = strconv.Atoi(value)
	case "events_per_run":
		o.Limits.EventsPerRun, err = strconv.Atoi(value)
	case "events_per_window":
		o.Limits.EventsPerWindow, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("no such option")
	}
	return err
}
