package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/sinks"
)

func TestRowsAreAppendedAndThereAfterFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for run, want := range []string{"{\"id\":0}\n", "{\"id\":0}\n{\"id\":0}\n"} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Deliver(t.Context(), []sinks.Row{{Number: 1, Alert: []byte(`{"id":0}`)}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != want || err != nil {
			t.Errorf("run %d: %q, %v", run, got, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "alerts.jsonl")
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("open: %v", err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here:", err)
	}
	s, err := Open("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Deliver(t.Context(), []sinks.Row{{Number: 1, Alert: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "/dev/full") {
		t.Errorf("flush: %v", err)
	}
}
