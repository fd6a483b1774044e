package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ballastFile is room that is kept for the end. A disk that is full reaches Badger's mapped
// files as a signal that no code survives, so commits stop while there is room left; but
// others fill the same disk, and to close the tree, or to open it after a crash, takes room
// too: the ballast is given back for that.
const ballastFile = "BALLAST"

// spare is how much room must be left when an epoch is committed, in bytes: six write
// buffers, for the log, a flush and a compaction. The ballast is as large.
func (o *Options) spare() uint64 { return uint64(6 * o.MemTable) }

// roomToOpen refuses to open a tree that there is no room for, even without the ballast.
func (s *Badger) roomToOpen() error {
	free, err := s.free()
	if err != nil || free >= s.opt.spare() {
		return err
	}
	if err := s.dropBallast(); err != nil {
		return err
	}
	if free, err = s.free(); err != nil || free >= s.opt.spare() {
		return err
	}
	return &SpaceError{Dir: s.dir, Free: free, Need: s.opt.spare(), Opening: true}
}

// roomToClose gives the ballast back where the last flush might not find room.
func (s *Badger) roomToClose() error {
	free, err := s.free()
	if err != nil || free >= s.opt.spare() {
		return err
	}
	return s.dropBallast()
}

func (s *Badger) free() (uint64, error) {
	free, err := s.opt.FreeSpace(s.dir)
	if err != nil {
		return 0, fmt.Errorf("look at the free space of state directory %s: %w", s.dir, err)
	}
	return free, nil
}

// putBallast makes the ballast where there is room for it; where there is none, commits
// leave as much room instead.
func (s *Badger) putBallast() error {
	path, size := filepath.Join(s.dir, ballastFile), int64(s.opt.spare())
	info, err := os.Stat(path)
	if err == nil && info.Size() == size && hasBlocks(info) {
		s.ballast = true
		return nil
	}
	free, err := s.free()
	if err != nil || free < 2*s.opt.spare() {
		return err
	}
	return s.opt.around(BeforeBallast, AfterBallast, func() error {
		if err := makeBallast(path, size); err != nil {
			s.opt.Log.Warn("no ballast against a full disk", "dir", s.dir, "err", err)
			return s.dropBallast()
		}
		s.ballast = true
		return nil
	})
}

func makeBallast(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(allocate(f, size), f.Close())
}

func (s *Badger) dropBallast() error {
	return s.opt.around(BeforeBallast, AfterBallast, func() error {
		s.ballast = false
		err := os.Remove(filepath.Join(s.dir, ballastFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give the ballast of state directory %s back: %w", s.dir, err)
		}
		return nil
	})
}

// writeZeros gives f blocks on the disk the slow way.
func writeZeros(f *os.File, size int64) error {
	block := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
