package check

// The codes of the errors and warnings of this room. They are stable: docs/errors.md
// lists them, and a number is never given a second meaning.
const (
	codeDuplicate     = "R101"
	codeUnknownEvent  = "R102"
	codeDuplicateItem = "R103"
	codeNoSuchField   = "R104"
	codeAttributeType = "R105"
	codeUnknownType   = "R106"
	codeReserved      = "R107"
	codeFile          = "R108"
	codeFileRows      = "R109"

	codeClause       = "R301"
	codeMissing      = "R302"
	codeKeyName      = "R303"
	codeKeyType      = "R304"
	codeKeyField     = "R305"
	codeTwoTypes     = "R306"
	codeStepKeys     = "R307"
	codeDuration     = "R308"
	codeWindows      = "R309"
	codeZone         = "R310"
	codeSuppressBy   = "R311"
	codeDerivedField = "R312"
	codeCycle        = "R313"
	codeAggInput     = "R314"
	codeTooMany      = "R315"

	codeStepName       = "R401"
	codeNothing        = "R402"
	codeNegationEnd    = "R403"
	codeNegationStart  = "R404"
	codeNegationGap    = "R405"
	codeNegationInside = "R406"
	codeBounds         = "R407"
	codeForWithin      = "R408"
	codeLastAbsence    = "R409"
	codeNegationBeside = "R410"

	codeUnknownRule = "R501"
	codeExpectField = "R502"
	codeTestValue   = "R503"
	codeTestTime    = "R504"

	// Given by package predicate, and known here.
	codeUnknownName  = "R201"
	codeUnknownField = "R203"
	codeType         = "R205"
	codeCondition    = "R206"
	codeNoAggregate  = "R208"
	codeWhichWindow  = "R209"
	codeNoBareField  = "R210"
	codeStep         = "R211"
	codeEventValue   = "R212"
	codeConstant     = "R215"
	codeNoSuchPlace  = "R217"

	codeNoWithin  = "W101"
	codeNeverMore = "W102"
)
