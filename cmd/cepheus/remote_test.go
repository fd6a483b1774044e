package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testWorld makes a world whose standard output is a file.
func testWorld(t *testing.T, stdin string) (w *world, out func() string, said *said) {
	t.Helper()
	open := func(name, text string) *os.File {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	stdout := open("out", "")
	said = newSaid()
	w = &world{ctx: t.Context(), stdin: open("in", stdin), stdout: stdout, stderr: said, now: time.Now}
	return w, func() string {
		text, err := os.ReadFile(stdout.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}, said
}

func newSaid() *said { return &said{} }

// TestATailGoesOnWhereItsConnectionEnded: after the last alert that was whole.
func TestATailGoesOnWhereItsConnectionEnded(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID")+" "+r.URL.RawQuery)
		switch len(asked) {
		case 1:
			io.WriteString(w, ": hello\n\nid: 4\nevent: alert\ndata: {\"n\":4}\n\nevent: alert\nid: 5\ndata: {\"n\":5}\n")
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			io.WriteString(w, "event: gap\ndata: {\"from\":5,\"to\":6}\n\nid: 7\nevent: alert\ndata: {\"n\":7}\n\n")
		}
	}))
	defer s.Close()
	w, out, said := testWorld(t, "")
	v := alertsTailVerb{serverFlags: serverFlags{Server: s.URL}, Rule: "a b", After: "3", Max: 2}
	if err := v.Run(w); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", asked), `["3 rule=a+b" "4 rule=a+b" "4 rule=a+b"]`; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if got := out(); got != "{\"n\":4}\n{\"n\":7}\n" || !strings.Contains(said.String(), "alerts are missing") {
		t.Errorf("prints\n%s%s", got, said.String())
	}
}

// TestATailThatNeverBeganEnds, and so does one that is refused.
func TestATailThatNeverBeganEnds(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	for _, open := range []bool{true, false} {
		w, _, _ := testWorld(t, "")
		v := alertsTailVerb{serverFlags: serverFlags{Server: s.URL}}
		if err := v.Run(w); err == nil || open && !strings.Contains(err.Error(), "404") {
			t.Errorf("open %t: %v", open, err)
		}
		s.Close()
	}
}

// TestPushComesAgainWhereThereIsNoRoom: nothing is sent twice that was taken.
func TestPushComesAgainWhereThereIsNoRoom(t *testing.T) {
	var taken bytes.Buffer
	full := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if full = !full; !full {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"detail":"full"}`)
			return
		}
		io.Copy(&taken, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	var lines strings.Builder
	for n := range 2*pushLines + 1 {
		fmt.Fprintf(&lines, "{\"n\":%d}\n", n)
	}
	w, _, said := testWorld(t, "\n"+lines.String())
	v := eventsPushVerb{serverFlags: serverFlags{Server: s.URL}, File: "-"}
	if err := v.Run(w); err != nil {
		t.Fatal(err)
	}
	if taken.String() != lines.String() || !strings.Contains(said.String(), "2001 events sent") {
		t.Errorf("%d bytes of %d are taken; it says %s", taken.Len(), lines.Len(), said.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.ctx = ctx
	if err := v.Run(w); err == nil && taken.Len() != lines.Len() {
		t.Error("a signal does not end it")
	}
}

func TestServersThatAreNone(t *testing.T) {
	for flags, want := range map[serverFlags]string{
		{Server: "localhost:8080"}:                     "--server: write it as",
		{Server: "ftp://h"}:                            "--server: write it as",
		{Server: "https://h", CA: "remote_test.go"}:    "holds no certificate",
		{Server: "https://h", CA: "none.pem"}:          "--ca: open none.pem",
		{Server: "https://h", Cert: "none", Key: "no"}: "--cert and --key",
	} {
		if _, err := flags.connect(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", flags, err, want)
		}
	}
}
