package engine

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// Files looks at the files that lists and tables of the rule set come from. The engine
// asks between two epochs, in one goroutine: what a look costs, it waits for.
type Files interface {
	// Look returns the contents of a file that is not what it was, have being those in
	// use; nil: there is nothing new. Contents and errors are returned once for each
	// state of the file; the engine may refuse contents that do not fit. What is returned
	// is never changed.
	Look(f *plan.File, have *plan.Contents) (*plan.Contents, error)
}

// FileStats says what a list or table from a file holds.
type FileStats struct {
	Name, Path string
	Hash       string // SHA-256 of the contents in use, hexadecimal
	Rows       int
	Changes    uint64 // new contents taken in this run
	LastError  string // why a state of the file was last not taken; empty since one was
}

// files is what the engine knows of the files of its set, by place in Set.Files.
type files struct {
	have   []*plan.Contents // in use
	stored []string         // hashes that the store has
}

// openFiles says what the files of a set held at load.
func openFiles(set *plan.Set) (f files, stats []FileStats) {
	for _, d := range set.Files {
		f.have = append(f.have, d.Contents)
		stats = append(stats, FileStats{Name: d.Name, Path: d.Path, Hash: d.Contents.Hash, Rows: d.Contents.Rows()})
	}
	f.stored = make([]string, len(f.have))
	return f, stats
}

// lookAtFiles takes what has changed in the files, each whole or not at all. It is
// called between two epochs: nothing is in the shards, and no work for them waits.
func (e *Engine) lookAtFiles() {
	if e.o.Files == nil {
		return
	}
	fresh := slices.Clone(e.world.Files)
	changed := false
	for i, f := range e.o.Set.Files {
		c, err := e.o.Files.Look(f, e.files.have[i])
		if err == nil && c != nil {
			err = f.Fit(c)
		}
		stats := &e.stats.Files[i]
		switch {
		case err != nil:
			stats.LastError = err.Error()
			e.o.Log.Warn("list or table left as it was", "name", f.Name, "file", f.At, "err", err)
		case c != nil:
			changed = true
			fresh[i], e.files.have[i] = eval.NewLookup(f, c), c
			stats.Hash, stats.Rows, stats.LastError = c.Hash, c.Rows(), ""
			stats.Changes++
			e.o.Log.Info("list or table changed", "name", f.Name, "file", f.At, "rows", c.Rows())
		}
	}
	if changed {
		e.exchange(fresh)
	}
}

// exchange puts new contents in place. Events that were routed by the old ones and are
// in no epoch yet are routed again: so an event sees one state of the files in all that
// looks at it, that of its epoch, whatever batch it was read with.
func (e *Engine) exchange(fresh []*eval.Lookup) {
	g := e.lives.Load()
	g.routed.Lock()
	defer g.routed.Unlock()
	e.world.Files = fresh
	router := g.newRouter()
	for _, p := range g.routed.jobs {
		if j := p.Value(); j != nil && j.inUse {
			j.routeAgain(router, e.direct)
		}
	}
}

// routeAgain makes the items of all events of a job anew; those of events that are in an
// epoch already are through it. What was counted on the way counts once, as it was the
// first time.
func (j *job) routeAgain(router *index.Router, direct bool) {
	router.Counted()
	j.route(router, direct)
	for i, list := range j.found.Lists {
		for direct && j.cursors[i] < len(list) && int(list[j.cursors[i]].Event) < j.taken {
			j.cursors[i]++
		}
	}
}

// routed knows the jobs that workers have routed, so that they can be routed again. It
// is held for reading while a job is routed or made ready for another batch; who holds
// it for writing may touch every job in use. A job that nobody uses any more is not
// kept by it.
type routed struct {
	sync.RWMutex
	adding sync.Mutex
	jobs   []weak.Pointer[job]
}

// begin begins the routing of a job; end must follow. A nil routed does nothing.
func (r *routed) begin(j *job) {
	if r == nil {
		return
	}
	r.RLock()
	j.inUse = true
	if j.routed != r {
		j.routed = r
		r.add(j)
	}
}

func (r *routed) end() {
	if r != nil {
		r.RUnlock()
	}
}

func (r *routed) add(j *job) {
	r.adding.Lock()
	defer r.adding.Unlock()
	if len(r.jobs) == cap(r.jobs) {
		r.jobs = slices.DeleteFunc(r.jobs, func(p weak.Pointer[job]) bool { return p.Value() == nil })
	}
	r.jobs = append(r.jobs, weak.Make(j))
}

// retire says that the job's events are through.
func (r *routed) retire(j *job) {
	if r == nil {
		return
	}
	r.RLock()
	j.inUse = false
	r.RUnlock()
}

// metaFile begins the names of the records of TableMeta that hold the hashes of files.
const metaFile = "file."

// saveFiles records with the epoch which contents it saw.
func (e *Engine) saveFiles() {
	for i, f := range e.o.Set.Files {
		if hash := e.files.have[i].Hash; e.files.stored[i] != hash {
			e.commits.batch().Put(state.TableMeta, []byte(metaFile+f.Name), []byte(hash))
			e.files.stored[i] = hash
		}
	}
}

// restoreFiles reads which contents the last epoch saw. Records of lists and tables
// that the set has no more go with the first epoch.
func (e *Engine) restoreFiles(ctx context.Context) error {
	return e.store.Scan(ctx, state.TableMeta, []byte(metaFile), nil, func(key, hash []byte) error {
		name := string(bytes.TrimPrefix(key, []byte(metaFile)))
		i := slices.IndexFunc(e.o.Set.Files, func(f *plan.File) bool { return f.Name == name })
		if i < 0 {
			e.obsolete = append(e.obsolete, row{state.TableMeta, string(key)})
			return nil
		}
		e.files.stored[i] = string(hash)
		if e.files.stored[i] != e.files.have[i].Hash {
			e.o.Log.Info("list or table has changed since the last epoch", "name", name, "file", e.o.Set.Files[i].At)
		}
		return nil
	})
}

// lookAfter is how long an engine must have waited for an epoch to begin to look at the
// files of lists and tables again.
const lookAfter = time.Second
