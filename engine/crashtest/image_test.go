package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// copyImage copies the directory from as a killed process leaves it. A copy into which a
// flush of Badger's came, in the background, is done again.
func copyImage(to, from string) error {
	for {
		before := listing(from)
		err := copyTree(to, from)
		if err == nil && listing(from) == before {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
}

// listing names the files below dir, with their sizes.
func listing(dir string) string {
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil { // else it went just now
				fmt.Fprintln(&b, path, info.Size())
			}
		}
		return nil
	})
	return b.String()
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		return copyFile(target, path)
	})
}

// copyFile leaves holes where the file has zeros: Badger's files are mostly that.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	zero, block := make([]byte, 64<<10), make([]byte, 64<<10)
	for size := int64(0); size < info.Size(); {
		n, err := io.ReadFull(in, block)
		hole := bytes.Equal(block[:n], zero[:n])
		if hole && strings.HasSuffix(from, ".vlog") {
			break // written in order: behind a hole is nothing
		}
		if !hole {
			if _, err := out.WriteAt(block[:n], size); err != nil {
				return err
			}
		}
		if size += int64(n); err != nil {
			break
		}
	}
	return out.Truncate(info.Size())
}

// logEnd is how far the newest write-ahead log goes.
type logEnd struct {
	name string
	used int
}

// endOfLog finds the newest log of a state directory, and its last byte that is not zero.
func endOfLog(dir string) logEnd {
	logs, _ := filepath.Glob(filepath.Join(dir, "tree", "*.mem"))
	if len(logs) == 0 {
		return logEnd{}
	}
	slices.Sort(logs)
	last := logs[len(logs)-1]
	text, err := os.ReadFile(last)
	if err != nil {
		return logEnd{}
	}
	return logEnd{filepath.Base(last), len(bytes.TrimRight(text, "\x00"))}
}

// How the end of a log is spoilt.
const (
	cut    = "cut"
	zeroed = "zeroed"
)

// tear spoils the end of the newest log of an image from a random byte on. What was there
// when the last epoch was reported complete stays: more than that no crash takes from a
// disk that does as it is told. It says what it did, "" where there was nothing.
func tear(r *rand.Rand, dir string, complete logEnd, way string) (what string, err error) {
	end := endOfLog(dir)
	from := 0
	if end.name == complete.name {
		from = complete.used
	}
	if end.used <= from {
		return "", nil
	}
	at, path := from+r.IntN(end.used-from), filepath.Join(dir, "tree", end.name)
	what = fmt.Sprintf("%s %s at %d of %d", end.name, way, at, end.used)
	if way == cut {
		return what, os.Truncate(path, int64(at))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	clear(text[at:])
	return what, os.WriteFile(path, text, 0o600)
}
