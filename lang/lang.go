package lang

import (
	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// Compile compiles the files of one rule set, which share one namespace; their order
// does not matter. The messages are all that was found, errors and warnings, in order
// of file name and place, at most [source.MaxErrors]. The Set is nil if one of them is
// an error, and never nil otherwise: no files make an empty set. The files are not
// changed and belong to the caller; messages refer to them.
//
// Lists and tables from files are errors: see [CompileWith].
func Compile(files []*source.File) (*plan.Set, source.Errors) { return CompileWith(files, nil) }

// Data reads the file of a list or table at load; see [check.Data]. Compiling reads no
// file but through it: who compiles rules of strangers says here what they may read.
type Data = check.Data

// CompileWith is Compile with what reads the files of lists and tables; nil reads none.
func CompileWith(files []*source.File, data Data) (*plan.Set, source.Errors) {
	return new(Compiler).Compile(files, data)
}
