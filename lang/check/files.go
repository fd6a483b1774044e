package check

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Data reads the file of a list or table, whose At and Key are set. Contents of a
// table have a column for each name of their header, and as many cells in each as
// there are rows. The error's text says what is wrong: it stands in a message that
// names the file.
type Data func(f *plan.File) (*plan.Contents, error)

// openFiles reads the files of lists and tables into the set, in order of name. What
// cannot be read is reported, and expressions that use it are not judged.
func (c *checker) openFiles(lists []*syntax.List, tables []*syntax.Table) map[string]*predicate.File {
	for _, d := range lists {
		if d.Path != nil && !d.Broken {
			c.openFile(&plan.File{Name: d.Name.Text, Path: d.Path.Value}, d.Path.Span, source.Span{})
		}
	}
	for _, d := range tables {
		if d.Path != nil && !d.Broken {
			c.openFile(&plan.File{Name: d.Name.Text, Path: d.Path.Value, Key: d.Key.Text}, d.Path.Span, d.Key.Span)
		}
	}
	opened := map[string]*predicate.File{}
	for i, f := range c.set.Files {
		opened[f.Name] = &predicate.File{File: f, Number: i, Asked: func(kind event.Kind) { c.ask(i, kind) }}
	}
	return opened
}

// openFile reads one file; path and key are where the rule file names them.
func (c *checker) openFile(f *plan.File, path, key source.Span) {
	f.At = f.Path
	if !filepath.IsAbs(f.At) {
		f.At = filepath.Join(filepath.Dir(path.File.Name), f.Path)
	}
	if !c.readFile(f, path, key) {
		c.poison[f.Name] = true
		return
	}
	at, _ := slices.BinarySearchFunc(c.set.Files, f, func(a, b *plan.File) int { return strings.Compare(a.Name, b.Name) })
	c.set.Files = slices.Insert(c.set.Files, at, f)
	c.paths = slices.Insert(c.paths, at, path)
}

// readFile fills in the contents and the types of columns.
func (c *checker) readFile(f *plan.File, path, key source.Span) bool {
	if c.data == nil {
		c.fail(codeFile, path, "", "the file %q cannot be read here: no files are at hand", f.Path)
		return false
	}
	contents, err := c.data(f)
	if err != nil {
		c.fail(codeFile, path, "", "the file %q of %s cannot be taken: %s", f.Path, f.Name, err)
		return false
	}
	if f.Key != "" && contents.Column(f.Key) < 0 {
		c.fail(codeFile, key, c.near(f.Key, contents.Header, "there are "+strings.Join(contents.Header, ", ")), "the file %q has no column %q", f.Path, f.Key)
		return false
	}
	f.Contents = contents
	if f.Key != "" {
		f.Columns = contents.ColumnTypes()
	}
	return true
}

// ask notes that an expression looks values of a kind up in file n.
func (c *checker) ask(n int, kind event.Kind) {
	c.set.Files[n].Ask(kind)
	c.work.asks = append(c.work.asks, ask{n, kind})
}

// fitFiles holds the files against what the expressions look up in them.
func (c *checker) fitFiles() {
	for i, f := range c.set.Files {
		if err := f.Fit(f.Contents); err != nil {
			c.fail(codeFileRows, c.paths[i], "", "the file %q of %s has wrong rows: %s", f.Path, f.Name, err)
		}
	}
}
