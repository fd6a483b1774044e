package syntax

// The codes of this room's messages. They are stable: docs, tests and users rely on
// them. S000 to S002 belong to package source.
const (
	codeTooBig     = "S002" // the file is too big
	codeNotUTF8    = "S003" // the file is not UTF-8
	codeControl    = "S004" // a control character or mark of direction
	codeBadRune    = "S005" // a character that begins no token
	codeString     = "S006" // a string that does not end
	codeComment    = "S007" // a comment that does not end
	codeEscape     = "S008" // an unknown escape
	codeNumber     = "S009" // a malformed or too great number
	codeDuration   = "S010" // a malformed or too great duration
	codeNesting    = "S011" // too many levels of nesting
	codeUnclosed   = "S012" // an opening bracket that is never closed
	codeStray      = "S013" // a closing bracket that closes nothing
	codeQuotedName = "S014" // an empty or unended name in backticks
	codeUnexpected = "S020" // something else was expected here
	codeDecl       = "S021" // no such declaration
	codeClause     = "S022" // no such clause, attribute or statement
	codeTwice      = "S023" // a clause that may stand once stands twice
	codeExpr       = "S024" // a malformed expression
	codeWord       = "S025" // a word that is none of the allowed ones
	codeReserved   = "S026" // an operator word as a name without backticks
	codeTemplate   = "S027" // ${ } in a text that is no expression
	codeSteps      = "S028" // too many steps
	codeRepeat     = "S029" // bounds of a repetition
	codeNegation   = "S030" // a negation of what cannot be negated
	codeMixed      = "S031" // | and & in one group
	codeNeed       = "S032" // any n of with an impossible n
)
