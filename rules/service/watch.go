package service

import (
	"context"
	"fmt"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run looks at the folders when something has changed in them, and now and then, until ctx
// is done. What does not check is logged, is Trouble, and leaves the set as it is.
func (s *Service) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the folders of rules: %w", err)
	}
	defer w.Close()
	s.watch(w)
	settled := time.NewTimer(s.o.Settle) // something may have changed since Open
	defer settled.Stop()
	poll := time.NewTicker(s.o.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return nil
			}
			settled.Reset(s.o.Settle)
		case err := <-w.Errors:
			s.o.Log.Warn("watching the folders of rules", "err", err)
			settled.Reset(s.o.Settle)
		case <-poll.C:
			s.watch(w) // one that was not there may have come, or come anew
			s.lookAgain(ctx)
		case <-settled.C:
			s.lookAgain(ctx)
		}
	}
}

// watch has what happens in the folders told. Of a rule file that is named itself the folder
// is watched: editors put another file in its place.
func (s *Service) watch(w *fsnotify.Watcher) {
	for _, path := range s.o.Folders {
		path = folderOf(path)
		if err := w.Add(path); err != nil {
			s.o.Log.Warn("a folder of rules is not watched, and looked at now and then", "folder", path, "err", err)
		}
	}
}

// lookAgain looks, and says what is wrong once.
func (s *Service) lookAgain(ctx context.Context) {
	was := s.Trouble()
	if _, err := s.Look(ctx); err != nil && err.Error() != was && ctx.Err() == nil {
		s.o.Log.Error("the rules in the folders are not taken; those in service stay", "err", err)
	}
}
