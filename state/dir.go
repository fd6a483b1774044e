package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// Format is the version of a state directory and of all records in it, whoever writes
// them. It is raised when any of them changes: golden files in the rooms that write them
// see to it. A directory of another version is refused.
const Format = "3"

// The layout of a state directory.
const (
	formatFile   = "FORMAT"
	formatTemp   = "FORMAT.tmp"
	formatPrefix = "cepheus-state "
	encryptedEnd = " encrypted" // of the text of one that is
	treeDir      = "tree"
	journalDir   = "journal"
)

// LockedError says that another process holds the state directory.
type LockedError struct {
	Dir string
	PID string // of the holder where known, else empty
}

// Error names the directory, the holder and the mend.
func (e *LockedError) Error() string {
	by := ""
	if e.PID != "" {
		by = " (process " + e.PID + ")"
	}
	return fmt.Sprintf("state directory %s is in use by another process%s; stop that one, or give this one a directory of its own", e.Dir, by)
}

// NotStateError says that a directory holds something else.
type NotStateError struct {
	Dir   string
	Found string // a file that is there
}

// Error names the directory and what was found.
func (e *NotStateError) Error() string {
	return fmt.Sprintf("%s is not a state directory: it holds %s and no %s; name an empty or a new directory", e.Dir, e.Found, formatFile)
}

// FormatError says that a state directory was written in another format.
type FormatError struct {
	Dir   string
	Found string
}

// Error names both versions and the mend.
func (e *FormatError) Error() string {
	return fmt.Sprintf("state directory %s has format %q, this release reads %q; open it with the release that wrote it, or start on a fresh directory",
		e.Dir, e.Found, formatPrefix+Format)
}

// SpaceError says that a commit, or to open the directory, was refused because the disk is
// nearly full. Nothing was written; the same may be tried again when there is room.
type SpaceError struct {
	Dir        string
	Free, Need uint64 // bytes
	Opening    bool   // it was not opened, even
}

// Error names the directory and what is missing.
func (e *SpaceError) Error() string {
	what := "commit"
	if e.Opening {
		what = "open it"
	}
	return fmt.Sprintf("disk of state directory %s is nearly full: %d MiB free, %d MiB needed to %s; make room, nothing committed is lost",
		e.Dir, e.Free>>20, (e.Need+1<<20-1)>>20, what)
}

// prepareDir begins to make dir, which is there, a state directory where it is empty,
// which is fresh, and refuses what is none of ours, or not for this key, which may be nil.
func prepareDir(dir string, key *seal.Key) (fresh bool, err error) {
	encrypted, err := readFormat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, initDir(dir, key)
	}
	if err == nil {
		err = checkKey(dir, encrypted, key)
	}
	return false, err
}

// readFormat reads FORMAT, and refuses another than ours.
func readFormat(dir string) (encrypted bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, formatFile))
	if err != nil {
		return false, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	found := strings.TrimSpace(string(text[:min(len(text), 80)]))
	version, encrypted := strings.CutSuffix(found, encryptedEnd)
	if version != formatPrefix+Format {
		return false, &FormatError{Dir: dir, Found: found}
	}
	return encrypted, nil
}

func formatText(key *seal.Key) []byte {
	if key == nil {
		return []byte(formatPrefix + Format + "\n")
	}
	return []byte(formatPrefix + Format + encryptedEnd + "\n")
}

// initDir writes the format file under another name. While it has that, the directory
// is ours and half made: nothing was ever committed to it.
func initDir(dir string, key *seal.Key) error {
	err := checkEmpty(dir)
	if err == nil {
		err = removeOtherKeys(dir, key)
	}
	if err != nil {
		return err
	}
	if err = writeSynced(filepath.Join(dir, formatTemp), formatText(key)); err == nil {
		err = makeRing(dir, key)
	}
	if err != nil {
		return fmt.Errorf("make state directory %s: %w", dir, err)
	}
	return nil
}

// removeOtherKeys removes what was half made for another key, or for none.
func removeOtherKeys(dir string, key *seal.Key) error {
	if _, err := os.Stat(filepath.Join(dir, keysFile)); errors.Is(err, fs.ErrNotExist) && key == nil {
		return nil
	}
	for _, name := range []string{treeDir, journalDir, markFile, keysFile, keysTemp} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("make state directory %s: %w", dir, err)
		}
	}
	return nil
}

// finishDir gives the format file its name, so that FORMAT tells of a whole directory.
func finishDir(dir string) error {
	err := syncPath(filepath.Join(dir, markFile))
	if err == nil {
		err = os.Rename(filepath.Join(dir, formatTemp), filepath.Join(dir, formatFile))
	}
	if err == nil {
		err = syncPath(dir)
	}
	if err != nil {
		return fmt.Errorf("make state directory %s: %w", dir, err)
	}
	return nil
}

// checkEmpty refuses a directory with anything in it but what a fresh file system has,
// and what a first start that was cut short has left.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("open state directory %s: %w", dir, err)
	}
	halfMade := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == formatTemp })
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "lost+found", name == formatTemp:
		case halfMade && (name == treeDir || name == journalDir || name == markFile || name == ballastFile || name == keysFile || name == keysTemp):
		default:
			return &NotStateError{Dir: dir, Found: name}
		}
	}
	return nil
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// openError tells a held lock from other failures of Badger's Open.
func openError(dir string, err error) error {
	if errors.Is(err, syscall.EWOULDBLOCK) || strings.Contains(err.Error(), "directory lock") {
		return lockedError(dir)
	}
	return fmt.Errorf("open state directory %s: %w", dir, err)
}

func lockedError(dir string) error {
	pid, _ := os.ReadFile(filepath.Join(dir, treeDir, "LOCK")) // only advice
	return &LockedError{Dir: dir, PID: strings.TrimSpace(string(pid))}
}
