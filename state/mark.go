package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// mark is what is known of journal and tree from outside of them: the last epoch that was
// reported complete, the last group that was taken over, and how far Badger's MANIFEST went then. A tree that goes less far
// has lost something, which the tree alone often does not show: Badger takes damage at
// the end of its logs for a write that was cut short, and forgets it.
type mark struct {
	epoch    uint64
	group    uint64 // the last that was whole in the tree
	manifest manifestEnd
	closed   bool // whoever had it open has closed it
	loose    bool // the disk was not waited for: after a power cut the last epochs can be gone
}

// manifestEnd is a place in one MANIFEST, which Badger appends to. Now and then it
// writes a new one, which begins differently.
type manifestEnd struct {
	head [8]byte // length and checksum of the first set of changes
	size int64   // bytes
}

const (
	markFile       = "EPOCH"
	manifestMagic  = 8 // bytes before the first set of changes
	markSize       = 8 + 8 + 8 + 8
	markClosed     = 1 << 63 // with the size of the MANIFEST
	markLoose      = 1 << 62 // likewise
	storedMarkSize = frameSize + markSize
)

func (m mark) append(b []byte) []byte {
	value := binary.BigEndian.AppendUint64(nil, m.epoch)
	value = binary.BigEndian.AppendUint64(value, m.group)
	value = append(value, m.manifest.head[:]...)
	size := uint64(m.manifest.size)
	if m.closed {
		size |= markClosed
	}
	if m.loose {
		size |= markLoose
	}
	return appendFrame(b, []byte(markFile), binary.BigEndian.AppendUint64(value, size))
}

// readMark reads the mark of a state directory.
func readMark(dir string) (m mark, err error) {
	stored, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, damaged(dir, errors.New(markFile+" is missing"))
	}
	if err != nil {
		return m, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	value, err := unframe(dir, []byte(markFile), stored)
	if err != nil || len(value) != markSize {
		return m, damaged(dir, errors.New(markFile+" is not what was written"))
	}
	m.epoch = binary.BigEndian.Uint64(value)
	m.group = binary.BigEndian.Uint64(value[8:])
	copy(m.manifest.head[:], value[16:])
	size := binary.BigEndian.Uint64(value[24:])
	m.manifest.size, m.closed, m.loose = int64(size&^(markClosed|markLoose)), size&markClosed != 0, size&markLoose != 0
	return m, nil
}

// marker writes the mark. It does so without waiting for the disk: a mark that is older
// than the tree only vouches for less, and after a killed process it is as written. Where
// the journal does not wait for the disk either it can be newer, and says so.
type marker struct {
	dir  string
	opt  *Options
	file *os.File

	mu   sync.Mutex
	last mark // as written

	closing bool // what is written from now on says that the directory is closed
}

// newMarker opens the mark of a state directory, or makes one.
func newMarker(dir string, opt *Options) (*marker, error) {
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &marker{dir: dir, opt: opt, file: f}, nil
}

// put says that epoch and group are complete, and never less than it said before. The mark
// is smaller than a sector and overwritten in place, so that no crash leaves a half.
func (m *marker) put(epoch, group uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	end, err := findManifestEnd(m.dir)
	if err != nil {
		return fmt.Errorf("mark epoch %d as complete: %w", epoch, err)
	}
	next := mark{max(epoch, m.last.epoch), max(group, m.last.group), end, m.closing, m.opt.NoSync && !m.opt.vouch}
	err = m.opt.around(BeforeMark, AfterMark, func() error {
		var buf [storedMarkSize]byte
		_, err := m.file.WriteAt(next.append(buf[:0]), 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark epoch %d as complete: %w", epoch, err)
	}
	m.last = next
	return nil
}

// verifyEpoch refuses a journal that ends before an epoch that was reported complete, unless
// the disk was not waited for: then that is what a power cut leaves.
func (s *Badger) verifyEpoch(known mark) error {
	if s.epoch >= known.epoch {
		return nil
	}
	if !known.loose {
		return damaged(s.dir, fmt.Errorf("epoch %d was complete, and the journal ends with epoch %d", known.epoch, s.epoch))
	}
	s.recovery.LeftOpen = true
	s.opt.Log.Warn("the last epochs are gone: they were written without waiting for the disk (--no-sync), and did not get there; what they read is read again",
		"dir", s.dir, "first", s.epoch+1, "last", known.epoch)
	return nil
}

// settle makes the disk hold what a run left that did not wait for it, so that the mark can
// vouch for it.
func (s *Badger) settle(known mark) error {
	if !known.loose || s.opt.NoSync {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(s.dir, journalDir, "*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(s.dir, journalDir)) {
		if err := syncPath(name); err != nil {
			return err
		}
	}
	return s.db.Sync()
}

// findManifestEnd says how far the MANIFEST goes now.
func findManifestEnd(dir string) (end manifestEnd, err error) {
	f, err := os.Open(filepath.Join(dir, treeDir, badger.ManifestFilename))
	if err != nil {
		return end, err
	}
	defer f.Close()
	if _, err := f.ReadAt(end.head[:], manifestMagic); err != nil {
		return end, fmt.Errorf("read its first changes: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return end, err
	}
	end.size = info.Size()
	return end, nil
}
