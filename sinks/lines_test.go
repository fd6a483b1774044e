package sinks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLastLineIsMended(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := []struct{ name, before, after string }{
		{"new file", "", ""},
		{"whole lines", "{}\n{}\n", "{}\n{}\n"},
		{"torn line", "{}\n{\"id\":\"4", "{}\n"},
		{"torn first line", "{\"id\":", ""},
		{"torn long line", "{}\n{\"id\":\"" + long, "{}\n"},
		{"line without its end", "{}\n{\"a\":1}", "{}\n{\"a\":1}\n"},
		{"long line without its end", "{}\n{\"a\":\"" + long + "\"}", "{}\n{\"a\":\"" + long + "\"}\n"},
		{"something else", "# notes", "# notes\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if test.before != "" {
				if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := OpenLines(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Append([]byte("{}")); err != nil {
				t.Fatal(err)
			}
			if want := int64(len(test.after) + 3); f.Size() != want {
				t.Errorf("size %d, want %d", f.Size(), want)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != test.after+"{}\n" {
				t.Errorf("got %.60q, %v; want %.60q", got, err, test.after+"{}\n")
			}
		})
	}
}

func TestNothingIsThereBeforeSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := OpenLines(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, want := range []string{"{}\n", "{}\n{}\n"} {
		if err := f.Append([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != want || err != nil {
			t.Errorf("after sync %d: %q, %v", i, got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestDeviceInPlaceOfAFile(t *testing.T) {
	f, err := OpenLines(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Append([]byte("{}")); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestFullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here:", err)
	}
	f, err := OpenLines("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Append([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err == nil {
		t.Error("sync to a full device succeeded")
	}
	f.Close()
}
