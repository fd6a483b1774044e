package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func serve(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Serve(dir, map[string]Handler{
		"greet": func(_ context.Context, to io.Writer) error {
			_, err := io.WriteString(to, "hello\nworld\n")
			return err
		},
		"silent": func(context.Context, io.Writer) error { return nil },
		"fail":   func(context.Context, io.Writer) error { return errors.New("it does\nnot work") },
		"early": func(_ context.Context, to io.Writer) error {
			io.WriteString(to, "half")
			return errors.New("that was all")
		},
		"long": func(ctx context.Context, to io.Writer) error {
			io.WriteString(to, "more to come\n")
			<-ctx.Done()
			return ctx.Err()
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ask(t *testing.T, dir, request string) (string, error) {
	t.Helper()
	r, err := Ask(t.Context(), dir, request)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestRequestsAreAnswered(t *testing.T) {
	for name, dir := range map[string]string{"short": "d", "long": strings.Repeat("a-long-name/", 20)} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), dir)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := ask(t, dir, "greet"); !errors.Is(err, ErrNobody) {
				t.Errorf("nobody serves: %v", err)
			}
			s := serve(t, dir)
			if info, err := os.Stat(filepath.Join(dir, socketFile)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			for request, want := range map[string]string{"greet": "hello\nworld\n", "silent": "", "early": "half"} {
				if got, err := ask(t, dir, request); got != want || err != nil {
					t.Errorf("%s: got %q, %v; want %q", request, got, err, want)
				}
			}
			for request, want := range map[string]string{"fail": "it does; not work", "fly": `no request is named "fly"`} {
				if _, err := ask(t, dir, request); err == nil || err.Error() != want {
					t.Errorf("%s: got %v, want %s", request, err, want)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, socketFile)); err == nil {
				t.Error("the socket is left behind")
			}
			if _, err := ask(t, dir, "greet"); !errors.Is(err, ErrNobody) {
				t.Errorf("nobody serves any more: %v", err)
			}
		})
	}
}

func TestCloseEndsAnAnswer(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir)
	r, err := Ask(t.Context(), dir, "long")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text := make([]byte, len("more to come\n"))
	if _, err := io.ReadFull(r, text); err != nil || string(text) != "more to come\n" {
		t.Fatalf("got %q, %v", text, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("got %q", rest)
	}
}

func TestSocketOfAKilledProcessIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, socketFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, dir)
	if got, err := ask(t, dir, "greet"); got == "" {
		t.Errorf("%v", err)
	}
}
