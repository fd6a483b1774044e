package syntax

import (
	"errors"
	"io"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// The grammar. Each struct is one production; lower.go turns what it captured into
// the AST. The parser looks one token ahead, and further only where a production says
// so by (?= …) or (?! …). The bodies of declarations are not here: parse.go reads them
// item by item, so that an error in one hides none in the next.

// place is where a production stands. The end is exact, for white space is a token.
type place struct {
	Pos    lexer.Position
	EndPos lexer.Position
}

type (
	nameG struct {
		place
		Raw string `parser:"@(Word | Quoted)"`
	}
	textG struct {
		place
		Raw string `parser:"@(String | Raw)"`
	}
	durationG struct {
		place
		Raw string `parser:"@Duration"`
	}
	numberG struct {
		place
		Raw string `parser:"@Int"`
	}
	fieldG struct {
		place
		Name *nameG `parser:"@@ ':'"`
		Expr *exprG `parser:"@@"`
	}
)

// Declarations.
type (
	eventG struct {
		place
		Name  *nameG `parser:"'event' @@"`
		Attrs bool   `parser:"( @'(' | '{' )"`
	}
	attrG struct {
		place
		Key      string     `parser:"( @'time' ':'"`
		Time     *nameG     `parser:"  @@"`
		Unit     *nameG     `parser:"  ( '(' @@ ')' )?"`
		IDKey    string     `parser:"| @'id' ':'"`
		ID       *nameG     `parser:"  @@"`
		SpanKey  string     `parser:"| @('dedup' | 'lateness' | 'ahead') ':'"`
		Duration *durationG `parser:"  @@"`
		LateKey  string     `parser:"| @'late' ':'"`
		Late     *nameG     `parser:"  @@ )"`
	}
	fieldDeclG struct {
		place
		Name *nameG `parser:"@@"`
		Type *typeG `parser:"@@"`
	}
	typeG struct {
		place
		Elem     *typeG        `parser:"( '[' @@ ']'"`
		Record   bool          `parser:"| @'{'"`
		Fields   []*fieldDeclG `parser:"  ( @@ ','? )* '}'"`
		Name     *nameG        `parser:"| @@ )"`
		Optional bool          `parser:"@'?'?"`
	}
	letG struct {
		place
		Name *nameG `parser:"'let' @@ '='"`
		Expr *exprG `parser:"@@"`
	}
	fnG struct {
		place
		Name   *nameG        `parser:"'fn' @@ '('"`
		Params []*fieldDeclG `parser:"( @@ ( (?! ',' ')') ',' @@ )* ','? )? ')' '='"`
		Expr   *exprG        `parser:"@@"`
	}
	listG struct {
		place
		Name  *nameG   `parser:"'list' @@"`
		Items []*exprG `parser:"( '=' '[' ( @@ ( (?! ',' ']') ',' @@ )* ','? )? ']'"`
		Path  *textG   `parser:"| 'from' 'file' @@ )"`
	}
	tableG struct {
		place
		Name  *nameG     `parser:"'table' @@"`
		Key   *nameG     `parser:"( '(' 'key' ':' @@ ')' 'from' 'file'"`
		Path  *textG     `parser:"  @@"`
		By    *exprG     `parser:"| 'by' @@"`
		From  *nameG     `parser:"  'from' @@"`
		Where *exprG     `parser:"  ( 'where' @@ )?"`
		Keep  *durationG `parser:"  ( 'keep' @@ )?"`
		Open  bool       `parser:"  @'{' )"`
	}
	ruleG struct {
		place
		Name  *nameG `parser:"'rule' @@"`
		Title *textG `parser:"@@? '{'"`
	}
	testG struct {
		place
		Rules []*nameG `parser:"'test' @@ ( ',' @@ )*"`
		Title *textG   `parser:"@@? '{'"`
	}
)

// Clauses of a rule.
type (
	severityG struct {
		place
		Level *nameG `parser:"'severity' @@"`
	}
	tagsG struct {
		place
		Tags []*tagG `parser:"'tags' @@ ( ',' @@ )*"`
	}
	tagG struct {
		place
		Name *nameG `parser:"( @@"`
		Text *textG `parser:"| @@ )"`
	}
	labelG struct {
		place
		Name *nameG `parser:"'label' @@"`
		Text *textG `parser:"@@"`
	}
	runbookG struct {
		place
		Text *textG `parser:"'runbook' @@"`
	}
	modeG struct {
		place
		Word *nameG `parser:"'mode' @@"`
	}
	fromG struct {
		place
		Events []*nameG `parser:"'from' @@ ( ',' @@ )*"`
		Where  *exprG   `parser:"( 'where' @@ )?"`
	}
	byG struct {
		place
		Keys []*keyG `parser:"'by' @@ ( ',' @@ )*"`
	}
	keyG struct {
		place
		Expr *exprG `parser:"@@"`
		As   *nameG `parser:"( 'as' @@ )?"`
	}
	windowG struct {
		place
		Name  *nameG     `parser:"'window' ( (?= (Word | Quoted) Word (Duration | Int)) @@ )?"`
		Kind  string     `parser:"( @'sliding'"`
		Size  *durationG `parser:"  @@"`
		LastN string     `parser:"| @('last' | 'batch')"`
		Count *numberG   `parser:"  @@"`
		Tumb  string     `parser:"| @'tumbling'"`
		TSize *durationG `parser:"  @@"`
		Zone  *textG     `parser:"  ( 'in' @@ )?"`
		TSoon bool       `parser:"  @'early'?"`
		Hop   string     `parser:"| @'hopping'"`
		HSize *durationG `parser:"  @@"`
		Every *durationG `parser:"  'every' @@"`
		HSoon bool       `parser:"  @'early'?"`
		Sess  string     `parser:"| @'session'"`
		Gap   *durationG `parser:"  @@"`
		Max   *durationG `parser:"  ( 'max' @@ )?"`
		SSoon bool       `parser:"  @'early'? )"`
	}
	havingG struct {
		place
		Expr *exprG `parser:"'having' @@"`
	}
	onceG struct {
		place
		Word string `parser:"@'once'"`
	}
	matchG struct {
		place
		Mode *selectG `parser:"'match' @@?"`
		Seq  *seqG    `parser:"@@"`
	}
	withinG struct {
		place
		Duration *durationG `parser:"'within' @@"`
	}
	untilG struct {
		place
		Step *stepG `parser:"'until' @@"`
	}
	limitG struct {
		place
		Number *numberG `parser:"'limit' @@"`
	}
	emitG struct {
		place
		Event *nameG `parser:"'emit' @@? '{'"`
	}
	suppressG struct {
		place
		For *durationG `parser:"'suppress' @@"`
		By  []*exprG   `parser:"( 'by' @@ ( ',' @@ )* )?"`
	}
	toG struct {
		place
		Sinks []*nameG `parser:"'to' @@ ( ',' @@ )*"`
	}
)

// Patterns.
type (
	seqG struct {
		place
		First *partG   `parser:"@@"`
		Rest  []*nextG `parser:"@@*"`
	}
	nextG struct {
		place
		Link *linkG `parser:"@@"`
		Part *partG `parser:"@@"`
	}
	linkG struct {
		place
		Next  bool       `parser:"( @'=>'"`
		Then  bool       `parser:"| @'->'"`
		Bound *durationG `parser:"  ( '[' @@"`
		Upper *durationG `parser:"    ( '..' @@ )? ']' )? )"`
	}
	partG struct {
		place
		Not    bool       `parser:"@'!'?"`
		Any    *anyG      `parser:"( (?= 'any' Int) @@"`
		Group  *groupG    `parser:"| @@"`
		Step   *stepG     `parser:"| @@ )"`
		Repeat *repeatG   `parser:"@@?"`
		For    *durationG `parser:"( 'for' @@ )?"`
	}
	anyG struct {
		place
		Need  *numberG `parser:"'any' @@ 'of' '('"`
		Sides []*seqG  `parser:"@@ ( (?! ',' ')') ',' @@ )* ','? ')'"`
	}
	groupG struct {
		place
		First *seqG    `parser:"'(' @@"`
		Sides []*sideG `parser:"@@* ')'"`
	}
	sideG struct {
		place
		Op  string `parser:"@('|' | '&')"`
		Seq *seqG  `parser:"@@"`
	}
	stepG struct {
		place
		Name  *nameG  `parser:"( (?= (Word | Quoted) ':') @@ ':' )?"`
		Event *nameG  `parser:"@@"`
		Cond  *exprG  `parser:"( '[' @@ ']' )?"`
		By    []*keyG `parser:"( 'by' @@ ( ',' @@ )* )?"`
	}
	repeatG struct {
		place
		Sign   string   `parser:"( @('+' | '*' | '?')"`
		Min    *numberG `parser:"| '{' @@"`
		Comma  bool     `parser:"  ( @','"`
		Max    *numberG `parser:"    @@? )? '}' )"`
		Strict bool     `parser:"@'strict'?"`
	}
)

// Lines of a test.
type (
	atG struct {
		place
		Offset *durationG `parser:"'at' @@"`
		Event  *nameG     `parser:"( (?= (Word | Quoted) '{') @@"`
		Open   bool       `parser:"  @'{' )?"`
	}
	besideG struct {
		place
		Key  *exprG `parser:"( 'key' @@ )?"`
		Open bool   `parser:"( 'headers' @'{' )?"`
	}
	expectG struct {
		place
		Count *numberG   `parser:"'expect' ( @@"`
		Rule  *nameG     `parser:"  @@"`
		No    bool       `parser:"| (?= 'no' (Word | Quoted)) (?! 'no' 'at' Duration) @'no'"`
		None  *nameG     `parser:"  @@"`
		Alert *nameG     `parser:"| @@"`
		At    *durationG `parser:"  'at' @@"`
		Open  bool       `parser:"  @'{'? )"`
	}
)

// grammarG reaches every production.
type grammarG struct {
	Event    *eventG     `parser:"  @@"`
	Attr     *attrG      `parser:"| @@"`
	Decl     *fieldDeclG `parser:"| @@"`
	Let      *letG       `parser:"| @@"`
	Fn       *fnG        `parser:"| @@"`
	List     *listG      `parser:"| @@"`
	Table    *tableG     `parser:"| @@"`
	Rule     *ruleG      `parser:"| @@"`
	Test     *testG      `parser:"| @@"`
	Severity *severityG  `parser:"| @@"`
	Tags     *tagsG      `parser:"| @@"`
	Label    *labelG     `parser:"| @@"`
	Runbook  *runbookG   `parser:"| @@"`
	Mode     *modeG      `parser:"| @@"`
	From     *fromG      `parser:"| @@"`
	By       *byG        `parser:"| @@"`
	Window   *windowG    `parser:"| @@"`
	Having   *havingG    `parser:"| @@"`
	Once     *onceG      `parser:"| @@"`
	Match    *matchG     `parser:"| @@"`
	Within   *withinG    `parser:"| @@"`
	Until    *untilG     `parser:"| @@"`
	Limit    *limitG     `parser:"| @@"`
	Emit     *emitG      `parser:"| @@"`
	Suppress *suppressG  `parser:"| @@"`
	To       *toG        `parser:"| @@"`
	At       *atG        `parser:"| @@"`
	Expect   *expectG    `parser:"| @@"`
	Beside   *besideG    `parser:"| @@"`
	Field    *fieldG     `parser:"| @@"`
}

// grammar builds the parser once. It is the same for all and safe to share; that it
// builds is the program's own business, hence the panic.
var grammar = sync.OnceValue(func() *participle.Parser[grammarG] {
	return participle.MustBuild[grammarG](participle.Lexer(definition{}), participle.UseLookahead(0))
})

// production returns the parser of one production. That the grammar has it is the
// program's own business too.
func production[P any]() *participle.Parser[P] {
	p, err := participle.ParserForProduction[P](grammar())
	if err != nil {
		panic(err)
	}
	return p
}

// definition tells participle the names of the types of tokens.
type definition struct{}

// Symbols returns the names that the grammar uses.
func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Word": wordToken, "Quoted": quotedToken, "Int": intToken, "Float": floatToken,
		"Duration": durationToken, "String": stringToken, "Raw": rawToken, "Punct": punctToken,
		"Space": spaceToken, "Comment": commentToken, "Bad": badToken,
	}
}

// Lex scans the text, for participle's sake: Parse goes by way of the balance.
func (definition) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(io.LimitReader(r, source.MaxFileSize))
	if err != nil {
		return nil, err
	}
	toks, ok := scan(&source.File{Name: name, Text: string(text)}, &report{})
	if !ok {
		return nil, errors.New("brackets are nested too deep")
	}
	return &replay{toks: toks}, nil
}

// replay gives tokens again that were scanned before.
type replay struct {
	toks []lexer.Token
	next int
}

// Next returns the next token, at the end EOF for ever.
func (r *replay) Next() (lexer.Token, error) {
	t := r.toks[r.next]
	if !t.EOF() {
		r.next++
	}
	return t, nil
}
