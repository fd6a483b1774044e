package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
)

type deadLettersVerbs struct {
	Ls      deadLsVerb      `cmd:"" help:"List dead letters."`
	Show    deadShowVerb    `cmd:"" help:"Show a dead letter, whole."`
	Correct deadCorrectVerb `cmd:"" help:"Replace the record of a dead letter by standard input, for a replay."`
	Replay  deadReplayVerb  `cmd:"" help:"Send dead letters again: records to standard output, alerts to a sink."`
	Purge   deadPurgeVerb   `cmd:"" help:"Remove dead letters."`
}

// deadBox names the letters.
type deadBox struct {
	File string `name:"dead-letters" type:"given" placeholder:"FILE" default:"dead-letters.jsonl" help:"The file of dead letters; a run may be using it."`
}

func (b deadBox) box() *deadletter.Box { return deadletter.At(b.File) }

// deadChoice chooses letters that wait for someone.
type deadChoice struct {
	deadBox
	IDs    []string `arg:"" optional:"" name:"id" help:"Ids, or how they begin."`
	All    bool     `help:"All, instead of ids."`
	Kind   string   `enum:"any,undecodable,late,undeliverable" default:"any" help:"Only of this kind: undecodable, late, undeliverable."`
	Source string   `type:"given" placeholder:"NAME" help:"Only of this source; of alerts, sink and its name."`
}

// choose returns the letters chosen, of which there is at least one, the oldest first. One
// that was replayed is chosen only by its id.
func (c deadChoice) choose() (chosen []*deadletter.Stored, err error) {
	filtered := c.Kind != "any" || c.Source != ""
	switch {
	case len(c.IDs) == 0 && !c.All && !filtered:
		return nil, usage(errors.New("which letters? Give ids, --kind, --source or --all"))
	case len(c.IDs) > 0 && c.All:
		return nil, usage(errors.New("--all with ids: give one of them"))
	}
	found := map[string]bool{}
	err = c.box().Letters(func(s *deadletter.Stored) error {
		waits := s.Done == "" || s.Done == deadletter.Replayed && len(c.IDs) > 0
		if waits && c.chosen(s, found) && passes(s, c.Kind, c.Source) {
			chosen = append(chosen, s)
		}
		return nil
	})
	for _, id := range c.IDs {
		if err == nil && !found[id] {
			err = fmt.Errorf("%w: %s", deadletter.ErrNotFound, id)
		}
	}
	if err == nil && len(chosen) == 0 {
		err = errors.New("no dead letter that waits is of that kind and source")
	}
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", c.File, err))
	}
	return chosen, nil
}

func (c deadChoice) chosen(s *deadletter.Stored, found map[string]bool) bool {
	for _, id := range c.IDs {
		if id != "" && strings.HasPrefix(s.ID, id) {
			found[id] = true
			return true
		}
	}
	return len(c.IDs) == 0
}

func passes(s *deadletter.Stored, kind, source string) bool {
	return (kind == "any" || string(s.Kind) == kind) && (source == "" || s.Source == source)
}

type deadLsVerb struct {
	deadBox
	Done   bool   `name:"done" help:"Also letters that were replayed or purged and are still on the disk."`
	Kind   string `enum:"any,undecodable,late,undeliverable" default:"any" help:"Only of this kind: undecodable, late, undeliverable."`
	Source string `type:"given" placeholder:"NAME" help:"Only of this source."`
	JSON   bool   `name:"json" help:"As JSON, one letter a line, whole."`
}

// Run lists letters, the oldest first.
func (v deadLsVerb) Run(w *world) error {
	out := bufio.NewWriter(w.stdout)
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	n := 0
	err := v.box().Letters(func(s *deadletter.Stored) error {
		if s.Done != "" && !v.Done || !passes(s, v.Kind, v.Source) {
			return nil
		}
		if n++; v.JSON {
			return writeLetter(out, s)
		}
		if n == 1 {
			fmt.Fprintln(t, "ID\tKIND\tTIME\tSOURCE\tOFFSET\tREASON")
		}
		_, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", s.ID, standing(s), s.Time.Format(time.RFC3339), s.Source, s.Offset, oneLine(s.Reason))
		return err
	})
	if err := errors.Join(err, t.Flush(), out.Flush()); err != nil {
		return fmt.Errorf("list %s: %w", v.File, err)
	}
	if _, err := os.Stat(v.File); n == 0 && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(w.stderr, "there is no file %s: no dead letter was kept in it, or --dead-letters names another\n", v.File)
	}
	return v.tellDropped(w)
}

func (v deadLsVerb) tellDropped(w *world) error {
	dropped, err := v.box().Dropped()
	for _, kind := range []deadletter.Kind{deadletter.Undecodable, deadletter.Late, deadletter.Undeliverable} {
		if n := dropped[kind]; n > 0 {
			fmt.Fprintf(w.stderr, "%d %s letters were dropped for want of room or for their age\n", n, kind)
		}
	}
	return err
}

// standing is a letter's kind, and what was done about it.
func standing(s *deadletter.Stored) string {
	if s.Done != "" {
		return string(s.Kind) + ", " + s.Done
	}
	if s.Corrected {
		return string(s.Kind) + ", corrected"
	}
	return string(s.Kind)
}

// oneLine is a text as one line of a table.
func oneLine(text string) string {
	const most = 100
	return shortened(strings.Join(strings.Fields(text), " "), most)
}

// writeLetter writes a letter as JSON: a record that is UTF-8 as text, any other as base64.
func writeLetter(to io.Writer, s *deadletter.Stored) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	letter := struct {
		ID        string          `json:"id"`
		Kind      deadletter.Kind `json:"kind"`
		Done      string          `json:"done,omitempty"`
		Reason    string          `json:"reason"`
		Source    string          `json:"source"`
		Offset    int64           `json:"offset"`
		Time      time.Time       `json:"time"`
		Corrected bool            `json:"corrected,omitempty"`
		Truncated bool            `json:"truncated,omitempty"`
		Record    *string         `json:"record,omitempty"`
		Bytes     []byte          `json:"record_base64,omitempty"`
	}{ID: s.ID, Kind: s.Kind, Done: s.Done, Reason: s.Reason, Source: s.Source, Offset: s.Offset, Time: s.Time, Corrected: s.Corrected, Truncated: s.Truncated}
	if text := string(s.Record); utf8.ValidString(text) {
		letter.Record = &text
	} else {
		letter.Bytes = s.Record
	}
	return e.Encode(letter)
}

type deadShowVerb struct {
	deadBox
	ID     string `arg:"" help:"The letter's id, or how it begins."`
	Record bool   `help:"Only the record, byte for byte: edit it, and hand it to correct."`
}

// Run shows one letter.
func (v deadShowVerb) Run(w *world) error {
	s, err := v.box().Find(v.ID)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", v.File, err))
	}
	if v.Record {
		_, err := w.stdout.Write(s.Record)
		return err
	}
	t := tabwriter.NewWriter(w.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nkind\t%s\nreason\t%s\nsource\t%s\noffset\t%d\ntime\t%s\n", s.ID, standing(s), s.Reason, s.Source, s.Offset, s.Time.Format(time.RFC3339Nano))
	if s.Truncated {
		fmt.Fprintln(t, "record\tcut: only its beginning was kept")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !utf8.Valid(s.Record) {
		_, err = fmt.Fprintf(w.stdout, "\n%q\n", s.Record)
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "\n%s\n", s.Record)
	return err
}

type deadCorrectVerb struct {
	deadBox
	ID string `arg:"" help:"The letter's id, or how it begins."`
}

// maxCorrection bounds a record from standard input.
const maxCorrection = 32 << 20

// Run replaces a letter's record. One line end at its end is not part of it.
func (v deadCorrectVerb) Run(w *world) error {
	record, err := io.ReadAll(io.LimitReader(w.stdin, maxCorrection+1))
	if err != nil {
		return fmt.Errorf("read the corrected record from standard input: %w", err)
	}
	record = bytes.TrimSuffix(record, []byte{'\n'})
	switch {
	case len(record) == 0:
		return usage(errors.New("standard input has no record"))
	case len(record) > maxCorrection:
		return usage(fmt.Errorf("the record is longer than %d bytes", maxCorrection))
	}
	err = v.box().Correct(v.ID, record)
	if errors.Is(err, deadletter.ErrNotFound) {
		return usage(fmt.Errorf("%s: %w", v.File, err))
	}
	return err
}

type deadPurgeVerb struct{ deadChoice }

// Run removes letters.
func (v deadPurgeVerb) Run(w *world) error {
	chosen, err := v.choose()
	if err != nil {
		return err
	}
	return v.done(w, deadletter.Purged, chosen)
}

// done marks letters. What was replayed stays on the disk as long as there is room: who
// reads it may fail.
func (c deadChoice) done(w *world, how string, letters []*deadletter.Stored) error {
	var ids []string
	for _, s := range letters {
		ids = append(ids, s.ID)
	}
	if err := c.box().Done(how, ids...); err != nil {
		return err
	}
	fmt.Fprintf(w.stderr, "%d letters %s\n", len(ids), how)
	if how == deadletter.Purged {
		return c.tidy(w)
	}
	return nil
}

// tidy removes what was purged, or says when that will be.
func (c deadChoice) tidy(w *world) error {
	tidied, err := c.box().Tidy()
	if err != nil {
		return err
	}
	if !tidied {
		fmt.Fprintf(w.stderr, "a run has %s: they leave the disk when the next one starts\n", c.File)
	}
	return nil
}

type deadReplayVerb struct {
	deadChoice
	Sink    string        `type:"given" placeholder:"stdout|FILE|URL|NAME" help:"Where alerts are sent; with --config a sink of it."`
	Config  string        `name:"config" short:"c" type:"given" placeholder:"FILE" help:"The configuration that has the sink."`
	Timeout time.Duration `default:"1m" help:"For how long an alert is tried that the sink does not take."`
}

// Run sends letters again, and marks those that were sent. Records go to standard output as
// they are, one a line: a run reads them with --input -.
func (v deadReplayVerb) Run(w *world) error {
	chosen, err := v.choose()
	if err != nil {
		return err
	}
	var records, alerts []*deadletter.Stored
	for _, s := range chosen {
		if err := v.whole(s); err != nil {
			return usage(err)
		}
		if s.Kind == deadletter.Undeliverable {
			alerts = append(alerts, s)
		} else {
			records = append(records, s)
		}
	}
	if len(alerts) > 0 && v.Sink == "" {
		return usage(fmt.Errorf("%d of the letters are alerts: say where they go with --sink, or choose others with --kind", len(alerts)))
	}
	if len(records) > 0 {
		if err := v.print(w, records); err != nil {
			return err
		}
	}
	if len(alerts) == 0 {
		return nil
	}
	return v.send(w, alerts)
}

// whole refuses a record that could not be sent as it was.
func (v deadReplayVerb) whole(s *deadletter.Stored) error {
	switch {
	case s.Truncated:
		return fmt.Errorf("letter %s holds only the beginning of its record: correct it, or choose others", s.ID)
	case bytes.ContainsAny(s.Record, "\r\n"):
		return fmt.Errorf("letter %s is more than a line: correct it, or choose others", s.ID)
	}
	return nil
}

func (v deadReplayVerb) print(w *world, records []*deadletter.Stored) error {
	out := bufio.NewWriter(w.stdout)
	for _, s := range records {
		if _, err := fmt.Fprintf(out, "%s\n", s.Record); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return v.done(w, deadletter.Replayed, records)
}

// send delivers alerts as a run does.
func (v deadReplayVerb) send(w *world, alerts []*deadletter.Stored) (err error) {
	to, err := v.to()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(w.stderr, nil))
	target, err := (&pipeline{world: w, log: log}).openSink(to, w.kinds())
	if err != nil {
		return usage(fmt.Errorf("%s: %w", to.told(), err))
	}
	defer func() { err = errors.Join(err, target.Sink.Close()) }()
	target.Name, target.MaxElapsed, target.StopOnFault = to.name, v.Timeout, true // someone is before it
	refused := 0
	sent, sending := deliverAgain(w.ctx, target, alerts, sinks.Options{Now: w.now, Log: log}, func(l *deadletter.Stored, why error) {
		refused++
		fmt.Fprintf(w.stderr, "%s is not taken: %v\n", l.ID, why)
	})
	if len(sent) > 0 {
		sending = errors.Join(sending, v.done(w, deadletter.Replayed, sent))
	}
	if sending == nil && refused > 0 {
		return errNotWell
	}
	return sending
}

// deliverAgain delivers alerts to a sink as a run does, and returns those that it took; of one
// that it refuses it tells why.
func deliverAgain(ctx context.Context, to sinks.Target, alerts []*deadletter.Stored, o sinks.Options, tell func(*deadletter.Stored, error)) (sent []*deadletter.Stored, err error) {
	refused := map[uint64]bool{}
	o.Rejected = func(_ string, row sinks.Row, why error) error {
		refused[row.Number] = true
		tell(alerts[row.Number-1], why)
		return nil
	}
	d, err := sinks.NewDispatcher(lettersAsRows(alerts), []sinks.Target{to}, o)
	if err != nil {
		return nil, err
	}
	d.Drain()
	err = d.Run(ctx)
	for i, s := range alerts[:d.Acks()[to.Name]] {
		if !refused[uint64(i+1)] {
			sent = append(sent, s)
		}
	}
	return sent, err
}

// to is where alerts go: a sink of the configuration, where there is one.
func (v deadReplayVerb) to() (sinkFlag, error) {
	if v.Config == "" {
		to, err := readSink(v.Sink)
		if err != nil {
			return to, usage(err)
		}
		return to, nil
	}
	sink, err := namedSink{Name: v.Sink, Config: v.Config}.open()
	return sinkFlag{given: v.Sink, name: v.Sink, sink: sink}, err
}

// lettersAsRows is an outbox of letters: the first is row 1.
type lettersAsRows []*deadletter.Stored

func (l lettersAsRows) Rows(_ context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	for i := int(after); i < len(l); i++ {
		if err := visit(uint64(i+1), slices.Clone(l[i].Record)); err != nil {
			return err
		}
	}
	return nil
}

func (lettersAsRows) Delivered(string) (uint64, error) { return 0, nil }
func (lettersAsRows) Appended() uint64                 { return 0 }
