package route

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Silence keeps alerts back that match, until its end.
type Silence struct {
	ID      string    `json:"id"`
	Match   Match     `json:"match"`
	Until   time.Time `json:"until"`
	By      string    `json:"by,omitempty"` // who wants it
	Comment string    `json:"comment,omitempty"`
}

// maxSilences bounds those that hold at once: each is asked about each alert.
const maxSilences = 1000

// ErrNoSilence is returned for an id that no silence has.
var ErrNoSilence = errors.New("there is no such silence")

// Silences are kept in a file, or in memory. They are safe for several goroutines. A nil one
// is empty.
type Silences struct {
	path string

	mu  sync.RWMutex
	all []Silence
}

// OpenSilences reads the file path, which may not be there; no path keeps them in memory.
func OpenSilences(path string) (*Silences, error) {
	s := &Silences{path: path}
	if path == "" {
		return s, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	if err := json.Unmarshal(text, &s.all); err != nil {
		return nil, fmt.Errorf("read silences: %s is not a list of silences (%w); mend or remove it", path, err)
	}
	return s, nil
}

// Add keeps a silence, and returns its id when it survives the process. Those that are over
// are forgotten.
func (s *Silences) Add(silence Silence, now time.Time) (id string, err error) {
	switch err := silence.Match.Validate(); {
	case err != nil:
		return "", err
	case !silence.Until.After(now):
		return "", fmt.Errorf("the silence ends at %s, which is over", silence.Until.Format(time.RFC3339))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.all), func(old Silence) bool { return !old.Until.After(now) })
	if len(all) >= maxSilences {
		return "", fmt.Errorf("there are %d silences already, which is the most", len(all))
	}
	silence.ID = newID()
	return silence.ID, s.keep(append(all, silence))
}

// End ends a silence.
func (s *Silences) End(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.all), func(old Silence) bool { return old.ID == id })
	if len(all) == len(s.all) {
		return fmt.Errorf("%w: %s", ErrNoSilence, id)
	}
	return s.keep(all)
}

// Holding returns the silences that hold. They are the caller's.
func (s *Silences) Holding(now time.Time) (all []Silence) {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(old Silence) bool { return !old.Until.After(now) })
}

// matching returns a silence that matches; nil where there is none.
func (s *Silences) matching(h *head, now time.Time) *Silence {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.all {
		if silence := s.all[i]; silence.Until.After(now) && silence.Match.matches(h) {
			return &silence
		}
	}
	return nil
}

// keep writes all, whole or not at all, and then has them hold.
func (s *Silences) keep(all []Silence) error {
	if s.path != "" {
		if err := writeWhole(s.path, all); err != nil {
			return fmt.Errorf("keep silences in %s: %w", s.path, err)
		}
	}
	s.all = all
	return nil
}

func writeWhole(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return sinks.ReplaceFile(path, append(content, '\n'))
}

func newID() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
