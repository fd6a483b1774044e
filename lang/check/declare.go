package check

import (
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// declare collects the declarations of all files by name. Of several with one name
// the first counts.
func (c *checker) declare(files []*syntax.File) {
	for _, f := range files {
		for _, d := range f.Decls {
			c.declareOne(d)
		}
	}
}

func (c *checker) declareOne(d syntax.Decl) {
	c.broken = c.broken || isBroken(d)
	if test, ok := d.(*syntax.Test); ok {
		c.tests = append(c.tests, test)
		return
	}
	name := d.DeclName()
	if name.Text == "" {
		return
	}
	switch d := d.(type) {
	case *syntax.Rule:
		c.ruleDecls = append(c.ruleDecls, d)
		if first, ok := c.rules[name.Text]; ok {
			c.failTwice(codeDuplicate, name.Span, first.Name.Span, "rule %q is declared twice", name.Text)
			return
		}
		c.rules[name.Text] = d
	default:
		c.declareName(name, d)
	}
}

func (c *checker) declareName(name syntax.Name, d syntax.Decl) {
	first, ok := c.names[name.Text]
	if !ok {
		c.names[name.Text] = d
		return
	}
	if e, isEvent := d.(*syntax.Event); isEvent {
		c.doubles = append(c.doubles, e)
	}
	if word(first) == word(d) {
		c.failTwice(codeDuplicate, name.Span, first.DeclName().Span, "%s %q is declared twice", word(d), name.Text)
		return
	}
	c.failTwice(codeDuplicate, name.Span, first.DeclName().Span,
		"%s %q has the name of a %s", word(d), name.Text, word(first))
}

// word is the keyword of a declaration.
func word(d syntax.Decl) string {
	switch d.(type) {
	case *syntax.Event:
		return "event"
	case *syntax.Let:
		return "let"
	case *syntax.Fn:
		return "fn"
	case *syntax.List:
		return "list"
	case *syntax.Table:
		return "table"
	case *syntax.Rule:
		return "rule"
	}
	return "test"
}

func isBroken(d syntax.Decl) bool {
	switch d := d.(type) {
	case *syntax.Event:
		return d.Broken
	case *syntax.Let:
		return d.Broken
	case *syntax.Fn:
		return d.Broken
	case *syntax.List:
		return d.Broken
	case *syntax.Table:
		return d.Broken
	case *syntax.Rule:
		return d.Broken
	case *syntax.Test:
		return d.Broken
	}
	return false
}

// unique reports each name that stands a second time; what says what the names are
// ("field of payment").
func (c *checker) unique(code, what string, names []syntax.Name) {
	first := map[string]source.Span{}
	for _, n := range names {
		if at, ok := first[n.Text]; ok {
			c.failTwice(code, n.Span, at, "%s %q is written twice", what, n.Text)
			continue
		}
		first[n.Text] = n.Span
	}
}

// declared returns the declarations of one kind that count, by name.
func declared[D syntax.Decl](c *checker) []D {
	var out []D
	for _, d := range c.names {
		if d, ok := d.(D); ok {
			out = append(out, d)
		}
	}
	return byName(out)
}
