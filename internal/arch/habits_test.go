package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// emptyNames say nothing of what a package is about.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "base", "misc", "types", "models", "shared", "lib"}

// packageFaults asks each package for a doc.go with its comment, and for a name.
func packageFaults(files []*file) []string {
	documented, seen := map[string]bool{}, map[string]bool{}
	var faults []string
	for _, f := range files {
		if path.Base(f.path) == "doc.go" && f.ast.Doc != nil && packageComment.MatchString(f.ast.Doc.Text()) {
			documented[f.dir()] = true
		}
		seen[f.dir()] = true
	}
	for dir := range seen {
		if !documented[dir] {
			faults = append(faults, dir+": no doc.go with a comment that begins \"Package name\" or \"Command name\": what it owns, its words, its place in the flow, its invariants, which file to open first")
		}
		if slices.Contains(emptyNames, path.Base(dir)) {
			faults = append(faults, dir+": the name says nothing; name the concept")
		}
	}
	slices.Sort(faults)
	return faults
}

var packageComment = regexp.MustCompile(`^(Package|Command) [a-z0-9]+ `)

// initFaults lists init functions.
func initFaults(files []*file) []string {
	var faults []string
	for _, f := range files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				faults = append(faults, f.at(fn)+": no init functions; let the caller ask for what it needs")
			}
		}
	}
	return faults
}

// variableFaults lists package-level variables that are no tables or sentinels:
// those without a value, those of a type made to change (locks, pools, atomics), and
// those that a function of the package writes to.
func variableFaults(files []*file) []string {
	vars := map[string]map[string]bool{}
	var faults []string
	for _, f := range product(files) {
		if vars[f.dir()] == nil {
			vars[f.dir()] = map[string]bool{}
		}
		faults = append(faults, f.declaredVariables(vars[f.dir()])...)
	}
	for _, f := range product(files) {
		faults = append(faults, f.writesTo(vars[f.dir()])...)
	}
	return faults
}

// declaredVariables adds the file's package-level variables to names.
func (f *file) declaredVariables(names map[string]bool) []string {
	var faults []string
	for _, d := range f.ast.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			for _, name := range spec.Names {
				names[name.Name] = name.Name != "_"
			}
			if spec.Names[0].Name != "_" && (len(spec.Values) == 0 && !embedded(decl, spec) || changeable(spec)) {
				faults = append(faults, f.at(spec)+": package-level variable "+spec.Names[0].Name+" is made to change; put it into the value that owns it")
			}
		}
	}
	return faults
}

func embedded(decl *ast.GenDecl, spec *ast.ValueSpec) bool {
	return docHas(decl.Doc, "//go:embed") || docHas(spec.Doc, "//go:embed")
}

func docHas(doc *ast.CommentGroup, prefix string) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, prefix) })
}

// changeable reports whether a declaration names a type of sync or sync/atomic.
func changeable(spec *ast.ValueSpec) bool {
	found := false
	ast.Inspect(spec, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && (pkg.Name == "sync" || pkg.Name == "atomic") {
				found = found || !strings.HasPrefix(sel.Sel.Name, "OnceValue")
			}
		}
		_, body := n.(*ast.FuncLit)
		return !body
	})
	return found
}

// writesTo lists assignments to package-level variables, whole or in part. A local
// of the same name is resolved by the parser and is none.
func (f *file) writesTo(vars map[string]bool) []string {
	var faults []string
	check := func(target ast.Expr) {
		id := base(target)
		if id == nil || !vars[id.Name] || !f.packageLevel(id) {
			return
		}
		faults = append(faults, f.at(target)+": writes to the package-level variable "+id.Name+"; make it a field of the value that owns it")
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					check(target)
				}
			}
		case *ast.IncDecStmt:
			check(n.X)
		}
		return true
	})
	return faults
}

// base is the variable that an assignment to e changes: of x.f[i] it is x.
func base(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.SelectorExpr:
		return base(e.X)
	case *ast.ParenExpr:
		return base(e.X)
	case *ast.StarExpr:
		return base(e.X)
	}
	return nil
}

// packageLevel reports whether id names a variable of the package and not a local
// one. What the parser leaves unresolved in its file is declared in another file of
// the package.
func (f *file) packageLevel(id *ast.Ident) bool {
	if id.Obj == nil {
		return true
	}
	return slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
		decl, ok := d.(*ast.GenDecl)
		return ok && slices.ContainsFunc(decl.Specs, func(s ast.Spec) bool { return s == id.Obj.Decl })
	})
}

// pureRooms give the same output for the same input: they see no clock, chance or
// world. lang reads rule files, so it is asked for the clock alone.
var pureRooms = map[string][]string{
	"event":          {"os", "net", "math/rand", "math/rand/v2", "log", "log/slog"},
	"windows":        {"os", "net", "math/rand", "math/rand/v2", "log", "log/slog"},
	"engine/machine": {"os", "net", "math/rand", "math/rand/v2", "log", "log/slog"},
	"engine/eval":    {"os", "net", "math/rand", "math/rand/v2", "log", "log/slog"},
	"engine/index":   {"os", "net", "math/rand", "math/rand/v2", "log", "log/slog"},
	"lang":           {"net", "math/rand", "math/rand/v2", "log", "log/slog"},
}

// clockFaults lists reads of the wall clock: none at all in pure rooms; elsewhere
// none but in cmd, which hands time.Now to the shells that need one, and in test kits. A shell may
// name time.Now as the default of an option, without calling it.
func clockFaults(files []*file) []string {
	var faults []string
	for _, f := range product(files) {
		if within(f.dir(), "cmd") || within(f.dir(), "benchmarks") || within(f.dir(), "examples") || slices.Contains(testKits, f.dir()) {
			continue
		}
		forbidden, pure := f.pureRoom()
		for _, imp := range f.imports() {
			if slices.Contains(forbidden, imp) {
				faults = append(faults, f.path+": "+imp+" is not for a pure room; take what is needed as an argument")
			}
		}
		called := map[ast.Expr]bool{}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				called[call.Fun] = true
			}
			if sel, ok := n.(*ast.SelectorExpr); ok && clockRead(sel) && (pure || called[sel]) {
				faults = append(faults, f.at(sel)+": reads the wall clock by time."+sel.Sel.Name+"; take a Now function or a time as an argument")
			}
			return true
		})
	}
	return faults
}

func (f *file) pureRoom() (forbidden []string, pure bool) {
	for room, forbidden := range pureRooms {
		if within(f.dir(), room) {
			return forbidden, true
		}
	}
	return nil, false
}

func clockRead(sel *ast.SelectorExpr) bool {
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name)
}

// product leaves out test files.
func product(files []*file) []*file {
	return slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f.test })
}

// machinePath finds paths that only somebody's own machine has.
var machinePath = regexp.MustCompile(`(^|[^\w.])/(work|root|home|Users)/|\.\./(shared)/`)

func pathFaults(name, text string) []string {
	var faults []string
	for i, line := range strings.Split(text, "\n") {
		if machinePath.MatchString(line) {
			faults = append(faults, fmt.Sprintf("%s:%d: a path of one machine: %s", name, i+1, strings.TrimSpace(line)))
		}
	}
	return faults
}

func TestPackagesAreDocumentedAndNamed(t *testing.T) { report(t, packageFaults(repository(t))) }

func TestNoInitFunctions(t *testing.T) { report(t, initFaults(repository(t))) }

func TestPackageVariablesAreNeverWritten(t *testing.T) { report(t, variableFaults(repository(t))) }

func TestWallClockIsHandedIn(t *testing.T) { report(t, clockFaults(repository(t))) }

func TestNoMachinePaths(t *testing.T) {
	walk(t, func(name string, text []byte) {
		if utf8.Valid(text) {
			report(t, pathFaults(name, string(text)))
		}
	})
}

func TestHabitsCatch(t *testing.T) {
	cases := map[string]struct {
		check func([]*file) []string
		path  string
		text  string
		fault bool
	}{
		"a package without doc.go":             {packageFaults, "engine/x.go", "package engine", true},
		"a doc.go without a comment":           {packageFaults, "engine/doc.go", "package engine", true},
		"a doc.go with one":                    {packageFaults, "engine/doc.go", "// Package engine runs.\npackage engine", false},
		"a package named after nothing":        {packageFaults, "engine/util/doc.go", "// Package util has.\npackage util", true},
		"an init function":                     {initFaults, "engine/x.go", "package x\nfunc init() {}", true},
		"a method named init":                  {initFaults, "engine/x.go", "package x\ntype t int\nfunc (t) init() {}", false},
		"a table":                              {variableFaults, "engine/x.go", "package x\nvar a = []int{1}", false},
		"a variable without a value":           {variableFaults, "engine/x.go", "package x\nvar a int", true},
		"an embedded file":                     {variableFaults, "engine/x.go", "package x\n//go:embed y\nvar a string", false},
		"a compile-time check":                 {variableFaults, "engine/x.go", "package x\nvar _ error = (*t)(nil)\ntype t int", false},
		"a pool":                               {variableFaults, "engine/x.go", "package x\nvar a = sync.Pool{}", true},
		"a table written to":                   {variableFaults, "engine/x.go", "package x\nvar a = []int{1}\nfunc f() { a[0] = 2 }", true},
		"a counter":                            {variableFaults, "engine/x.go", "package x\nvar a = 1\nfunc f() { a++ }", true},
		"a local of the same name":             {variableFaults, "engine/x.go", "package x\nvar a = 1\nfunc f() { a := 2; a = 3; _ = a }", false},
		"a variable in a test":                 {variableFaults, "engine/x_test.go", "package x\nvar a int", false},
		"the clock in a pure room":             {clockFaults, "engine/machine/x.go", "package x\nvar now = time.Now", true},
		"chance in a pure room":                {clockFaults, "windows/x.go", "package x\nimport _ \"math/rand/v2\"", true},
		"the clock as the default of a shell":  {clockFaults, "sources/x.go", "package x\nfunc f() { o.Now = time.Now }", false},
		"the clock read in a shell":            {clockFaults, "sources/x.go", "package x\nfunc f() { time.Now() }", true},
		"the clock read by way of Since":       {clockFaults, "sources/x.go", "package x\nfunc f() { time.Since(t) }", true},
		"the clock in cmd":                     {clockFaults, "cmd/cepheus/x.go", "package x\nfunc f() { time.Now() }", false},
		"an address with a folder called root": {textFaults, "engine/x.go", "package x // https://example.org/" + "root/a", false},
		"a path of a machine":                  {textFaults, "engine/x.go", "package x // in /" + "root/a", true},
		"a path that leaves the repository":    {textFaults, "engine/x.go", "package x // in ../sha" + "red/data", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := parsed(t, c.path, c.text)
			if got := c.check([]*file{f}); (len(got) > 0) != c.fault {
				t.Errorf("%s\nfaults %q, want a fault: %v", c.text, got, c.fault)
			}
		})
	}
}

// textFaults is pathFaults over the comments of parsed files, for the table above.
func textFaults(files []*file) []string {
	var faults []string
	for _, f := range files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				faults = append(faults, pathFaults(f.path, c.Text)...)
			}
		}
	}
	return faults
}
