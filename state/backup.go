package state

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// A backup is one stream, which does not depend on how Badger keeps the records:
//
//	cepheus-backup 1 of state 3 LF   its own format, and that of the state directory
//	epoch                            8 bytes, big-endian
//	length, key, length, stored …    lengths as varints; key is table and key, stored frame and value
//	0                                no more records
//	count                            8 bytes, big-endian
//	checksum                         SHA-256 of all before it
//
// Where the state directory is encrypted, the backup is too, under the same key: the head
// "cepheus-backup 1 of state 3 encrypted" LF, and a seal stream of all that.
//
// Records are in the order of their keys, as of the epoch. The store's own marker is none
// of them.
const (
	backupMagic   = "cepheus-backup "
	backupVersion = "1"
	backupHead    = backupMagic + backupVersion + " of state " + Format + "\n"
	backupBuffer  = 1 << 20

	sealedBackupHead = backupMagic + backupVersion + " of state " + Format + encryptedEnd + "\n"
)

// BackupStats says what is in a backup, or how much of it so far.
type BackupStats struct {
	Epoch   uint64 // whose end it is
	Records uint64
	Bytes   int64 // of the stream
}

// BackupError says that a stream is no backup that can be restored.
type BackupError struct{ Reason string }

// Error says what was found.
func (e *BackupError) Error() string { return e.Reason }

// Backup writes what the store holds as of its last complete epoch. Commits go on
// meanwhile: none is held up by it, nor is in it. Every record's frame is verified, so
// that no damage gets into a backup unseen. progress, which may be nil, is called now and
// then.
func (s *Badger) Backup(ctx context.Context, to io.Writer, progress func(BackupStats)) (BackupStats, error) {
	it, epoch, done, err := s.snapshotOfAll(ctx)
	if err != nil {
		return BackupStats{}, err
	}
	defer done()
	sealed, end, err := s.sealBackup(to)
	if err != nil {
		return BackupStats{}, fmt.Errorf("write a backup of %s: %w", s.dir, err)
	}
	w := newBackupWriter(sealed, epoch)
	for it.Rewind(); it.Valid() && w.err == nil; it.Next() {
		if err := ctx.Err(); err != nil {
			return w.stats(), err
		}
		if err := s.backUp(w, it.Item()); err != nil {
			return w.stats(), err
		}
		if progress != nil && w.records%4096 == 0 {
			progress(w.stats())
		}
	}
	if err := errors.Join(w.end(), end()); err != nil {
		return w.stats(), fmt.Errorf("write a backup of %s: %w", s.dir, err)
	}
	return w.stats(), nil
}

// sealBackup begins the stream of an encrypted backup; end is called behind all that is
// written to it. Of a directory that is not encrypted the backup is not either.
func (s *Badger) sealBackup(to io.Writer) (sealed io.Writer, end func() error, err error) {
	if s.opt.Key == nil {
		return to, func() error { return nil }, nil
	}
	if _, err := io.WriteString(to, sealedBackupHead); err != nil {
		return nil, nil, err
	}
	w, err := seal.NewWriter(to, s.opt.Key)
	if err != nil {
		return nil, nil, err
	}
	return w, w.Close, nil
}

func (s *Badger) backUp(w *backupWriter, item *badger.Item) error {
	key := item.Key()
	if key[0] == byte(tableMarker) {
		return nil
	}
	err := item.Value(func(stored []byte) error {
		if _, err := unframe(s.dir, key, stored); err != nil {
			return err
		}
		w.record(key, stored)
		return nil
	})
	if err != nil && !isCorrupt(err) {
		return corrupt(s.dir, key, err.Error())
	}
	return err
}

func isCorrupt(err error) bool {
	c := (*CorruptError)(nil)
	return errors.As(err, &c)
}

// snapshotOfAll takes over what is pending, and returns an iterator over all tables, with
// its epoch.
func (s *Badger) snapshotOfAll(ctx context.Context) (it *badger.Iterator, epoch uint64, done func(), err error) {
	err = s.settled(ctx, func() error {
		v, err := s.viewOfTree(nil)
		if err != nil {
			return err
		}
		it, done = v.tree, v.close
		if _, epoch, err = s.readMarker(markerKey); err != nil {
			v.close()
		}
		return err
	})
	return it, epoch, done, err
}

// backupWriter writes a backup; its first error stays.
type backupWriter struct {
	to      *bufio.Writer
	sum     hash.Hash
	epoch   uint64
	records uint64
	bytes   int64
	scratch []byte
	err     error
}

func newBackupWriter(to io.Writer, epoch uint64) *backupWriter {
	w := &backupWriter{sum: sha256.New(), epoch: epoch}
	w.to = bufio.NewWriterSize(io.MultiWriter(to, w.sum), backupBuffer)
	w.write(binary.BigEndian.AppendUint64([]byte(backupHead), epoch))
	return w
}

func (w *backupWriter) stats() BackupStats {
	return BackupStats{Epoch: w.epoch, Records: w.records, Bytes: w.bytes}
}

func (w *backupWriter) write(b []byte) {
	if w.err == nil {
		_, w.err = w.to.Write(b)
		w.bytes += int64(len(b))
	}
}

func (w *backupWriter) record(key, stored []byte) {
	w.records++
	for _, b := range [][]byte{key, stored} {
		w.scratch = binary.AppendUvarint(w.scratch[:0], uint64(len(b)))
		w.write(w.scratch)
		w.write(b)
	}
}

func (w *backupWriter) end() error {
	w.write(binary.BigEndian.AppendUint64([]byte{0}, w.records))
	if w.err == nil {
		w.err = w.to.Flush() // all of it goes into the sum
	}
	w.write(w.sum.Sum(nil))
	if w.err != nil {
		return w.err
	}
	return w.to.Flush()
}

// backupReader reads a backup. What it gives is to be believed when its end has come
// without an error.
type backupReader struct {
	from        *bufio.Reader
	sum         hash.Hash
	stats       BackupStats
	key, stored []byte
}

// newBackupReader reads the head. The key, which may be nil, opens a backup that is encrypted.
func newBackupReader(from io.Reader, key *seal.Key) (*backupReader, error) {
	raw := bufio.NewReaderSize(from, backupBuffer)
	r := &backupReader{from: raw, sum: sha256.New()}
	if head, _ := raw.Peek(len(sealedBackupHead)); string(head) == sealedBackupHead {
		opened, err := openSealed(raw, key)
		if err != nil {
			return nil, err
		}
		r.from = bufio.NewReaderSize(opened, backupBuffer)
	}
	head := make([]byte, len(backupHead))
	n, err := io.ReadFull(r, head)
	if err != nil && !atEnd(err) {
		return nil, err
	}
	if string(head[:n]) != backupHead {
		return nil, headError(string(head[:n]))
	}
	r.stats.Epoch, err = r.number()
	return r, err
}

// openSealed opens an encrypted backup.
func openSealed(from *bufio.Reader, key *seal.Key) (io.Reader, error) {
	if key == nil {
		return nil, &KeyError{Why: KeyMissing}
	}
	if _, err := from.Discard(len(sealedBackupHead)); err != nil {
		return nil, err
	}
	opened, err := seal.NewReader(from, key)
	switch {
	case errors.Is(err, seal.ErrKey):
		return nil, &KeyError{Why: KeyWrong}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &BackupError{"it ends early, in its head"}
	}
	return opened, err
}

func headError(found string) error {
	found, _, _ = strings.Cut(found, "\n")
	if !strings.HasPrefix(found, backupMagic) {
		return &BackupError{"it is not a backup of a state directory"}
	}
	return &BackupError{fmt.Sprintf("it has format %q, this release reads %q; restore it with the release that wrote it", found, strings.TrimSpace(backupHead))}
}

func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// Read reads what goes into the checksum.
func (r *backupReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.sum.Write(b[:n])
	r.stats.Bytes += int64(n)
	return n, err
}

// ReadByte is Read of one.
func (r *backupReader) ReadByte() (byte, error) {
	c, err := r.from.ReadByte()
	if err == nil {
		r.sum.Write([]byte{c})
		r.stats.Bytes++
	}
	return c, err
}

// next reads a record; false at the end, which is verified. Key and stored are valid until
// the next call.
func (r *backupReader) next() (more bool, err error) {
	if r.key, err = r.bytes(r.key, MaxKey+1); err != nil {
		return false, err
	}
	if len(r.key) == 0 {
		return false, r.end()
	}
	if r.stored, err = r.bytes(r.stored, MaxValue+frameSize); err != nil {
		return false, err
	}
	r.stats.Records++
	return true, nil
}

// bytes reads a length and as many bytes, into the memory of into.
func (r *backupReader) bytes(into []byte, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	switch {
	case err != nil && atEnd(err):
		return nil, r.short()
	case err != nil && !ofDisk(err): // it has no end
		return nil, damagedBackup()
	case err != nil:
		return nil, err
	case n > most:
		return nil, damagedBackup()
	}
	if uint64(cap(into)) < n {
		into = make([]byte, n, n+n/2)
	}
	into = into[:n]
	if _, err := io.ReadFull(r, into); atEnd(err) {
		return nil, r.short()
	} else if err != nil {
		return nil, err
	}
	return into, nil
}

func ofDisk(err error) bool {
	p := (*fs.PathError)(nil)
	return errors.As(err, &p)
}

func (r *backupReader) number() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); atEnd(err) {
		return 0, r.short()
	} else if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

func (r *backupReader) end() error {
	n, err := r.number()
	if err != nil {
		return err
	}
	want := r.sum.Sum(nil)
	sum := make([]byte, len(want))
	if _, err := io.ReadFull(r, sum); atEnd(err) {
		return r.short()
	} else if err != nil {
		return err
	}
	if n != r.stats.Records || !bytes.Equal(sum, want) {
		return damagedBackup()
	}
	if _, err := r.from.ReadByte(); err == nil {
		return &BackupError{"it goes on behind its checksum"}
	}
	return nil
}

func (r *backupReader) short() error {
	return &BackupError{fmt.Sprintf("it ends early, after %d bytes and %d records", r.stats.Bytes, r.stats.Records)}
}

func damagedBackup() error {
	return &BackupError{"it is damaged: its checksum does not match"}
}

// CheckBackup reads a backup to its end. The error is a *BackupError where it is not
// whole, a *KeyError where the key does not open it; one that is not encrypted needs none.
func CheckBackup(ctx context.Context, from io.Reader, key *seal.Key, progress func(BackupStats)) (BackupStats, error) {
	return readBackup(ctx, from, key, progress, nil)
}

// readBackup reads a backup and gives each record to visit.
func readBackup(ctx context.Context, from io.Reader, key *seal.Key, progress func(BackupStats), visit func(r *backupReader) error) (BackupStats, error) {
	stats, err := readRecords(ctx, from, key, progress, visit)
	if errors.Is(err, seal.ErrKey) { // the key opened its head
		err = damagedBackup()
	}
	return stats, err
}

func readRecords(ctx context.Context, from io.Reader, key *seal.Key, progress func(BackupStats), visit func(r *backupReader) error) (BackupStats, error) {
	r, err := newBackupReader(from, key)
	if err != nil {
		return BackupStats{}, err
	}
	for {
		more, err := r.next()
		if err != nil || !more {
			return r.stats, err
		}
		if err := ctx.Err(); err != nil {
			return r.stats, err
		}
		if _, err := unframe("", r.key, r.stored); err != nil {
			return r.stats, damagedBackup()
		}
		if visit != nil {
			if err := visit(r); err != nil {
				return r.stats, err
			}
		}
		if progress != nil && r.stats.Records%4096 == 0 {
			progress(r.stats)
		}
	}
}

// Restore makes dir a state directory that holds what a backup does, as of its epoch. dir
// must not be there, or be empty. It is made beside where it will be, under another name
// that begins with a dot, and gets its own when all is there and the checksum matches:
// what was cut short is never taken for a whole one. It is encrypted under o.Key, or not at
// all where that is nil, whatever the backup is.
func Restore(ctx context.Context, from io.Reader, dir string, o Options, progress func(BackupStats)) (stats BackupStats, err error) {
	if err := checkRoomFor(dir); err != nil {
		return stats, err
	}
	made, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(filepath.Clean(dir))+".restore-*")
	if err != nil {
		return stats, fmt.Errorf("restore: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(made))
		}
	}()
	if stats, err = restoreInto(ctx, from, made, o, progress); err != nil {
		return stats, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty
		return stats, fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(made, dir); err != nil {
		return stats, fmt.Errorf("restore: %w", err)
	}
	return stats, syncPath(filepath.Dir(filepath.Clean(dir)))
}

// checkRoomFor refuses to restore over anything.
func checkRoomFor(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	case len(entries) > 0:
		return &ExistsError{Path: dir, Found: entries[0].Name()}
	}
	return nil
}

// ExistsError says that something is where a backup or a restored directory is to be.
type ExistsError struct {
	Path  string
	Found string // what is in the directory; empty: it is a file
}

// Error names it, and the mend.
func (e *ExistsError) Error() string {
	if e.Found == "" {
		return e.Path + " is there already and is not overwritten; name another, or remove it first"
	}
	return fmt.Sprintf("%s is not empty (it holds %s) and is not overwritten; name a folder that is empty or not there", e.Path, e.Found)
}

// restoreInto makes a state directory of a backup.
func restoreInto(ctx context.Context, from io.Reader, dir string, o Options, progress func(BackupStats)) (BackupStats, error) {
	o.NoSync = true // it counts when all is there: see below
	s, err := OpenBadger(dir, o)
	if err != nil {
		return BackupStats{}, err
	}
	stats, err := s.load(ctx, from, progress)
	if err = errors.Join(err, s.Close()); err != nil {
		return stats, err
	}
	return stats, syncAll(dir)
}

// load writes the records of a backup with its epoch.
func (s *Badger) load(ctx context.Context, from io.Reader, progress func(BackupStats)) (BackupStats, error) {
	var w *writer
	var loaded int64
	stats, err := readBackup(ctx, from, cmp.Or(s.opt.BackupKey, s.opt.Key), progress, func(r *backupReader) error {
		if w == nil {
			w = s.newWriter(s.seen + 1)
		}
		if loaded -= int64(len(r.stored)); loaded < 0 { // now and then: a full disk is a signal, not an error
			if err := s.checkSpace(s.need(&Batch{})); err != nil {
				return err
			}
			loaded = s.opt.MemTable / 4
		}
		return w.add(bytes.Clone(r.key), bytes.Clone(r.stored))
	})
	if err != nil || stats.Epoch == 0 {
		return stats, err
	}
	if w == nil {
		w = s.newWriter(s.seen + 1)
	}
	if err := w.complete(stats.Epoch); err != nil {
		return stats, err
	}
	s.mu.Lock()
	s.epoch, s.group, s.seen = stats.Epoch, w.group, w.group
	s.mu.Unlock()
	s.db.SetDiscardTs(w.group)
	return stats, s.putMark()
}

// syncAll waits until every file below dir is on the disk.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}
