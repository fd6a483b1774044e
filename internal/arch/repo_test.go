package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// file is one parsed Go file. Its path is relative to the repository, with slashes.
type file struct {
	path string
	test bool
	fset *token.FileSet
	ast  *ast.File
}

func (f *file) dir() string { return path.Dir(f.path) }

func (f *file) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// at writes the place of a node as "path:line".
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// root is the repository's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the repository is not where this test looks for it: %v", err)
	}
	return dir
}

// repository parses every Go file, whatever its build tags, but for test data.
func repository(t *testing.T) []*file {
	t.Helper()
	var files []*file
	walk(t, func(p string, text []byte) {
		if strings.HasSuffix(p, ".go") {
			files = append(files, parsed(t, p, string(text)))
		}
	})
	if len(files) < 10 {
		t.Fatalf("found %d Go files: the tests look in the wrong place", len(files))
	}
	return files
}

// walk visits every file of the repository but hidden folders, test data, what is
// built and other modules, with its path relative to the root.
func walk(t *testing.T, visit func(path string, text []byte)) {
	t.Helper()
	dir := root(t)
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && (skipped(d.Name()) || otherModule(filepath.Join(dir, filepath.FromSlash(p)))) {
				return fs.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p)))
		if err == nil {
			visit(p, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func skipped(folder string) bool {
	return folder == "testdata" || folder == "bin" || folder == "out" || strings.HasPrefix(folder, ".") && folder != ".ci"
}

// otherModule reports whether the folder is a module of its own, which no room imports.
func otherModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

func parsed(t *testing.T, name, text string) *file {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", name, err)
	}
	return &file{path: name, test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: tree}
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}
