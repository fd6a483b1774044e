package check

import (
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// What stands in this file is checked like everything else, and then refused because
// the engine does not run it yet. Each refusal goes when its feature comes. (Package
// predicate has those of expressions.)

func (c *checker) notYet(at source.Span, what string) {
	c.fail(codeNotYet, at, "", "%s is not supported yet", what)
}

func (c *checker) refuseAttributes(d *syntax.Event) {
	if d.Dedup != nil && d.Dedup.Nanos > 0 {
		c.notYet(d.Dedup.Span, "dedup")
	}
	if d.Ahead != nil && d.Ahead.Nanos > 0 {
		c.notYet(d.Ahead.Span, "ahead")
	}
}

func (c *checker) refuseListFile(d *syntax.List) { c.notYet(d.Path.Span, "a list from a file") }

func (c *checker) refuseTable(d *syntax.Table) {
	if d.Path != nil {
		c.notYet(d.Path.Span, "a table from a file")
		return
	}
	c.notYet(d.Name.Span, "a projection")
}

func (c *checker) refuseWindow(w *syntax.Window) {
	switch w.Kind {
	case syntax.Sliding, syntax.LastN:
	default:
		c.notYet(w.Span, "a "+windowWord(w.Kind)+" window")
	}
}

func (c *checker) refuseDerived(d *syntax.Emit) { c.notYet(d.Event.Span, "emit of an event") }

func windowWord(k syntax.WindowKind) string {
	switch k {
	case syntax.Tumbling:
		return "tumbling"
	case syntax.Hopping:
		return "hopping"
	case syntax.Session:
		return "session"
	}
	return "batch"
}
