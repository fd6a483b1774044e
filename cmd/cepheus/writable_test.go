package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsWritable(t *testing.T) {
	dir := t.TempDir()
	closed, file, sealed := filepath.Join(dir, "closed"), filepath.Join(dir, "file"), filepath.Join(dir, "sealed")
	for path, mode := range map[string]os.FileMode{file: 0o600, sealed: 0o400} {
		if err := os.WriteFile(path, []byte("a line\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0 // whom permissions do not keep out
	for name, c := range map[string]struct {
		path string
		want bool
	}{
		"a file":                      {file, true},
		"a new file":                  {filepath.Join(dir, "new"), true},
		"a device":                    {os.DevNull, true},
		"a folder":                    {closed, false},
		"in no folder":                {filepath.Join(dir, "no", "new"), false},
		"below a file":                {filepath.Join(file, "new"), false},
		"a file without permission":   {sealed, root},
		"a folder without permission": {filepath.Join(closed, "new"), root},
	} {
		if err := writable(c.path); (err == nil) != c.want {
			t.Errorf("%s: %v, want writable: %t", name, err, c.want)
		}
	}
	for _, pattern := range []string{"*new*", ".cepheus*"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
}
