// Package predicate turns the text of one expression of a rule into a typed
// [plan.Expr]. It is the only room of expr-lang/expr.
//
// # Words
//
// A [Scope] is what one place of a rule lets an expression see; lang/check fills it.
// A macro is a name that stands for text: a let, a fn, and a let within brackets. A
// reference is an expression that means an event and not a value: a step, prev,
// first(step), the name of the event type at hand.
//
// # Flow
//
//	text ─ lex (lex.go) ─► tokens ─ emit ─► expr's text ─ parse (parse.go) ─► expr's AST ─ check ─► plan.Expr
//
// What is emitted for expr's parser holds no names and no literals: each token that
// is one becomes a placeholder, and is found again by its place. So nothing of our
// lexical rules (durations, backticks, raw strings, interpolation, contextual
// keywords) has to be explained to expr, no name can trouble it, and every message
// has the place in the rule file.
//
// # Invariants
//
//   - Nesting, length and the size of what macros expand to are bounded before
//     anything recursive sees the text.
//   - All errors of an expression come at once. What is made of something wrong is
//     not reported again.
//   - Names resolve to one meaning or to an error; kinds agree or are converted by an
//     explicit OpConvert; constant regular expressions, zones and address blocks are
//     known to be right.
//   - Nothing that depends on the clock, on chance or on the order of a map is let
//     through.
//
// Open scope.go first, then check.go.
package predicate
