package stdout

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cepheus-cep/cepheus/sinks"
)

func rows(texts ...string) (rows []sinks.Row) {
	for i, text := range texts {
		rows = append(rows, sinks.Row{Number: uint64(i), Alert: []byte(text)})
	}
	return rows
}

func TestLinesAppearAtFlush(t *testing.T) {
	var out bytes.Buffer
	s := New(&out)
	if _, err := s.Deliver(t.Context(), rows("a", "b")); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a\nb\n" {
		t.Errorf("got %q", got)
	}
}

func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s := New(w)
	big := strings.Repeat("x", 2*bufferSize)
	if _, err := s.Deliver(t.Context(), rows(big)); !errors.Is(err, sinks.ErrGone) {
		t.Errorf("deliver: %v", err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, sinks.ErrGone) {
		t.Errorf("flush: %v", err)
	}
}

func TestOtherFailuresAreFailures(t *testing.T) {
	s := New(iotest.TruncateWriter(failing{}, 100))
	if _, err := s.Deliver(t.Context(), rows("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, errFull) || errors.Is(err, sinks.ErrGone) {
		t.Errorf("flush: %v", err)
	}
}

var errFull = errors.New("no space")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
