package main

import (
	"bytes"
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

// Run lays a small project down: rules with their tests, events to try them on, and a page
// that says what to do with them. No file that is there is written over.
func (v initVerb) Run(w *world) error {
	if !slices.Contains(packs.Names(), v.Pack) {
		mend := ""
		if name, ok := source.Near(v.Pack, packs.Names()); ok {
			mend = fmt.Sprintf("did you mean %q? ", name)
		}
		return usage(fmt.Errorf("no pack is named %q; %sthere are %s", v.Pack, mend, strings.Join(packs.Names(), ", ")))
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
	in := ""
	if v.Dir != "." {
		in = "cd " + v.Dir + " && "
	}
	_, err = fmt.Fprintf(w.stdout, "\nNow: %scepheus test rules\n", in)
	return err
}

// laid is a file of a project.
type laid struct {
	name string // with slashes
	text []byte
}

func (f *laid) write(dir string) error {
	to := filepath.Join(dir, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, f.text, 0o644)
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
	return append(out, &laid{"README.md", v.readme()}), nil
}

func (v initVerb) readme() []byte {
	return bytes.ReplaceAll([]byte(`# Rules: PACK

| file | what it is |
| --- | --- |
| rules/ | rules, each with its tests behind it |
| events.jsonl | events to try them on |

    cepheus check rules                                          # is all well?
    cepheus test rules                                           # do the tests pass?
    cepheus test rules --cover                                   # what do they not show?
    cepheus replay --rules rules --input events.jsonl            # what do the rules give?
    cepheus run --rules rules --input events.jsonl               # the alerts themselves
    cepheus explain RULE --rules rules --input events.jsonl      # why does a rule fire, or not?

Then put your own events in place of these: cepheus infer FILE proposes declarations for
them. cepheus fmt -w rules keeps the layout.
`), []byte("PACK"), []byte(v.Pack))
}

// nothingThere refuses to write over files.
func (v initVerb) nothingThere(files []*laid) error {
	if info, err := os.Stat(v.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, not a folder", v.Dir)
	}
	var there []string
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(v.Dir, filepath.FromSlash(f.name))); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, f.name)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return fmt.Errorf("in %s there is %s already; name another folder", v.Dir, strings.Join(there, ", "))
}
