package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// Config is one configuration.
type Config struct {
	Rules      []Path             `yaml:"rules" help:"Rule files, and folders of them (*.cep); all are one rule set."`
	RulesWatch bool               `yaml:"rules_watch" default:"true" help:"Put changes of the rule files in service while a run goes on, all or none of them. Where false, SIGHUP asks for it."`
	State      *State             `yaml:"state" help:"Where the state is kept. Without it, in memory."`
	Sources    map[string]*Source `yaml:"sources" help:"Where events come from, by names of your own, which the state knows them by."`
	Sinks      map[string]*Sink   `yaml:"sinks" help:"Where alerts go, by names of your own, which the state knows them by, and to which rules send with to. Without any: standard output, under the name stdout."`
	Routing    *Routing           `yaml:"routing" help:"Which alerts go to which sink, together, or not at all."`
	DeadLetter *DeadLetter        `yaml:"dead_letter" help:"Where records are kept that cannot be decoded, and alerts that a receiver refuses for good."`
	Redact     *Redact            `yaml:"redact" help:"People's data that is kept out of alerts, dead letters and what the API shows. Rules see it, and the state has it as it is."`
	Limits     Limits             `yaml:"limits" help:"Bounds of what the engine remembers."`
	API        *API               `yaml:"api" help:"The HTTP API. Without it, and without --listen, none is served."`
	Traces     *Traces            `yaml:"traces" help:"Send spans of alerts and deliveries to a collector, by OpenTelemetry. Without it, where the environment asks for it."`
	Log        *Log               `yaml:"log" help:"What a run has to tell, on standard error."`

	file   string
	places map[string]Place
}

// State says how state is kept on disk.
type State struct {
	Dir    Path     `yaml:"dir" required:"true" help:"The folder of the state, made where it is not there. A run goes on from what is in it."`
	Commit Duration `yaml:"commit" default:"1s" min:"1ms" max:"1h" help:"How long an epoch lasts. It ends with one write that survives a crash, and its alerts are sent after that."`
	Cache  Size     `yaml:"cache" default:"512MiB" min:"1MiB" help:"How much memory the states of keys may take; keys not used for longest are in the folder alone."`
	Sync   bool     `yaml:"sync" default:"true" help:"Wait for the disk at the end of an epoch. Where false, a killed process still loses nothing; a power cut may."`

	Encryption *Encryption `yaml:"encryption" help:"Encrypt the folder. One that was made without it is refused: cepheus state backup and restore make an encrypted one of it."`
}

// Encryption says under which key the state is encrypted.
type Encryption struct {
	Secret Secret   `yaml:"key" required:"true" help:"16, 24 or 32 bytes, written as hexadecimal digits or in base64, as openssl rand -hex 32 makes them. Who loses it loses the state."`
	Rotate Duration `yaml:"rotate" default:"10d" min:"1h" help:"How long new files are encrypted under one of the keys that the store makes for itself; the key above is changed by cepheus state rekey."`

	key *seal.Key
}

func (e *Encryption) check(at section) {
	if !e.Secret.IsSet() {
		return // a fault says so
	}
	var err error
	if e.key, err = seal.ParseKey(e.Secret.Reveal()); err != nil {
		at.fault("key", "%v", err)
	}
}

// Key is what the state is encrypted under, nil where it is not.
func (s *State) Key() *seal.Key {
	if s.Encryption == nil {
		return nil
	}
	return s.Encryption.key
}

// Log says how a run tells what it has to tell.
type Log struct {
	Format string `yaml:"format" default:"text" enum:"text,json" help:"Lines of key=value pairs, or of JSON."`
	Level  string `yaml:"level" default:"info" enum:"debug,info,warn,error" help:"The least that is told."`
}

// Redact says what people's data is, and what stands in its place.
type Redact struct {
	Key   Secret              `yaml:"key" required:"true" help:"Any text, kept secret: equal values have equal hashes under one key. With another one, alerts have other hashes and other ids."`
	Mode  string              `yaml:"mode" default:"hash" enum:"hash,mask" help:"hash: redacted- and 20 hexadecimal digits, by which equal values are still known as equal. mask: ***."`
	Types map[string][]string `yaml:"types" required:"true" help:"Members, as [card, customer.email], by event type. A member counts wherever it stands in a record; those of events that rules make follow."`
}

// leastRedactKey is how long a key of hashes is at least, in bytes: who guesses it finds values
// by trying.
const leastRedactKey = 16

func (r *Redact) check(at section) {
	if r.Key.IsSet() && len(r.Key.Reveal()) < leastRedactKey {
		at.fault("key", "is shorter than %d bytes, and could be guessed; make one by openssl rand -hex 32", leastRedactKey)
	}
	for name, members := range r.Types {
		if slices.ContainsFunc(members, func(m string) bool { return slices.Contains(strings.Split(m, "."), "") }) {
			at.fault("types."+name, "write members as card or customer.email")
		}
	}
}

// DeadLetter says where dead letters are kept.
type DeadLetter struct {
	File *LetterFile `yaml:"file" kind:"true" help:"A file in a folder."`
}

func (l *DeadLetter) check(at section) { oneKind(at, reflect.ValueOf(l).Elem()) }

// LetterFile is a file of dead letters.
type LetterFile struct {
	Dir Path     `yaml:"dir" required:"true" help:"The folder of the file dead-letters.jsonl, which is made for the first letter; the folder above it must be there."`
	Max Size     `yaml:"max" default:"64MiB" min:"64KiB" help:"How large the file and its older parts may become; then the oldest eighth goes, and is counted, but the alerts in it."`
	Age Duration `yaml:"age" default:"0s" min:"0s" help:"How long letters are kept; 0s: for as long as there is room."`
}

// Limits bound what the engine remembers; past one the oldest is dropped and counted.
type Limits struct {
	KeysPerRule     int `yaml:"keys_per_rule" default:"10_000_000" min:"1" help:"Keys that a rule remembers."`
	RunsPerKey      int `yaml:"runs_per_key" default:"10_000" min:"1" help:"Open runs of a key and rule."`
	EventsPerRun    int `yaml:"events_per_run" default:"10_000" min:"1" help:"Events that one repeated step keeps."`
	EventsPerWindow int `yaml:"events_per_window" default:"1_000_000" min:"1" help:"Values that one window of a key remembers one by one."`
	Waiting         int `yaml:"waiting" default:"1_000_000" min:"1" help:"Events of a partition that may wait for their time; one more ends the run."`
	DedupIDs        int `yaml:"dedup_ids" default:"1_000_000" min:"1" help:"Ids that dedup remembers of each event type and partition."`
	Silences        int `yaml:"silences" default:"1_000_000" min:"1" help:"Keys that suppress remembers of each rule."`
}

// Options of Load. The zero value is good.
type Options struct {
	Env      func(name string) (string, bool)  // of the environment; default os.LookupEnv
	ReadFile func(path string) ([]byte, error) // of secrets and of the file itself; default os.ReadFile
	// NoRules, NoSources and NoAPI say that these keys may be missing: something else stands for
	// them.
	NoRules, NoSources, NoAPI bool
}

func (o *Options) setDefaults() {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
}

// maxFile bounds a configuration, in bytes.
const maxFile = 1 << 20

// Load reads the file at path. What is wrong in it is [Faults]; any other error is that of
// reading it.
func Load(path string, o Options) (*Config, error) {
	o.setDefaults()
	text, err := o.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, text, o)
}

// Parse is Load for a file that has been read.
func Parse(path string, text []byte, o Options) (*Config, error) {
	o.setDefaults()
	d := &decoder{o: o, file: path, dir: filepath.Dir(path), places: map[string]Place{}}
	c := &Config{file: path, places: d.places}
	if root := d.root(text); root != nil {
		d.structure(root, reflect.ValueOf(c).Elem(), "")
	}
	if err := d.faults.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// root parses the text. Nil: a fault says why.
func (d *decoder) root(text []byte) ast.Node {
	whole := Place{File: d.file}
	if len(text) > maxFile {
		d.fault(whole, "", "has %d bytes, more than %d", len(text), maxFile)
		return nil
	}
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.syntax(string(text), err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range f.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		d.fault(whole, "", "is empty; give rules and sources at least")
		return nil
	case 1:
		return bodies[0]
	}
	d.fault(d.placeOf(bodies[1]), "", "a second document (---); a configuration is one")
	return nil
}

// syntax tells what is no YAML. The library's message names signs and keys; its long form
// quotes lines of the file, where a secret may stand, and is not shown.
func (d *decoder) syntax(text string, err error) {
	at := Place{File: d.file}
	var wrong yaml.Error
	if !errors.As(err, &wrong) {
		d.fault(at, "", "is not YAML")
		return
	}
	if token := wrong.GetToken(); token != nil {
		at.Line, at.Column = token.Position.Line, token.Position.Column
	}
	message := "not YAML: " + wrong.GetMessage()
	if line := lineOf(text, at.Line); expands(line) && strings.ContainsAny(line, "{[") {
		message += `; within { } and [ ] write "${VAR}" with its quotes`
	}
	d.fault(at, "", "%s", message)
}

func lineOf(text string, number int) string {
	for line := range strings.Lines(text) {
		if number--; number == 0 {
			return line
		}
	}
	return ""
}

// check asks for what makes a run.
func (c *Config) check(at section) {
	c.checkRouting(at)
	if !at.d.o.NoRules && !at.has("rules") {
		at.fault("", "the key rules is missing: name rule files, or folders of them")
	}
	if !at.d.o.NoSources && len(c.Sources) == 0 && !at.faulty("sources") {
		at.fault("sources", "nothing to read: name at least one source")
	}
	c.stdinOnce(at)
	c.httpOnce(at)
}

// httpOnce refuses events over HTTP where nobody takes them, and two sources of them.
func (c *Config) httpOnce(at section) {
	first := ""
	for _, name := range sortedNames(c.Sources) {
		switch {
		case c.Sources[name].HTTP == nil:
		case first != "":
			at.fault("sources."+name, "events over HTTP come from source %s already", first)
		case c.API == nil && !at.d.o.NoAPI && !at.faulty("api"):
			at.fault("sources."+name, "the API takes its events, and there is none: give api, at least api: { listen: 127.0.0.1:8080 }")
		default:
			first = name
		}
	}
}

// stdinOnce refuses standard input read twice.
func (c *Config) stdinOnce(at section) {
	first := ""
	for _, name := range sortedNames(c.Sources) {
		switch {
		case c.Sources[name].Stdin == nil:
		case first == "":
			first = name
		default:
			at.fault("sources."+name, "standard input is read by source %s already", first)
		}
	}
}

// File returns the path that the configuration was read from.
func (c *Config) File() string { return c.file }

// Where returns where a key stands, or the nearest one above it that is in the file.
func (c *Config) Where(key string) Place { return nearest(c.places, key, c.file) }
