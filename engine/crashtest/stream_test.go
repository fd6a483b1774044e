package crashtest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// long reports whether the long form of a test is asked for.
func long() bool { return os.Getenv("CEPHEUS_CRASH_LONG") != "" }

// chance returns the source of what is drawn, and says which it is.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(1)
	if long() {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	if given := os.Getenv("CEPHEUS_CRASH_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CEPHEUS_CRASH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// traffic says what events are drawn.
type traffic struct {
	events int
	cards  int           // so many at a time
	every  time.Duration // between two events
	fresh  int           // after so many events the cards are others; 0: never
	large  bool          // some texts are too large for the tree of the store
}

// write draws events into two files in dir, which are the partitions.
func (f traffic) write(t *testing.T, r *rand.Rand, dir string) (paths []string) {
	t.Helper()
	var outs []*bufio.Writer
	for _, name := range []string{"pays.jsonl", "others.jsonl"} {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		outs, paths = append(outs, bufio.NewWriterSize(file, 1<<16)), append(paths, file.Name())
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range f.events {
		at = at.Add(time.Duration(r.Int64N(int64(2*f.every) + 1)))
		out, line := outs[1], f.other(r, i, at)
		if r.IntN(10) < 6 {
			out, line = outs[0], f.pay(r, i, at)
		}
		fmt.Fprintln(out, line)
	}
	for _, out := range outs {
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// when is at, or up to three seconds before, which is sometimes late.
func when(r *rand.Rand, at time.Time) string {
	if r.IntN(4) == 0 {
		at = at.Add(-time.Duration(r.Int64N(int64(3 * time.Second))))
	}
	return at.Format(time.RFC3339Nano)
}

func (f traffic) card(r *rand.Rand, i int) int {
	card := r.IntN(f.cards)
	if f.fresh > 0 {
		card += i / f.fresh * f.cards
	}
	return card
}

func (f traffic) pay(r *rand.Rand, i int, at time.Time) string {
	if r.IntN(200) == 0 {
		return `{"type":"pay","at":"yesterday"}` // for the dead letters
	}
	id := i
	if r.IntN(20) == 0 {
		id = max(0, i-r.IntN(30)) // perhaps a copy
	}
	text := ""
	switch n := r.IntN(300); {
	case n == 0 && f.large:
		text = strings.Repeat("large ", 20_000)
	case n < 10:
		text = strings.Repeat("text ", 1+r.IntN(600))
	}
	return fmt.Sprintf(`{"type":"pay","id":"p%d","at":%q,"card":"c%d","shop":"s%d","n":%d,"sum":%d.%02d,"text":%q}`,
		id, when(r, at), f.card(r, i), r.IntN(7), r.IntN(10), r.IntN(120), r.IntN(100), text)
}

func (f traffic) other(r *rand.Rand, i int, at time.Time) string {
	if r.IntN(3) == 0 {
		return fmt.Sprintf(`{"type":"ring","at":%q,"card":"c%d","n":%d}`, when(r, at), f.card(r, i), r.IntN(10))
	}
	return fmt.Sprintf(`{"type":"auth","id":"a%d","at":%q,"card":"c%d","n":%d}`, i, when(r, at), f.card(r, i), r.IntN(10))
}
