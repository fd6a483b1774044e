package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/control"
	"github.com/cepheus-cep/cepheus/state/seal"
)

type stateVerbs struct {
	Info    stateInfoVerb    `cmd:"" help:"What is in a state folder: sizes, keys by rule, the last epoch, source positions."`
	Verify  stateVerifyVerb  `cmd:"" help:"Read all of a state folder, and say what is damaged."`
	Backup  stateBackupVerb  `cmd:"" help:"Write a backup of a state folder, also while a run uses it."`
	Restore stateRestoreVerb `cmd:"" help:"Make a state folder of a backup."`
	Rekey   stateRekeyVerb   `cmd:"" help:"Have an encrypted state folder open with another key."`
	Compact stateCompactVerb `cmd:"" help:"Drop old versions and what was deleted from a state folder."`
}

// What a command may ask the run that has a state folder open.
const (
	askInfo   = "info"
	askBackup = "backup"
)

// openState opens a state folder that is there. What stands in the way of it is wrong
// usage, but damage.
func openState(w *world, dir string, key *seal.Key) (*state.Badger, error) {
	if err := isState(dir); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := state.OpenBadger(dir, state.Options{Log: log, Key: key})
	if err != nil {
		return nil, notOpened(err)
	}
	return s, nil
}

func isState(dir string) error {
	err := state.IsState(dir)
	var not *state.NotStateError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return usage(fmt.Errorf("there is no state folder %s", dir))
	case errors.As(err, &not):
		return usage(fmt.Errorf("%s is not a state folder: it holds %s and no FORMAT", dir, not.Found))
	}
	return notOpened(err)
}

// whoHas says whether another process has the folder open, and asks it. An answer to
// nobody is the refusal of the lock.
func whoHas(w *world, dir, request string, opening error) (io.ReadCloser, error) {
	var locked *state.LockedError
	if !errors.As(opening, &locked) {
		return nil, opening
	}
	answer, err := control.Ask(w.ctx, dir, request)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, control.ErrNobody):
		return nil, opening
	}
	return nil, fmt.Errorf("ask process %s, which uses state folder %s: %w", locked.PID, dir, err)
}

// serve answers requests about a state folder that this run has open. That it cannot is
// no reason not to run.
func (p *pipeline) serve(store stateStore) (stop func() error) {
	s, ok := store.(*state.Badger)
	if !ok {
		return func() error { return nil }
	}
	server, err := control.Serve(p.verb.State, map[string]control.Handler{
		askInfo: func(ctx context.Context, to io.Writer) error {
			info, err := describe(ctx, p.verb.State, s)
			if err != nil {
				return err
			}
			return json.NewEncoder(to).Encode(info)
		},
		askBackup: func(ctx context.Context, to io.Writer) error {
			_, err := s.Backup(ctx, to, nil)
			return err
		},
	}, p.log)
	if err != nil {
		p.log.Warn("no backup can be taken while this runs", "err", err)
		return func() error { return nil }
	}
	return server.Close
}

// afterCrash says in one line what the opening undid and where reading goes on.
func (p *pipeline) afterCrash(ctx context.Context, store stateStore) error {
	s, ok := store.(*state.Badger)
	if !ok || !s.Recovery().LeftOpen {
		return nil
	}
	positions, err := engine.StoredPositions(ctx, store)
	if err != nil {
		return p.ofState(err)
	}
	var places []string
	for _, at := range positions {
		places = append(places, fmt.Sprintf("%s at %d", at.Name, at.Offset))
	}
	undone, from := "nothing had to be undone", "the start of all sources"
	r := s.Recovery()
	if r.Undone > 0 {
		undone = fmt.Sprintf("an epoch that was not complete is undone (%d records)", r.Undone)
	}
	if len(places) > 0 {
		from = strings.Join(places, ", ")
	}
	_, err = fmt.Fprintf(p.world.stderr, "the last run over %s did not end: %s; going on after epoch %d, from %s\n", p.verb.State, undone, r.Epoch, from)
	return err
}

// stateInfo is what info prints; its JSON keeps its form.
type stateInfo struct {
	Dir       string      `json:"dir"`
	Format    string      `json:"format"`
	Watermark string      `json:"watermark,omitempty"` // RFC 3339
	Encrypted bool        `json:"encrypted"`
	Disk      state.Sizes `json:"disk"`
	*engine.Description
	Sources []sourceInfo `json:"sources"`
	Rules   []ruleInfo   `json:"rules"`
}

type sourceInfo struct {
	engine.DescribedSource
	Watermark string `json:"watermark,omitempty"`
}

type ruleInfo struct {
	engine.DescribedRule
	BytesAKey float64 `json:"bytes_a_key"`
}

func describe(ctx context.Context, dir string, s *state.Badger) (*stateInfo, error) {
	d, err := engine.Describe(ctx, s)
	if err != nil {
		return nil, err
	}
	sizes, err := state.SizesOf(dir)
	if err != nil {
		return nil, err
	}
	encrypted, err := state.IsEncrypted(dir)
	if err != nil {
		return nil, err
	}
	info := &stateInfo{Dir: dir, Format: state.Format, Watermark: timeText(d.Watermark), Encrypted: encrypted, Disk: sizes, Description: d, Sources: []sourceInfo{}, Rules: []ruleInfo{}}
	for _, src := range d.Sources {
		info.Sources = append(info.Sources, sourceInfo{src, timeText(src.Watermark)})
	}
	for _, r := range d.Rules {
		info.Rules = append(info.Rules, ruleInfo{r, float64(r.Bytes) / float64(max(r.Keys, 1))})
	}
	return info, nil
}

func timeText(t *int64) string {
	if t == nil {
		return ""
	}
	return time.Unix(0, *t).UTC().Format(time.RFC3339Nano)
}

type stateInfoVerb struct {
	Dir string `arg:"" help:"The state folder."`
	keyFlag
	JSON bool `name:"json" help:"Print it as JSON."`
}

// Run prints what is in a state folder, or has the run that uses it say so.
func (v stateInfoVerb) Run(w *world) (err error) {
	info, err := v.info(w)
	if err != nil {
		return err
	}
	if v.JSON {
		enc := json.NewEncoder(w.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(info)
	}
	return info.print(w.stdout)
}

func (v stateInfoVerb) info(w *world) (info *stateInfo, err error) {
	key, err := v.key()
	if err != nil {
		return nil, err
	}
	s, err := openState(w, v.Dir, key)
	if err != nil {
		return v.ask(w, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return describe(w.ctx, v.Dir, s)
}

func (v stateInfoVerb) ask(w *world, opening error) (*stateInfo, error) {
	answer, err := whoHas(w, v.Dir, askInfo, opening)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	info := &stateInfo{}
	if err := json.NewDecoder(answer).Decode(info); err != nil {
		return nil, fmt.Errorf("the run that uses state folder %s ended its answer early: %w", v.Dir, err)
	}
	info.Dir = v.Dir
	return info, nil
}

// print writes the info for people.
func (i *stateInfo) print(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	row := func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = fmt.Sprint(c)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(text, "\t"), "\t"))
	}
	row("folder", i.Dir)
	row("format", i.Format)
	if i.Encrypted {
		row("encrypted", "yes")
	}
	row("epoch", i.Epoch)
	row("watermark", orNone(i.Watermark))
	row("rule set", orNone(i.Set))
	d := i.Disk
	row("on disk", fmt.Sprintf("%s (tables %s, large values %s, logs %s)", bytesText(d.All()), bytesText(d.Tables), bytesText(d.Values), bytesText(d.Logs)))
	row("outbox", fmt.Sprintf("%d rows wait to be delivered", i.Outbox.Waiting))
	row()
	row("source", "goes on at", "events", "watermark")
	for _, s := range i.Sources {
		row(s.Name, s.Offset, s.Arrived, orNone(s.Watermark))
	}
	row()
	row("rule", "keys", "bytes", "bytes a key", "version")
	for _, r := range i.Rules {
		row(r.Name, r.Keys, r.Bytes, fmt.Sprintf("%.1f", r.BytesAKey), r.Version)
	}
	row()
	row("records", "number", "bytes")
	for _, r := range i.Tables {
		row(r.Table, r.Records, r.Bytes)
	}
	return t.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	const kib = 1 << 10
	switch {
	case n < kib:
		return fmt.Sprintf("%d B", n)
	case n < kib*kib:
		return fmt.Sprintf("%.1f KiB", float64(n)/kib)
	case n < kib*kib*kib:
		return fmt.Sprintf("%.1f MiB", float64(n)/kib/kib)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/kib/kib/kib)
}

type stateVerifyVerb struct {
	Dir string `arg:"" help:"The state folder; no run may be using it."`
	keyFlag
	Rules []string `name:"rules" type:"given" placeholder:"PATH" sep:"none" help:"Decode also what only the rules know how to: rule file, or folder of rule files (*.cep). May be given more than once."`
}

// maxFaults is how many faults are told one by one.
const maxFaults = 100

// Run reads all of a state folder. What is damaged is its result.
func (v stateVerifyVerb) Run(w *world) (err error) {
	set, err := v.ruleSet(w)
	if err != nil {
		return err
	}
	key, err := v.key()
	if err != nil {
		return err
	}
	if err := isState(v.Dir); err != nil {
		return err
	}
	found := &faults{to: w.stdout, dir: v.Dir}
	if err := state.VerifyFiles(v.Dir, key, found.tell); err != nil {
		return notOpened(err)
	}
	if found.n > 0 { // to open it would fail, or lose what is still there
		return found.sum()
	}
	s, err := openState(w, v.Dir, key) // which reads the journal
	var damaged *state.DamagedError
	if errors.As(err, &damaged) {
		found.tell(state.Fault{Err: damaged.Err})
		return found.sum()
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	checker, err := engine.NewChecker(w.ctx, set, s)
	if err != nil {
		return err
	}
	records, err := verifyRecords(w, s, checker, found)
	if err != nil {
		return err
	}
	if found.n > 0 {
		return found.sum()
	}
	decoded := ""
	if set != nil {
		decoded = fmt.Sprintf(", of keys decoded by their rules: %d", checker.Decoded())
	}
	_, err = fmt.Fprintf(w.stdout, "%s is well: epoch %d, %d records%s\n", v.Dir, s.Epoch(), records, decoded)
	return err
}

// verifyRecords reads the records of an open state folder and counts them.
func verifyRecords(w *world, s *state.Badger, checker *engine.Checker, found *faults) (records uint64, err error) {
	line := newLine(w)
	defer line.clear()
	err = s.VerifyRecords(w.ctx, func(t state.Table, key, value []byte) error {
		if records++; records%4096 == 0 {
			line.show(fmt.Sprintf("%d records", records))
		}
		return checker.Check(t, key, value)
	}, func(f state.Fault) { line.clear(); found.tell(f) })
	return records, err
}

// ruleSet compiles the rules, if any.
func (v stateVerifyVerb) ruleSet(w *world) (*plan.Set, error) {
	if len(v.Rules) == 0 {
		return nil, nil
	}
	set, messages, err := compile(v.Rules)
	if err != nil {
		return nil, err
	}
	if messages.HasErrors() {
		return nil, usage(fmt.Errorf("the rules are not well: cepheus check %s tells why", strings.Join(v.Rules, " ")))
	}
	return set, nil
}

// faults tells of damage, and counts it.
type faults struct {
	to  io.Writer
	dir string
	n   int
}

func (f *faults) tell(fault state.Fault) {
	if f.n++; f.n > maxFaults {
		return
	}
	place := f.dir
	if fault.File != "" {
		place += "/" + fault.File
	}
	fmt.Fprintf(f.to, "%s: %s%v\n", place, recordText(fault), fault.Err)
}

// recordText names the record, or the records from one up to another.
func recordText(f state.Fault) string {
	if f.Key == nil {
		return ""
	}
	name, key := engine.KeyOf(f.Table, f.Key)
	of := ""
	switch {
	case name != "" && f.Table == state.TableKeys:
		of = " of rule " + name
	case name != "":
		of = " of " + name
	}
	prefix := ""
	if strings.HasPrefix(f.Err.Error(), "block") {
		prefix = "from "
	}
	return fmt.Sprintf("%s%s%s, key %q: ", prefix, f.Table, of, key[:min(len(key), 64)])
}

func (f *faults) sum() error {
	if f.n > maxFaults {
		fmt.Fprintf(f.to, "%d more\n", f.n-maxFaults)
	}
	fmt.Fprintf(f.to, "%s is damaged; restore it from a backup (cepheus state restore), or start on a fresh folder\n", f.dir)
	return errNotWell
}

type stateCompactVerb struct {
	Dir string `arg:"" help:"The state folder; no run may be using it."`
	keyFlag
}

// Run compacts a state folder and prints its sizes before and after.
func (v stateCompactVerb) Run(w *world) error {
	key, err := v.key()
	if err != nil {
		return err
	}
	if err := isState(v.Dir); err != nil {
		return err
	}
	before, err := state.SizesOf(v.Dir)
	if err != nil {
		return err
	}
	s, err := openState(w, v.Dir, key)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Compact(), s.Close()); err != nil {
		return err
	}
	after, err := state.SizesOf(v.Dir)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\tbefore\tafter")
	for _, r := range []struct {
		name          string
		before, after int64
	}{{"tables", before.Tables, after.Tables}, {"large values", before.Values, after.Values}, {"logs", before.Logs, after.Logs}, {"all", before.All(), after.All()}} {
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.name, bytesText(r.before), bytesText(r.after))
	}
	return t.Flush()
}

// line is one line on a terminal that is drawn again and again; on anything else nothing.
type line struct{ bar *progress }

func newLine(w *world) *line { return &line{newProgress(w, nil)} }

func (l *line) show(text string) {
	p := l.bar
	if p.on && p.now().Sub(p.last) >= progressEvery {
		p.last = p.now()
		fmt.Fprintf(p.to, "\r\x1b[K%s", text)
	}
}

func (l *line) clear() { l.bar.clear() }

// openedFile tells wrong usage from a failure where a file that is named is opened.
func openedFile(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, usage(err)
	}
	return f, nil
}
