package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/seal"
)

type stateBackupVerb struct {
	Dir string `arg:"" help:"The state folder; a run may be using it."`
	Out string `arg:"" help:"The backup: a file that is not there yet. Of an encrypted folder it is encrypted under the same key."`
	keyFlag
}

// Run writes a backup under another name, reads it again, and gives it its name: what has
// it is whole.
func (v stateBackupVerb) Run(w *world) (err error) {
	if err := v.outIsFree(); err != nil {
		return err
	}
	key, err := v.key()
	if err != nil {
		return err
	}
	from, err := v.open(w, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	f, err := openedFile(os.CreateTemp(filepath.Dir(v.Out), "."+filepath.Base(v.Out)+".*")) // for its user alone
	if err != nil {
		return err
	}
	defer func() {
		f.Close() // a second time, where all went well
		if gone := os.Remove(f.Name()); err == nil && !errors.Is(gone, fs.ErrNotExist) {
			err = gone
		}
	}()
	stats, err := v.write(w, f, from, key)
	if err != nil {
		return err
	}
	if err := v.outIsFree(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), v.Out); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = fmt.Fprintf(w.stdout, "%s: epoch %d, %d records, %s\n", v.Out, stats.Epoch, stats.Records, bytesText(stats.Bytes))
	return err
}

func (v stateBackupVerb) outIsFree() error {
	if _, err := os.Lstat(v.Out); err == nil {
		return usage(&state.ExistsError{Path: v.Out})
	}
	return nil
}

// write fills the file and reads it again.
func (v stateBackupVerb) write(w *world, f *os.File, from backupSource, key *seal.Key) (state.BackupStats, error) {
	line := newLine(w)
	defer line.clear()
	if err := from.copyTo(f, line); err != nil {
		return state.BackupStats{}, noRoom(v.Out, err)
	}
	if err := f.Sync(); err != nil {
		return state.BackupStats{}, noRoom(v.Out, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return state.BackupStats{}, err
	}
	stats, err := state.CheckBackup(w.ctx, f, key, func(s state.BackupStats) { line.show("reading it again: " + bytesText(s.Bytes)) })
	if wrong := (*state.BackupError)(nil); errors.As(err, &wrong) {
		err = fmt.Errorf("backup of %s: %w; %s", v.Dir, err, from.blame())
	}
	if wrong := (*state.KeyError)(nil); errors.As(err, &wrong) { // of a folder that a run has open
		err = usage(&state.KeyError{Dir: v.Dir, Why: wrong.Why})
	}
	return stats, errors.Join(err, f.Close())
}

// noRoom names the file that there was no room for.
func noRoom(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("no space left for %s; nothing is kept of it", path)
	}
	return fmt.Errorf("backup: %w", err)
}

// backupSource is where a backup comes from.
type backupSource interface {
	copyTo(f *os.File, line *line) error
	blame() string // why it may have ended early
	Close() error
}

// open opens the state folder, or asks the run that has it open.
func (v stateBackupVerb) open(w *world, key *seal.Key) (backupSource, error) {
	s, err := openState(w, v.Dir, key)
	if err == nil {
		return ownStore{w, s}, nil
	}
	answer, err := whoHas(w, v.Dir, askBackup, err)
	if err != nil {
		return nil, err
	}
	return answerOf{answer}, nil
}

type ownStore struct {
	w *world
	*state.Badger
}

func (s ownStore) copyTo(f *os.File, line *line) error {
	_, err := s.Backup(s.w.ctx, f, func(b state.BackupStats) { line.show(fmt.Sprintf("%d records, %s", b.Records, bytesText(b.Bytes))) })
	return err
}

func (ownStore) blame() string { return "what was written cannot be read again" }

type answerOf struct{ io.ReadCloser }

func (a answerOf) copyTo(f *os.File, line *line) error {
	for n := int64(0); ; {
		m, err := io.CopyN(f, a, 1<<20)
		n += m
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line.show(bytesText(n))
	}
}

func (answerOf) blame() string { return "the run that uses it has ended meanwhile, or says why" }

type stateRestoreVerb struct {
	Out string `arg:"" name:"backup" help:"The backup."`
	Dir string `arg:"" help:"The state folder to be made: one that is empty or not there."`
	keyFlag
	BackupKey string `name:"backup-key" type:"given" placeholder:"FILE" help:"The key of the backup, where it is encrypted under another than --state-key, which is that of the folder made."`
	Plain     bool   `name:"plain" help:"Make a folder that is not encrypted, though a key is given or the backup is encrypted."`
}

// options are those of the folder that is made.
func (v stateRestoreVerb) options() (o state.Options, err error) {
	if o.Key, err = v.key(); err != nil {
		return o, err
	}
	o.BackupKey = o.Key
	if v.BackupKey != "" {
		o.BackupKey, err = readKey("--backup-key", v.BackupKey)
	}
	if v.Plain {
		o.Key = nil
	}
	return o, err
}

// Run makes a state folder of a backup.
func (v stateRestoreVerb) Run(w *world) error {
	f, err := openedFile(os.Open(v.Out))
	if err != nil {
		return err
	}
	defer f.Close()
	o, err := v.options()
	if err != nil {
		return err
	}
	line := newLine(w)
	stats, err := state.Restore(w.ctx, f, v.Dir, o, func(s state.BackupStats) { line.show(fmt.Sprintf("%d records", s.Records)) })
	line.clear()
	var wrong *state.BackupError
	var exists *state.ExistsError
	var space *state.SpaceError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("backup %s: %w; no state folder is made", v.Out, wrong)
	case errors.As(err, &space):
		return fmt.Errorf("no space left for %s: %d MiB free, %d MiB needed at least; nothing is kept of it", v.Dir, space.Free>>20, space.Need>>20)
	case errors.As(err, &exists), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		return usage(err)
	case err != nil:
		return refused(err)
	}
	_, err = fmt.Fprintf(w.stdout, "%s: epoch %d, %d records\n", v.Dir, stats.Epoch, stats.Records)
	return err
}
