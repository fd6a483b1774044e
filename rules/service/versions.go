package service

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// Version is a set that was put into service.
type Version struct {
	Number uint64        `json:"number"` // from 1
	Set    string        `json:"set"`    // names the meaning: plan.Set.Version
	Author string        `json:"author"`
	Note   string        `json:"note,omitempty"`
	Time   time.Time     `json:"time"`
	Files  []VersionFile `json:"files"`            // by name
	Hidden []string      `json:"hidden,omitempty"` // files of folders that are not in it
}

// VersionFile is a file of a version.
type VersionFile struct {
	Name   string `json:"name"`
	Hash   string `json:"hash"`             // SHA-256 of the text, hexadecimal
	Edited bool   `json:"edited,omitempty"` // see File
}

// ErrNoVersion says that a version is not kept, or never was.
var ErrNoVersion = errors.New("there is no such version")

// What TableMeta holds of a Service:
//
//	"version.", number, 8 bytes  the Version, as JSON
//	"text.", hash                the text of a rule file
const (
	metaVersion = "version."
	metaText    = "text."
)

func versionKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte(metaVersion), n) }

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// same reports whether the files of a version are those, byte for byte.
func (v *Version) same(all layer) bool {
	if len(v.Files) != len(all) {
		return false
	}
	for _, f := range v.Files {
		if text := all[f.Name]; text == nil || hashOf(*text) != f.Hash {
			return false
		}
	}
	return true
}

// version makes the next version.
func (s *Service) version(folders, edits layer, set *plan.Set, e Edit) Version {
	v := Version{Number: 1, Set: set.Version, Author: e.Author, Note: e.Note, Time: s.o.Now().UTC()}
	if last := s.last(); last != nil {
		v.Number = last.Number + 1
	}
	for _, f := range files(folders, edits) {
		v.Files = append(v.Files, VersionFile{Name: f.Name, Hash: hashOf(f.Text), Edited: f.Edited})
	}
	for name, text := range edits {
		if text == nil {
			v.Hidden = append(v.Hidden, name)
		}
	}
	slices.Sort(v.Hidden)
	return v
}

// kept are the versions that are kept with another one.
func (s *Service) kept(v Version) []Version {
	all := append(slices.Clone(s.versions), v)
	return all[max(0, len(all)-s.o.Keep):]
}

// keep makes a version durable. Those that are too many, and texts that no other has, go
// with the same epoch.
func (s *Service) keep(ctx context.Context, v Version, folders, edits layer) error {
	record, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("version %d of the rules: %w", v.Number, err)
	}
	var b state.Batch
	kept := s.kept(v)
	needed := hashesOf(kept)
	for _, old := range s.versions {
		if old.Number < kept[0].Number {
			b.Delete(state.TableMeta, versionKey(old.Number))
			deleteTexts(&b, old, needed)
		}
	}
	there := hashesOf(s.versions)
	for _, text := range merge(folders, edits) {
		if hash := hashOf(*text); !there[hash] {
			b.Put(state.TableMeta, []byte(metaText+hash), []byte(*text))
		}
	}
	b.Put(state.TableMeta, versionKey(v.Number), record)
	if err := s.o.Store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("keep version %d of the rules: %w", v.Number, err)
	}
	return nil
}

func hashesOf(versions []Version) map[string]bool {
	all := map[string]bool{}
	for _, v := range versions {
		for _, f := range v.Files {
			all[f.Hash] = true
		}
	}
	return all
}

// deleteTexts deletes the texts of a version that no other needs.
func deleteTexts(b *state.Batch, v Version, needed map[string]bool) {
	for _, f := range v.Files {
		if !needed[f.Hash] {
			b.Delete(state.TableMeta, []byte(metaText+f.Hash))
		}
	}
}

// forget deletes a version that was never in service. Where the run has ended that is not
// known, and the next start finds out.
func (s *Service) forget(ctx context.Context, v Version, why error) error {
	if errors.Is(why, engine.ErrEnded) {
		return nil
	}
	var b state.Batch
	b.Delete(state.TableMeta, versionKey(v.Number))
	deleteTexts(&b, v, hashesOf(s.versions))
	return s.o.Store.Commit(ctx, &b)
}

// restore reads the versions up to the one that the engine has run last, and takes back the
// edits that were in force then. Later ones never ran, and go.
func (s *Service) restore(ctx context.Context) error {
	ran, err := engine.StoredSet(s.o.Store)
	if err != nil {
		return err
	}
	var all []Version
	err = s.o.Store.Scan(ctx, state.TableMeta, []byte(metaVersion), nil, func(_, value []byte) error {
		var v Version
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("a version of the rules: %w", err)
		}
		all = append(all, v)
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	n := len(all) - 1
	for i, v := range slices.Backward(all) {
		if v.Set == ran {
			n = i
			break
		}
	}
	s.versions = all[:n+1]
	for _, v := range all[n+1:] {
		if err := s.forget(ctx, v, nil); err != nil {
			return err
		}
	}
	return s.restoreEdits()
}

func (s *Service) restoreEdits() error {
	last := s.last()
	texts, err := s.texts(last.Number)
	if err != nil {
		return err
	}
	for _, f := range last.Files {
		if f.Edited {
			s.edits[f.Name] = texts[f.Name]
		}
	}
	for _, name := range last.Hidden {
		s.edits[name] = nil
	}
	return nil
}

// texts are the files of a version.
func (s *Service) texts(number uint64) (layer, error) {
	i := slices.IndexFunc(s.versions, func(v Version) bool { return v.Number == number })
	if i < 0 {
		return nil, fmt.Errorf("version %d: %w", number, ErrNoVersion)
	}
	all := layer{}
	for _, f := range s.versions[i].Files {
		b, ok, err := s.o.Store.Get(state.TableMeta, []byte(metaText+f.Hash), nil)
		if err != nil || !ok {
			return nil, fmt.Errorf("file %s of version %d: %w", f.Name, number, errors.Join(err, ErrNoVersion))
		}
		text := string(b)
		all[f.Name] = &text
	}
	return all, nil
}

// FilesOf are the files of a version that is kept, by name.
func (s *Service) FilesOf(number uint64) ([]File, error) {
	s.look.RLock()
	defer s.look.RUnlock()
	texts, err := s.texts(number)
	if err != nil {
		return nil, err
	}
	edited := s.editedIn(number)
	var all []File
	for name, text := range texts {
		all = append(all, File{Name: name, Text: *text, Edited: edited[name]})
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// editedIn are the names of the files that an edit had put in a version that is kept.
func (s *Service) editedIn(number uint64) map[string]bool {
	names := map[string]bool{}
	for i := range s.versions {
		if s.versions[i].Number != number {
			continue
		}
		for _, f := range s.versions[i].Files {
			names[f.Name] = f.Edited
		}
	}
	return names
}
