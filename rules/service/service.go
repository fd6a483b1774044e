package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/state"
)

// Applier is what runs the set: an [engine.Engine]. Swap puts another set in place of the
// one that runs, or leaves that alone and returns an error.
type Applier interface {
	Swap(ctx context.Context, set *plan.Set) (engine.Report, error)
}

// Store is where versions are kept: that of the engine, which says which set it runs.
type Store interface {
	Get(t state.Table, key, into []byte) ([]byte, bool, error)
	Scan(ctx context.Context, t state.Table, prefix, from []byte, visit func(key, value []byte) error) error
	Commit(ctx context.Context, b *state.Batch) error
}

// Options of a Service. Store must be there; the other zero values are good.
type Options struct {
	Store   Store
	Folders []string // of rule files, or such files; default none: the set is that of edits
	// Keep is how many versions are kept, the one in service included; default 100.
	Keep int
	// MaxBytes bounds the texts of all files of a set; default 16 MiB.
	MaxBytes int
	// Settle is how long nothing must have changed in the folders until they are looked at;
	// default 200 ms. Poll is how often they are looked at though nothing was said of them,
	// for not all file systems say so; default 30 s.
	Settle, Poll time.Duration
	// Past opens what rules are given before they are in service; nil: they are given nothing.
	Past OpenPast
	Now  func() time.Time // wall clock; default time.Now
	Log  *slog.Logger     // default: nothing is logged
}

func (o *Options) validate() error {
	if o.Store == nil {
		return errors.New("rules: a store is needed")
	}
	if o.Keep < 0 || o.MaxBytes < 0 || o.Settle < 0 || o.Poll < 0 {
		return errors.New("rules: versions to keep, bytes and times: none may be negative")
	}
	o.Keep, o.MaxBytes = cmp.Or(o.Keep, 100), cmp.Or(o.MaxBytes, 16<<20)
	o.Settle, o.Poll = cmp.Or(o.Settle, 200*time.Millisecond), cmp.Or(o.Poll, 30*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Service is the rule set in service.
type Service struct {
	o        Options
	mu       sync.Mutex // one change at a time; held while the engine makes it
	applier  Applier    // nil: it has not begun
	compiler lang.Compiler
	lists    *lookup.Files
	warm     warms

	look     sync.RWMutex // leaf: guards what follows, for those who look
	folders  layer
	edits    layer
	set      *plan.Set
	versions []Version // by number; the last is in service
	trouble  string    // why the folders, as they are, are not in service; empty: they are
}

// layer is files by name; nil hides the one of a lower layer.
type layer map[string]*string

// Open reads the folders and the versions of the store, and compiles the set to begin with:
// what the engine has run last, as far as edits made it, and the folders as they are now. The
// messages are those of the compiler; where there is an error there is no Service.
func Open(ctx context.Context, o Options) (*Service, source.Errors, error) {
	if err := o.validate(); err != nil {
		return nil, nil, err
	}
	s := &Service{o: o, lists: lookup.New(lookup.Options{Now: o.Now, Every: -1}), edits: layer{}, warm: warms{todo: make(chan *warming, 1)}}
	if err := s.restore(ctx); err != nil {
		return nil, nil, err
	}
	folders, messages := s.readFolders()
	if messages.HasErrors() {
		return nil, messages, messages.Err()
	}
	s.folders = folders
	set, messages, err := s.compile(s.folders, s.edits)
	if err != nil {
		return nil, messages, err
	}
	s.set = set
	if last := s.last(); last != nil && last.same(merge(s.folders, s.edits)) {
		return s, messages, nil
	}
	v := s.version(s.folders, s.edits, set, Edit{Author: FolderAuthor})
	if err := s.keep(ctx, v, s.folders, s.edits); err != nil {
		return nil, messages, err
	}
	s.versions = s.kept(v)
	return s, messages, nil
}

// FolderAuthor is the author of versions that come from changes in the folders.
const FolderAuthor = "folder"

// Begin says what runs the set, from now on. It runs the one that Set returns.
func (s *Service) Begin(a Applier) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applier = a
}

// Set is the compiled set in service.
func (s *Service) Set() *plan.Set {
	s.look.RLock()
	defer s.look.RUnlock()
	return s.set
}

// Current is the version in service.
func (s *Service) Current() Version {
	s.look.RLock()
	defer s.look.RUnlock()
	return s.versions[len(s.versions)-1]
}

// Versions are those that are kept, the newest first.
func (s *Service) Versions() []Version {
	s.look.RLock()
	defer s.look.RUnlock()
	all := slices.Clone(s.versions)
	slices.Reverse(all)
	return all
}

// Trouble says why the folders, as they were at the last look, are not in service; empty:
// they are.
func (s *Service) Trouble() string {
	s.look.RLock()
	defer s.look.RUnlock()
	return s.trouble
}

// Files are the files in service, by name.
func (s *Service) Files() []File {
	s.look.RLock()
	defer s.look.RUnlock()
	return files(s.folders, s.edits)
}

// File is a rule file of a version.
type File struct {
	Name, Text string
	Edited     bool // an edit has put it; else it is of a folder
}

func files(folders, edits layer) []File {
	var all []File
	for name, text := range merge(folders, edits) {
		all = append(all, File{Name: name, Text: *text, Edited: edits[name] != nil})
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// merge lays edits over the folders.
func merge(folders, edits layer) layer {
	all := layer{}
	for name, text := range folders {
		all[name] = text
	}
	for name, text := range edits {
		if all[name] = text; text == nil {
			delete(all, name)
		}
	}
	return all
}

func (s *Service) last() *Version {
	if len(s.versions) == 0 {
		return nil
	}
	return &s.versions[len(s.versions)-1]
}

// InvalidError says that a set does not check; it is left as it is, and what runs too.
type InvalidError struct{ Messages source.Errors }

// Error lists the messages.
func (e *InvalidError) Error() string { return e.Messages.Error() }

// LimitError says that a set is too large.
type LimitError struct {
	What       string // bytes or files
	Have, Most int
}

// Error says so.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the rule set has %d %s; at most %d", e.Have, e.What, e.Most)
}

// compile compiles all files of a set, or none.
func (s *Service) compile(folders, edits layer) (*plan.Set, source.Errors, error) {
	list, err := s.listed(merge(folders, edits))
	if err != nil {
		return nil, nil, err
	}
	set, messages := s.compiler.Compile(list, s.reader(folders, edits))
	if messages.HasErrors() {
		return nil, messages, &InvalidError{messages}
	}
	return set, messages, nil
}

// listed are the files of a set that is not too large, in order.
func (s *Service) listed(all layer) (list []*source.File, err error) {
	bytes := 0
	for name, text := range all {
		list = append(list, &source.File{Name: name, Text: *text})
		bytes += len(*text)
	}
	if bytes > s.o.MaxBytes {
		return nil, &LimitError{What: "bytes", Have: bytes, Most: s.o.MaxBytes}
	}
	if len(list) > source.MaxFiles {
		return nil, &LimitError{What: "files", Have: len(list), Most: source.MaxFiles}
	}
	slices.SortFunc(list, func(a, b *source.File) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// reader reads the files of lists and tables that rules may read: whoever writes in the
// folders may name any, an edit those of the folders, and those that they name.
func (s *Service) reader(folders, edits layer) func(*plan.File) (*plan.Contents, error) {
	var named map[string]bool // by the folders' own rules; nil: not looked for yet
	return func(f *plan.File) (*plan.Contents, error) {
		if !edits.puts() || s.isBelow(f.At) {
			return s.lists.Read(f)
		}
		if named == nil {
			named = s.namedBy(folders)
		}
		if named[f.At] {
			return s.lists.Read(f)
		}
		return nil, errors.New("it is in none of the folders of the rules")
	}
}

// puts reports whether an edit has put a file.
func (l layer) puts() bool {
	for _, text := range l {
		if text != nil {
			return true
		}
	}
	return false
}

// isBelow reports whether a file is in one of the folders, or beside a rule file that is
// named itself.
func (s *Service) isBelow(path string) bool {
	for _, folder := range s.o.Folders {
		if rel, err := filepath.Rel(folderOf(folder), path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// folderOf is the folder that a path names, or that of the rule file that it names.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// namedBy are the files of lists and tables that the rules of the folders name, as far as
// they can be compiled without the edits.
func (s *Service) namedBy(folders layer) map[string]bool {
	named := map[string]bool{}
	list, err := s.listed(folders)
	if err != nil {
		return named
	}
	_, _ = lang.CompileWith(list, func(f *plan.File) (*plan.Contents, error) {
		named[f.At] = true
		return s.lists.Read(f)
	})
	return named
}

// readFolders reads what lies in the folders.
func (s *Service) readFolders() (layer, source.Errors) {
	read, messages := source.Read(s.o.Folders)
	all := layer{}
	for _, f := range read {
		all[filepath.ToSlash(f.Name)] = &f.Text
	}
	return all, messages
}
