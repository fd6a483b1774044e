package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/packs"
)

type initVerb struct {
	Dir  string `arg:"" optional:"" name:"dir" default:"." help:"Folder of the project; made if it is not there."`
	Pack string `name:"pack" type:"given" placeholder:"NAME" default:"fraud" help:"What to begin with: fraud, security, operations or iot."`
}

// Run lays a small project down: rules with their tests, events to try them on, a
// configuration that runs the ones over the others, and a page that says what to do. No file
// that is there is written over.
func (v initVerb) Run(w *world) error {
	if !slices.Contains(packs.Names(), v.Pack) {
		mend := ""
		if name, ok := source.Near(v.Pack, packs.Names()); ok {
			mend = fmt.Sprintf("did you mean %q? ", name)
		}
		return usage(fmt.Errorf("no pack is named %q; %sthere are %s", v.Pack, mend, strings.Join(packs.Names(), ", ")))
	}
	if v.Dir == "" {
		return usage(errors.New("the name of the folder is empty; leave it away for this one"))
	}
	files, err := v.files()
	if err != nil {
		return err
	}
	if err := v.nothingThere(files); err != nil {
		return usage(err)
	}
	for _, f := range files {
		if err := f.write(v.Dir); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout, filepath.Join(v.Dir, f.name))
	}
	_, err = fmt.Fprintf(w.stdout, "\nNow: %scepheus test rules\n", into(v.Dir))
	return err
}

// into is the command that enters a folder, for a shell.
func into(dir string) string {
	switch {
	case filepath.Clean(dir) == ".":
		return ""
	case strings.ContainsAny(dir, " \t\n'\"\\$`&|;<>()*?[#~!{}") || strings.HasPrefix(dir, "-"):
		return "cd -- '" + strings.ReplaceAll(dir, "'", `'\''`) + "' && "
	}
	return "cd " + dir + " && "
}

// laid is a file of a project.
type laid struct {
	name string // with slashes
	text []byte
}

func (f *laid) write(dir string) error {
	to := filepath.Join(dir, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { // #nosec G301 -- a project, which is shared as its owner's umask says
		return err
	}
	return os.WriteFile(to, f.text, 0o644) // #nosec G306 -- likewise
}

func (v initVerb) files() ([]*laid, error) {
	list, err := packs.Files.ReadDir(v.Pack)
	if err != nil {
		return nil, err
	}
	var out []*laid
	for _, e := range list {
		text, err := packs.Files.ReadFile(path.Join(v.Pack, e.Name()))
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(e.Name(), ".cep") {
			out = append(out, &laid{"rules/" + e.Name(), text})
		} else {
			out = append(out, &laid{e.Name(), text})
		}
	}
	return append(out, &laid{"cepheus.yaml", v.configuration()}, &laid{"README.md", v.readme()}), nil
}

// readme says what to do with a project. A test runs its commands.
func (v initVerb) readme() []byte {
	return v.ofPack(`# Rules: PACK

| file | what it is |
| --- | --- |
| rules/ | rules, each with its tests behind it |
| events.jsonl | events to try them on |
| cepheus.yaml | what is read, and where alerts go |

    cepheus check rules                                          # is all well?
    cepheus test rules                                           # do the tests pass?
    cepheus test rules --cover                                   # what do they not show?
    cepheus replay --rules rules --input events.jsonl            # what do the rules give?
    cepheus run -c cepheus.yaml                                  # the alerts themselves
    cepheus explain RULE --rules rules --input events.jsonl      # why does it fire, or not?

Then put your own events in place of these: cepheus infer FILE proposes declarations for
them, cepheus fmt -w rules keeps the layout, and cepheus check -c cepheus.yaml --probe says
whether all that the configuration names is there.
`)
}

// configuration runs the rules over the events as they are, and shows what comes next.
func (v initVerb) configuration() []byte {
	return v.ofPack(`# The rules of this folder over its events: cepheus run -c cepheus.yaml
# Paths are relative to this file. ${VAR} is of the environment.
rules: [rules]

sources:
  sample:
    file: { paths: [events.jsonl] }
  # From Kafka:
  # live:
  #   kafka: { brokers: ["localhost:9092"], topics: [PACK], group: cepheus }

sinks:
  console: { stdout: {} }
  # To a service of yours, with retries:
  # ops:
  #   webhook: { url: "${ALERTS_URL}" }

# Without it the state is in memory, and the end of the events is the end of time.
# state: { dir: data }

# Records that cannot be read, and alerts that a sink refuses, with the reason.
dead_letter: { file: { dir: dead } }
`)
}

func (v initVerb) ofPack(text string) []byte {
	return []byte(strings.ReplaceAll(text, "PACK", v.Pack))
}

// nothingThere refuses to write over files.
func (v initVerb) nothingThere(files []*laid) error {
	if info, err := os.Stat(v.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, not a folder", v.Dir)
	}
	var there []string
	for _, f := range files {
		switch _, err := os.Lstat(filepath.Join(v.Dir, filepath.FromSlash(f.name))); {
		case err == nil:
			there = append(there, f.name)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("in %s there is %s already; name another folder", v.Dir, strings.Join(there, ", "))
	}
	return v.noRulesThere()
}

// noRulesThere refuses a folder that has rules: with those of the pack they would be one set.
func (v initVerb) noRulesThere() error {
	list, err := os.ReadDir(filepath.Join(v.Dir, "rules"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".cep") {
			return fmt.Errorf("in %s there are rules already (rules/%s), and all of a folder are one set; name another folder", v.Dir, e.Name())
		}
	}
	return nil
}
