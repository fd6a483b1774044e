package lang_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCodesAreListed compares the codes in the source of the compiler with those in
// docs/errors.md, both ways.
func TestCodesAreListed(t *testing.T) {
	used := codesUsed(t)
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([SRW]\d{3}) \|`).FindAllStringSubmatch(string(text), -1) {
		if listed[m[1]] {
			t.Errorf("docs/errors.md lists %s twice", m[1])
		}
		listed[m[1]] = true
	}
	for code, file := range used {
		if !listed[code] {
			t.Errorf("%s of %s is not in docs/errors.md", code, file)
		}
	}
	for code := range listed {
		if used[code] == "" {
			t.Errorf("docs/errors.md lists %s, which nothing uses", code)
		}
	}
}

// codesUsed finds the codes in the rooms' source, without tests.
func codesUsed(t *testing.T) map[string]string {
	t.Helper()
	code := regexp.MustCompile(`"([SRW]\d{3})"`)
	used := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = path
		}
		return err
	})
	if err != nil || len(used) == 0 {
		t.Fatalf("found %d codes: %v", len(used), err)
	}
	return used
}
