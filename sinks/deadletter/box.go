package deadletter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Box is the letters of one file, its older parts and its marks, for those who look at them.
// It may be used beside a Writer of another process. It keeps nothing open.
type Box struct{ path string }

// At returns the letters kept in the file path, which may not be there.
func At(path string) *Box { return &Box{path} }

// Stored is a letter that was kept.
type Stored struct {
	ID        string
	Kind      Kind
	Reason    string
	Source    string
	Offset    int64
	Time      time.Time
	Record    []byte // as corrected, where it was
	Truncated bool   // the record is not whole
	Corrected bool
	Done      string // "replayed" or "purged"; empty: it waits for someone
}

// Marks on letters.
const (
	Replayed  = "replayed"
	Purged    = "purged"
	corrected = "corrected"
)

// mark is a line of the file of marks.
type mark struct {
	ID      string          `json:"id,omitempty"`
	Mark    string          `json:"mark,omitempty"`
	Copies  int             `json:"copies,omitempty"` // how many letters of the id there were
	Record  string          `json:"record,omitempty"`
	Base64  bool            `json:"base64,omitempty"`
	Dropped map[Kind]uint64 `json:"dropped,omitempty"`
}

// ErrNotFound is returned for an id that no letter has.
var ErrNotFound = errors.New("there is no such dead letter")

func (b *Box) marksPath() string { return b.path + ".marks" }

// older returns the paths of the older parts, the oldest first.
func (b *Box) older() (paths []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(b.path))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		n, ok := strings.CutPrefix(e.Name(), filepath.Base(b.path)+".")
		if ok && len(n) == partDigits && strings.Trim(n, "0123456789") == "" {
			paths = append(paths, filepath.Join(filepath.Dir(b.path), e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

const partDigits = 8

func (b *Box) olderBytes() (size int64, err error) {
	older, err := b.older()
	for _, path := range older {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	return size, err
}

// rotate makes the file an older part. Another process may be faster.
func (b *Box) rotate() error {
	for {
		older, err := b.older()
		if err != nil {
			return err
		}
		next := 1
		if len(older) > 0 {
			last := older[len(older)-1]
			if _, err := fmt.Sscanf(last[len(last)-partDigits:], "%d", &next); err != nil {
				return err
			}
			next++
		}
		err = os.Link(b.path, fmt.Sprintf("%s.%0*d", b.path, partDigits, next))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
}

// Letters calls visit for each letter, the oldest first, and those that are done with too;
// of one that was written more than once for the last. A line that is no letter is passed
// over.
func (b *Box) Letters(visit func(*Stored) error) error {
	copies, err := b.copies()
	if err != nil {
		return err
	}
	marks, _, err := b.marks()
	if err != nil {
		return err
	}
	return b.all(func(s *Stored, _ []byte) error {
		if copies[s.ID]--; copies[s.ID] > 0 {
			return nil
		}
		s.take(marks[s.ID])
		return visit(s)
	})
}

// take applies the marks of a letter.
func (s *Stored) take(marks []mark) {
	for _, m := range marks {
		if m.Mark == corrected {
			if record, err := fromText(m.Record, m.Base64); err == nil {
				s.Record, s.Corrected, s.Truncated = record, true, false
			}
			continue
		}
		s.Done = m.Mark
	}
}

// copies counts the letters of each id.
func (b *Box) copies() (map[string]int, error) {
	n := map[string]int{}
	err := b.all(func(s *Stored, _ []byte) error { n[s.ID]++; return nil })
	return n, err
}

// all reads all parts, without marks.
func (b *Box) all(visit func(s *Stored, text []byte) error) error {
	older, err := b.older()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, path := range append(older, b.path) {
		if err := readLines(path, visit); err != nil {
			return err
		}
	}
	return nil
}

// read reads one part, with marks.
func (b *Box) read(path string, visit func(s *Stored, text []byte) error) error {
	marks, _, err := b.marks()
	if err != nil {
		return err
	}
	return readLines(path, func(s *Stored, text []byte) error {
		s.take(marks[s.ID])
		return visit(s, text)
	})
}

func readLines(path string, visit func(s *Stored, text []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for r := bufio.NewReaderSize(f, 64<<10); ; {
		text, err := r.ReadBytes('\n')
		if s := parse(text); s != nil {
			if err := visit(s, bytes.TrimSuffix(text, []byte{'\n'})); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// parse reads a line; nil where it is no letter.
func parse(text []byte) *Stored {
	var l line
	if err := json.Unmarshal(text, &l); err != nil || l.ID == "" {
		return nil
	}
	record, err := fromText(l.Record, l.Base64)
	if err != nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return nil
	}
	return &Stored{ID: l.ID, Kind: l.Kind, Reason: l.Reason, Source: l.Source, Offset: l.Offset, Time: at, Record: record, Truncated: l.Truncated}
}

// marks reads the marks that hold: one that says a letter is done does not hold for what
// came later. It also returns how many letters were dropped, ever.
func (b *Box) marks() (of map[string][]mark, dropped map[Kind]uint64, err error) {
	of, dropped = map[string][]mark{}, map[Kind]uint64{}
	text, err := os.ReadFile(b.marksPath())
	if errors.Is(err, fs.ErrNotExist) {
		return of, dropped, nil
	}
	if err != nil {
		return nil, nil, err
	}
	copies, err := b.copies()
	if err != nil {
		return nil, nil, err
	}
	for text := range bytes.Lines(text) {
		var m mark
		if json.Unmarshal(text, &m) != nil {
			continue // torn by a crash
		}
		for k, n := range m.Dropped {
			dropped[k] += n
		}
		if m.ID != "" && (m.Mark == corrected || copies[m.ID] <= m.Copies) {
			of[m.ID] = append(of[m.ID], m)
		}
	}
	return of, dropped, nil
}

// marked is when the marks were last changed.
func (b *Box) marked() time.Time {
	info, err := os.Stat(b.marksPath())
	if err != nil {
		return time.Unix(0, 0)
	}
	return info.ModTime()
}

// Dropped returns how many letters were dropped for want of room or for their age, ever, by
// kind; without those of a Writer that is open.
func (b *Box) Dropped() (map[Kind]uint64, error) {
	_, dropped, err := b.marks()
	return dropped, err
}

// Find returns the letter whose id begins so.
func (b *Box) Find(id string) (found *Stored, err error) {
	err = b.Letters(func(s *Stored) error {
		switch {
		case !strings.HasPrefix(s.ID, id):
		case found != nil:
			return fmt.Errorf("more than one dead letter has an id that begins with %s", id)
		default:
			found = s
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return found, err
}

// Correct replaces the record of a letter, for a replay.
func (b *Box) Correct(id string, record []byte) error {
	s, err := b.Find(id)
	if err != nil {
		return err
	}
	m := mark{ID: s.ID, Mark: corrected}
	m.Record, m.Base64 = text(record)
	return b.mark(m)
}

// Done marks letters, by their whole ids, as Replayed or Purged. Those of the same record
// that come later are not.
func (b *Box) Done(how string, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	copies, err := b.copies()
	if err != nil {
		return err
	}
	var all []mark
	for _, id := range ids {
		all = append(all, mark{ID: id, Mark: how, Copies: copies[id]})
	}
	return b.mark(all...)
}

// mark appends marks, and returns when they are on the disk.
func (b *Box) mark(marks ...mark) (err error) {
	unlock, err := b.holdMarks()
	if err != nil {
		return fmt.Errorf("mark dead letters: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f, err := sinks.OpenLines(b.marksPath())
	if err != nil {
		return fmt.Errorf("mark dead letters: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, m := range marks {
		var text bytes.Buffer
		if err := encode(&text, m); err != nil {
			return err
		}
		if err := f.Append(text.Bytes()); err != nil {
			return err
		}
	}
	return f.Sync()
}

// alertsIn returns the lines of a part that hold alerts that wait for someone.
func (b *Box) alertsIn(path string) (lines [][]byte, err error) {
	err = b.read(path, func(s *Stored, text []byte) error {
		if s.Kind == Undeliverable && s.Done == "" {
			lines = append(lines, bytes.Clone(text))
		}
		return nil
	})
	return lines, err
}

// Tidy removes what was purged from the disk. It does nothing, and says so, while a Writer
// has the file.
func (b *Box) Tidy() (done bool, err error) { return b.tidy() }

func (b *Box) tidy() (done bool, err error) {
	if _, err := os.Stat(b.marksPath()); err != nil {
		return true, nil // nothing was ever marked
	}
	hold, err := b.holdAlone()
	if hold == nil || err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, hold.Close()) }()
	marks, dropped, err := b.marks()
	if err != nil {
		return false, err
	}
	older, err := b.older()
	if err != nil {
		return false, err
	}
	for _, path := range append(older, b.path) {
		if err := rewrite(path, path != b.path, marks); err != nil {
			return false, fmt.Errorf("tidy %s: %w", path, err)
		}
	}
	return true, b.tidyMarks(marks, dropped)
}

// rewrite leaves all of a part but what was purged. An older part with nothing else goes.
func rewrite(path string, older bool, marks map[string][]mark) error {
	var keep bytes.Buffer
	all := true
	err := readLines(path, func(s *Stored, text []byte) error {
		s.take(marks[s.ID])
		if s.Done == Purged {
			all = false
			return nil
		}
		keep.Write(text)
		keep.WriteByte('\n')
		return nil
	})
	switch {
	case err != nil || all:
		return err
	case older && keep.Len() == 0:
		return os.Remove(path)
	}
	return sinks.ReplaceFile(path, keep.Bytes())
}

// tidyMarks leaves the marks of letters that are there, and one count of those dropped.
func (b *Box) tidyMarks(marks map[string][]mark, dropped map[Kind]uint64) error {
	copies, err := b.copies()
	if err != nil {
		return err
	}
	var keep bytes.Buffer
	if len(dropped) > 0 {
		if err := encode(&keep, mark{Dropped: dropped}); err != nil {
			return err
		}
		keep.WriteByte('\n')
	}
	for id, of := range marks {
		for _, m := range of {
			if m.Mark == Purged || copies[id] == 0 {
				continue
			}
			if err := encode(&keep, m); err != nil {
				return err
			}
			keep.WriteByte('\n')
		}
	}
	return sinks.ReplaceFile(b.marksPath(), keep.Bytes())
}
