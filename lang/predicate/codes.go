package predicate

// The codes of this room's messages. They are stable: docs/errors.md lists them, and
// a number is never given a second meaning. The S codes are those of lang/syntax for
// the same faults.
const (
	codeBadRune  = "S005" // a character that begins no token
	codeString   = "S006" // a string that does not end
	codeEscape   = "S008" // an unknown escape
	codeNumber   = "S009" // a malformed or too great number
	codeDuration = "S010" // a malformed or too great duration
	codeNesting  = "S011" // nested too deep
	codeBracket  = "S012" // brackets that do not match
	codeSyntax   = "S024" // a malformed expression
	codeTemplate = "S027" // an empty interpolation

	codeUnknownName  = "R201"
	codeUnknownFunc  = "R202"
	codeUnknownField = "R203"
	codeAmbiguous    = "R204"
	codeType         = "R205" // an operand of a wrong type
	codeCondition    = "R206" // a condition is needed
	codeArguments    = "R207" // number or kind of a function's arguments
	codeNoAggregate  = "R208" // aggregates are not allowed here, or not nested
	codeWhichWindow  = "R209" // an aggregate that does not say over what
	codeNoBareField  = "R210" // a field where no event is at hand
	codeStep         = "R211" // a step that may not be read here, or not so
	codeEventValue   = "R212" // an event where a value is needed, or the other way round
	codeRecursion    = "R213"
	codeTooLarge     = "R214" // text too long, or macros that expand too far
	codeConstant     = "R215" // a constant that is wrong: regexp, zone, address, index
	codeRefused      = "R216" // a function that the language does not have on purpose
	codeNoSuchPlace  = "R217" // window.start, matches() and the like where there is none
	codePipe         = "R218" // pipes, if, sequences, let without parentheses
	codeElement      = "R219" // # outside a list predicate

)
