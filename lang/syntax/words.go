package syntax

import "slices"

// The words of the language. None is reserved: each means something only where it can
// stand. All tables are constant.
var (
	declWords     = []string{"event", "fn", "let", "list", "rule", "table", "test"}
	clauseWords   = []string{"by", "emit", "from", "having", "label", "let", "limit", "match", "mode", "once", "runbook", "severity", "suppress", "tags", "to", "until", "window", "within"}
	exprClauses   = []string{"by", "from", "having", "let", "suppress"} // they may end in an expression
	attrWords     = []string{"ahead", "dedup", "id", "late", "lateness", "time"}
	testWords     = []string{"at", "expect"}
	severityWords = []string{"critical", "high", "info", "low", "medium"}
	modeWords     = []string{"live", "off", "shadow"}
	selectWords   = []string{"first", "last", "every", "all"}
	windowWords   = []string{"batch", "hopping", "last", "session", "sliding", "tumbling"}
	unitWords     = []string{"s", "ms", "us", "ns"}
	lateWords     = []string{"drop", "process"}
	typeWords     = []string{"any", "bool", "duration", "float", "int", "ip", "string", "time"}
)

// Of the words that expressions use, infix ones stand between operands, and reserved
// ones are never names.
var (
	infixWords    = []string{"and", "contains", "endsWith", "in", "matches", "or", "startsWith"}
	reservedWords = []string{"and", "contains", "endsWith", "false", "in", "let", "matches", "nil", "not", "or", "startsWith", "true"}
)

func isDeclWord(word string) bool   { return slices.Contains(declWords, word) }
func isClauseWord(word string) bool { return slices.Contains(clauseWords, word) }

// Reserved reports whether the word is a name only in backticks.
func Reserved(word string) bool { return slices.Contains(reservedWords, word) }
