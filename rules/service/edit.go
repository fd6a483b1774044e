package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// Edit is a change of the files of the set.
type Edit struct {
	Author, Note string
	// Expected is the number of the version that the author has seen; 0: any.
	Expected uint64
	Put      map[string]string // texts by name
	Delete   []string
	Whole    bool // Put is all there is to be: what else there is is deleted

	warm *engine.Warmup // of its rules; nil: they begin with nothing remembered
}

// Result says what a change did.
type Result struct {
	Version  Version // in service now
	Changed  bool    // else no byte of the files was another, and nothing happened
	Report   engine.Report
	Warnings source.Errors
}

// ConflictError says that another version is in service than the one expected.
type ConflictError struct{ Expected, Current uint64 }

// Error says so.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("version %d is expected, and version %d is in service: look at what has changed, and try again", e.Expected, e.Current)
}

// NameError says that a file cannot have a name.
type NameError struct{ Name, Why string }

// Error says so.
func (e *NameError) Error() string { return fmt.Sprintf("file name %q: %s", e.Name, e.Why) }

// Edit changes the set in service, or returns an error and changes nothing: an
// [*InvalidError] with all that is wrong with the files, a [*ConflictError], a [*NameError], a
// [*LimitError], [ErrNoFile], or an error of the store or the engine.
func (s *Service) Edit(ctx context.Context, e Edit) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edits, err := s.edited(e)
	if err != nil {
		return Result{}, err
	}
	return s.change(ctx, s.folders, edits, e)
}

// Check does what Edit does, but for putting the set in service.
func (s *Service) Check(e Edit) (*plan.Set, source.Errors, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edits, err := s.edited(e)
	if err != nil {
		return nil, nil, err
	}
	return s.compile(s.folders, edits)
}

// ErrNoFile says that a file to be deleted is not there.
var ErrNoFile = errors.New("there is no such rule file")

// edited lays an edit over those that there are.
func (s *Service) edited(e Edit) (layer, error) {
	if err := s.expect(e.Expected); err != nil {
		return nil, err
	}
	edits := maps.Clone(s.edits)
	all := merge(s.folders, s.edits)
	if e.Whole {
		for name := range all {
			s.hide(edits, name)
		}
	}
	for _, name := range e.Delete {
		if all[name] == nil {
			return nil, fmt.Errorf("%s: %w", name, ErrNoFile)
		}
		s.hide(edits, name)
	}
	for name, text := range e.Put {
		if err := s.mayBeNamed(name, all); err != nil {
			return nil, err
		}
		if len(text) > source.MaxFileSize {
			return nil, &LimitError{What: "bytes in " + name, Have: len(text), Most: source.MaxFileSize}
		}
		edits[name] = &text
	}
	return edits, nil
}

// hide takes a file out of the set.
func (s *Service) hide(edits layer, name string) {
	delete(edits, name)
	if s.folders[name] != nil {
		edits[name] = nil
	}
}

// maxName is the greatest length of a name, in bytes.
const maxName = 255

// mayBeNamed says why a file cannot have a name; any that there is is well.
func (s *Service) mayBeNamed(name string, all layer) error {
	switch {
	case all[name] != nil || s.folders[name] != nil:
	case !strings.HasSuffix(name, source.Extension):
		return &NameError{name, "it must end in " + source.Extension}
	case len(name) > maxName:
		return &NameError{name[:maxName], fmt.Sprintf("it is longer than %d bytes", maxName)}
	case !fs.ValidPath(name) || strings.ContainsAny(name, "\\:") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		return &NameError{name, "it must be a relative path without . and .. in it"}
	}
	return nil
}

func (s *Service) expect(version uint64) error {
	if now := s.last().Number; version != 0 && version != now {
		return &ConflictError{Expected: version, Current: now}
	}
	return nil
}

// change compiles the files of two layers, keeps them as a version and has the engine run
// them.
func (s *Service) change(ctx context.Context, folders, edits layer, e Edit) (Result, error) {
	all := merge(folders, edits)
	if s.last().same(all) {
		s.look.Lock()
		defer s.look.Unlock()
		s.folders, s.edits = folders, edits
		return Result{Version: *s.last()}, nil
	}
	set, messages, err := s.compile(folders, edits)
	if err != nil {
		return Result{}, err
	}
	v := s.version(folders, edits, set, e)
	if err := s.keep(ctx, v, folders, edits); err != nil {
		return Result{}, err
	}
	r := Result{Version: v, Changed: true, Warnings: messages}
	if s.applier != nil {
		if r.Report, err = s.swap(ctx, set, &e); err != nil {
			return Result{}, errors.Join(err, s.forget(context.WithoutCancel(ctx), v, err))
		}
	}
	s.look.Lock()
	defer s.look.Unlock()
	s.folders, s.edits, s.set, s.versions = folders, edits, set, s.kept(v)
	s.o.Log.Info("rule set changed", "version", v.Number, "set", v.Set, "author", v.Author, "rules", len(set.Rules))
	return r, nil
}

// Rollback puts the files of an earlier version in service again, as a version of its own.
// expected is as in an Edit.
func (s *Service) Rollback(ctx context.Context, number uint64, author string, expected uint64) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expect(expected); err != nil {
		return Result{}, err
	}
	texts, err := s.texts(number)
	if err != nil {
		return Result{}, err
	}
	edits := layer{}
	for name := range s.folders {
		if texts[name] == nil {
			edits[name] = nil
		}
	}
	for name, text := range texts {
		if was := s.folders[name]; was == nil || *was != *text {
			edits[name] = text
		}
	}
	return s.change(ctx, s.folders, edits, Edit{Author: author, Note: fmt.Sprintf("back to version %d", number)})
}

// Look reads the folders, and puts what has changed in them in service.
func (s *Service) Look(ctx context.Context) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	folders, messages := s.readFolders()
	r, err := Result{}, error(nil)
	if messages.HasErrors() {
		err = &InvalidError{messages}
	} else {
		r, err = s.change(ctx, folders, s.edits, Edit{Author: FolderAuthor})
	}
	s.look.Lock()
	defer s.look.Unlock()
	if s.trouble = ""; err != nil {
		s.trouble = err.Error()
	}
	return r, err
}
