package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// scalar is a value that is written as one text.
type scalar interface {
	// set reads the text. Its error does not quote it.
	set(text string) error
}

// Duration is a span of wall-clock time, written as 500ms, 2s, 1h30m or 7d.
type Duration time.Duration

// String returns the duration as it may be written.
func (d Duration) String() string {
	text := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

func (d *Duration) set(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errors.New("not a duration; write whole days as 7d")
		}
		*d = Duration(n) * Duration(24*time.Hour)
		return nil
	}
	v, err := time.ParseDuration(text)
	if _, number := strconv.ParseFloat(text, 64); err != nil && number == nil {
		return errors.New("a duration needs its unit: ms, s, m, h or d")
	}
	if err != nil {
		return errors.New("not a duration; write it as 500ms, 2s, 1h30m or 7d")
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written as 256MiB, 2GiB or 10MB.
type Size int64

// sizeUnits are the units of a size, the longer names first.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// ParseSize reads a size with its unit. Its error does not quote the text.
func ParseSize(text string) (Size, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || n*u.bytes >= math.MaxInt64 {
			break
		}
		return Size(n * u.bytes), nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, errors.New("a size needs its unit: KiB, MiB, GiB, kB, MB, GB or B")
	}
	return 0, errors.New("not a size; write it as 256MiB or 2GiB")
}

// String returns the size as it may be written.
func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if unit := int64(sizeUnits[u].bytes); int64(s) >= unit && int64(s)%unit == 0 {
			return fmt.Sprintf("%d%s", int64(s)/unit, sizeUnits[u].name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

func (s *Size) set(text string) (err error) {
	*s, err = ParseSize(text)
	return err
}

// Path is the name of a file or folder.
type Path struct {
	Given string // as it is written
	Name  string // as it is opened: a relative one is looked for beside the configuration
}

// String returns the name that is opened.
func (p Path) String() string { return p.Name }

func (p *Path) set(text string) error {
	if text == "" {
		return errors.New("is empty; name a file or folder")
	}
	if strings.ContainsRune(text, 0) {
		return errors.New("holds a zero byte, which no name may")
	}
	p.Given = text // the decoder fills in Name
	return nil
}

// Start is where a partition begins of which nothing is stored.
type Start struct {
	Latest bool      // what comes from now on; else from the oldest record
	At     time.Time // the first record of that time or later; not zero: it goes before Latest
}

// String returns the start as it is written.
func (s Start) String() string {
	switch {
	case !s.At.IsZero():
		return s.At.Format(time.RFC3339Nano)
	case s.Latest:
		return "latest"
	}
	return "earliest"
}

func (s *Start) set(text string) error {
	switch text {
	case "earliest", "latest":
		*s = Start{Latest: text == "latest"}
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return errors.New(`one of "earliest", "latest", or a time as 2026-01-31T12:00:00Z`)
	}
	s.At = at
	return nil
}
