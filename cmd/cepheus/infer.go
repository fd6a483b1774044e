package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/rules/infer"
	"github.com/cepheus-cep/cepheus/sources/file"
)

type inferVerb struct {
	Files     []string `arg:"" name:"file" help:"Sample events, one JSON object a line, or CSV; also gzip and zstd, also patterns (*.jsonl); - is standard input."`
	Format    string   `name:"format" enum:"jsonl,csv" default:"jsonl" help:"Format of the files: jsonl or csv (with a header row)."`
	Type      string   `name:"type" type:"given" placeholder:"EVENT" xor:"type" help:"The event type of every record."`
	TypeField string   `name:"type-field" type:"given" placeholder:"NAME" xor:"type" help:"The field that holds a record's event type; without it, type."`
	Most      int      `name:"most" default:"1000000" placeholder:"N" help:"Look at so many records of each file at most."`
}

// Run proposes event declarations for the records, on standard output.
func (v inferVerb) Run(w *world) error {
	paths, err := spelledOut(v.Files)
	if err != nil {
		return usage(errors.New(trimInput(err)))
	}
	if v.Type != "" && !infer.IsName(v.Type) {
		return usage(fmt.Errorf("--type %q: a rule file cannot write that name; choose another", v.Type))
	}
	if v.Most < 1 {
		return usage(fmt.Errorf("--most %d: want 1 or more", v.Most))
	}
	g := infer.New(v.Type, v.TypeField)
	for _, path := range paths {
		if err := v.read(w, path, g); err != nil {
			return err
		}
	}
	if text := g.Declarations(); text != "" {
		if _, err := io.WriteString(w.stdout, text); err != nil {
			return err
		}
	}
	return v.told(w, g)
}

// told says what was not looked at; it is not well where nothing was.
func (v inferVerb) told(w *world, g *infer.Guess) error {
	if g.Malformed > 0 {
		fmt.Fprintf(w.stderr, "%d of %d records are %s, or have no text in the field that holds their type; --type-field names another, --type says what all are\n", g.Malformed, g.Records, v.noRecord())
	}
	if g.TooLong > 0 {
		fmt.Fprintln(w.stderr, number(g.TooLong, "record is", "records are"), "longer than 1 MiB, more than a run takes, and left out")
	}
	if sep := g.Separator(); sep != 0 {
		fmt.Fprintf(w.stderr, "the header is one column with %q in it; what separates columns is the comma\n", sep)
	}
	if g.Over > 0 {
		fmt.Fprintf(w.stderr, "%d records are of further types, which are left out\n", g.Over)
	}
	if g.Malformed == g.Records {
		if g.Records == 0 && g.TooLong == 0 {
			fmt.Fprintf(w.stderr, "%s: there are no records to look at; %s\n", strings.Join(v.Files, ", "), v.wanted())
		}
		return errNotWell
	}
	return nil
}

// wanted says what a file should hold.
func (v inferVerb) wanted() string {
	if v.Format == "csv" {
		return "give a header and a row for each event"
	}
	return "give one JSON object a line"
}

func (v inferVerb) noRecord() string {
	if v.Format == "csv" {
		return "no rows of the header's columns"
	}
	return "no JSON objects"
}

// trimInput is an error about a pattern without the flag that other verbs have it from.
func trimInput(err error) string {
	const flag = "--input "
	text := err.Error()
	if len(text) > len(flag) && text[:len(flag)] == flag {
		return text[len(flag):]
	}
	return text
}

func (v inferVerb) add(g *infer.Guess, b *event.Batch, r *event.RecordRef) {
	if r.Fault != event.FaultNone {
		g.TooLong++
		return
	}
	text := b.Text[r.Start:r.End]
	if v.Format == "csv" && int(r.Part) < len(b.Header) {
		g.AddRow(b.Header[r.Part], text)
		return
	}
	g.Add(text)
}

func (v inferVerb) read(w *world, path string, g *infer.Guess) (err error) {
	if info, err := os.Stat(path); path != "-" && (err != nil || info.IsDir()) {
		if err == nil {
			err = fmt.Errorf("%s is a folder; name its files, as in '%s/*.jsonl'", path, path)
		}
		return usage(err)
	}
	s, err := file.Open(path, file.Options{Stdin: w.stdin, Header: v.Format == "csv", Now: w.now})
	if err != nil {
		return usage(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var b event.Batch
	for left := v.Most; left > 0; {
		b.Reset()
		err := s.Next(w.ctx, &b)
		for i := range b.Records {
			if r := &b.Records[i]; left > 0 {
				v.add(g, &b, r)
				left--
			}
		}
		switch {
		case err == io.EOF || errors.Is(err, context.Canceled): //nolint:errorlint // Next does not wrap it
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}
