package lang

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Compiler compiles a rule set again and again as it changes, and each time only what has
// changed: files whose text is new are read, and of the rules those that are new, or that
// name something whose meaning is new. Set and messages are the same as those of
// [CompileWith]; messages may refer to files of the same name and text that were given
// before. The zero Compiler is ready. It may be dropped at any time, which loses
// time and nothing else. It is used by one goroutine at a time.
//
// Of two Sets that one Compiler gave, a rule of which nothing has changed, its slots
// included, is the same pointer, and so is an event type with its layout. Where a field is
// read for the first time, or no more, the layout of its type is another, and so are the
// rules whose slots have moved by it: what was made of the others can be kept.
type Compiler struct {
	files map[source.File]*readFile
	memo  check.Memo
}

// readFile is a file that was read, and all that is wrong with its text.
type readFile struct {
	file *syntax.File
	errs source.Errors
}

// Compile compiles the files of one rule set: see [CompileWith].
func (c *Compiler) Compile(files []*source.File, data Data) (*plan.Set, source.Errors) {
	var errs source.Errors
	var set *plan.Set
	parsed, whole := c.parse(files, &errs)
	if whole {
		checked, more := c.memo.Check(parsed, data)
		set, errs = checked, append(errs, more...)
	}
	errs.Sort()
	if errs.HasErrors() {
		set = nil
	}
	return set, errs.Limit(source.MaxErrors)
}

// parse reads all files. whole is false where nothing could be read of one: then
// nothing can be said of the names in the others.
func (c *Compiler) parse(files []*source.File, errs *source.Errors) (parsed []*syntax.File, whole bool) {
	whole = true
	for _, p := range c.read(files) {
		*errs = append(*errs, p.errs...)
		parsed = append(parsed, p.file)
		whole = whole && (len(p.file.Decls) > 0 || !p.errs.HasErrors())
	}
	return parsed, whole
}

// read gives the files as they were read, now or before, and forgets all others.
func (c *Compiler) read(files []*source.File) []*readFile {
	out := make([]*readFile, len(files))
	known := make(map[source.File]*readFile, len(files))
	var fresh []int
	for i, f := range files {
		if out[i] = c.files[*f]; out[i] == nil {
			fresh = append(fresh, i)
		}
	}
	side(len(fresh), func(n int) {
		f := files[fresh[n]]
		file, errs := syntax.Parse(f)
		out[fresh[n]] = &readFile{file, errs}
	})
	for i, f := range files {
		known[*f] = out[i]
	}
	c.files = known
	return out
}

// side does n things side by side, on as many cores as there are.
func side(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}
