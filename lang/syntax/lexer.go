package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// MaxNesting is how many brackets may be open at one place, those of interpolations
// counted. It bounds the recursion of everything that reads an expression or a
// pattern.
const MaxNesting = 200

// The types of tokens. Space, comment and bad tokens are elided: the parser does not
// see them. A token's text is the text of the file, but for brackets that the balance
// put in (see balance.go): they take no room.
const (
	wordToken lexer.TokenType = iota + 1
	quotedToken
	intToken
	floatToken
	durationToken
	stringToken
	rawToken
	punctToken
	spaceToken
	commentToken
	badToken
)

// scanner turns the text of a file into tokens. Its only state is the place, the
// number of open brackets, and what it found wrong.
type scanner struct {
	file    *source.File
	text    string
	at      int
	depth   int
	tooDeep bool
	toks    []lexer.Token
	errs    *report
}

// scan returns the tokens of a file that is UTF-8 and not too big, the last one EOF.
// Together they are the whole text. It stops early, and returns false, where brackets
// are nested too deep.
func scan(file *source.File, errs *report) ([]lexer.Token, bool) {
	s := &scanner{file: file, text: file.Text, errs: errs}
	s.toks = make([]lexer.Token, 0, len(s.text)/3+1)
	for s.at < len(s.text) && !s.tooDeep {
		start := s.at
		kind := s.token()
		s.toks = append(s.toks, lexer.Token{
			Type: kind, Value: s.text[start:s.at], Pos: lexer.Position{Offset: start},
		})
	}
	s.toks = append(s.toks, lexer.EOFToken(lexer.Position{Offset: s.at}))
	return s.toks, !s.tooDeep
}

// token moves past one token and returns its type.
func (s *scanner) token() lexer.TokenType {
	c := s.text[s.at]
	switch {
	case isSpace(c):
		return s.space()
	case c == '/' && s.starts("//"):
		s.lineEnd()
		return commentToken
	case c == '/' && s.starts("/*"):
		return s.blockComment()
	case c == '"':
		return s.quoted()
	case c == '\'':
		return s.raw()
	case c == '`':
		return s.quotedName()
	case isDigit(c) || c == '.' && s.fraction():
		return s.number()
	}
	if n := wordLen(s.text[s.at:]); n > 0 {
		s.at += n
		return wordToken
	}
	if n := punctLen(s.text[s.at:]); n > 0 {
		s.at += n
		s.bracket(c)
		return punctToken
	}
	return s.bad()
}

func (s *scanner) starts(prefix string) bool { return strings.HasPrefix(s.text[s.at:], prefix) }

// to moves before the next occurrence of end, or to the end of the text.
func (s *scanner) to(end string) bool {
	n := strings.Index(s.text[s.at:], end)
	if n < 0 {
		s.at = len(s.text)
		return false
	}
	s.at += n
	return true
}

// space moves past white space. Control characters count as it: they were reported.
func (s *scanner) space() lexer.TokenType {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
	return spaceToken
}

func (s *scanner) blockComment() lexer.TokenType {
	start := s.at
	s.at += len("/*")
	if !s.to("*/") {
		s.fail(codeComment, start, start+len("/*"), "the comment does not end", "close it with */")
		return commentToken
	}
	s.at += len("*/")
	return commentToken
}

// raw moves past a '…' string, which has no escapes and ends on its line.
func (s *scanner) raw() lexer.TokenType {
	start := s.at
	n := strings.IndexAny(s.text[start+1:], "'\n")
	if n < 0 || s.text[start+1+n] == '\n' {
		s.lineEnd()
		s.fail(codeString, start, start+1, "the string does not end on its line", `close it with '`)
		return rawToken
	}
	s.at = start + 1 + n + 1
	return rawToken
}

func (s *scanner) quotedName() lexer.TokenType {
	start := s.at
	n := strings.IndexAny(s.text[start+1:], "`\n")
	switch {
	case n < 0 || s.text[start+1+n] == '\n':
		s.lineEnd()
		s.fail(codeQuotedName, start, start+1, "the name in backticks does not end on its line", "close it with `")
		return quotedToken
	case n == 0:
		s.fail(codeQuotedName, start, start+2, "the name in backticks is empty", "")
	}
	s.at = start + 1 + n + 1
	return quotedToken
}

// lineEnd moves before the end of the line.
func (s *scanner) lineEnd() {
	s.to("\n")
	if strings.HasSuffix(s.text[:s.at], "\r") {
		s.at--
	}
}

// quoted moves past a "…" string with its interpolations, in which strings may nest.
// The whole of it is one token; package predicate takes it apart.
func (s *scanner) quoted() lexer.TokenType {
	start := s.at
	if stop, why := skipString(s.text, start, MaxNesting-s.depth+1); why == "" {
		s.at = stop
	} else if why == tooDeep {
		s.at = stop
		s.nested(stop)
	} else {
		s.lineEnd()
		s.fail(codeString, start, start+1, why, `close it with "`)
	}
	return stringToken
}

const tooDeep = "too deep"

// skipString returns the offset after the string that begins at start, or why it has
// none. The stack holds what is open: a quote, or a bracket within an interpolation.
func skipString(text string, start, levels int) (end int, why string) {
	stack := []byte{'"'}
	for at := start + 1; at < len(text); at++ {
		c := text[at]
		top := stack[len(stack)-1]
		switch {
		case c == '\n':
			return at, "the string does not end on its line"
		case top == '"' && c == '\\':
			at++
			if at < len(text) && text[at] == '\n' {
				return at, "the string does not end on its line"
			}
		case c == top:
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return at + 1, ""
			}
		case top == '\'' || top == '`':
		case top == '"':
			if c == '$' && strings.HasPrefix(text[at:], "${") {
				at++
				stack = append(stack, '}')
			}
		case opens(c) != 0:
			stack = append(stack, opens(c))
		}
		if len(stack) > levels {
			return at, tooDeep
		}
	}
	return len(text), "the string does not end"
}

// opens returns what closes the quote or bracket c within an interpolation, 0 for
// other characters.
func opens(c byte) byte {
	switch c {
	case '"', '\'', '`':
		return c
	case '{':
		return '}'
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return 0
}

// bracket keeps the count of open brackets.
func (s *scanner) bracket(c byte) {
	switch c {
	case '(', '[', '{':
		s.depth++
		if s.depth > MaxNesting {
			s.nested(s.at - 1)
		}
	case ')', ']', '}':
		s.depth = max(s.depth-1, 0)
	}
}

func (s *scanner) nested(at int) {
	s.tooDeep = true
	s.errs.add(nestingError(s.file, 0, []lexer.Token{{Value: s.text[at : at+1], Pos: lexer.Position{Offset: at}}}))
}

// bad moves past characters that begin no token, and reports them once.
func (s *scanner) bad() lexer.TokenType {
	start := s.at
	first, _ := utf8.DecodeRuneInString(s.text[start:])
	for s.at < len(s.text) && isBad(s.text[s.at:]) {
		_, size := utf8.DecodeRuneInString(s.text[s.at:])
		s.at += size
	}
	if s.at == start+len("\uFEFF") && start == 0 && first == '\uFEFF' {
		return spaceToken
	}
	s.fail(codeBadRune, start, s.at, fmt.Sprintf("unexpected character %s", show(s.text[start:s.at])), badMend(first))
	return badToken
}

func isBad(text string) bool {
	c := text[0]
	return !isSpace(c) && !isDigit(c) && !strings.ContainsRune("\"'`", rune(c)) &&
		wordLen(text) == 0 && punctLen(text) == 0
}

// badMend says what was meant by a character that editors and web pages put in place
// of a plain one.
func badMend(r rune) string {
	switch {
	case strings.ContainsRune("“”„«»", r):
		return `use plain quotes "`
	case strings.ContainsRune("‘’‚", r):
		return "use plain quotes '"
	case strings.ContainsRune("–—−", r):
		return "use a plain -"
	case r == '→':
		return "write ->"
	case r == '⇒':
		return "write =>"
	case unicode.IsSpace(r) || r == '\u200B' || r == '\uFEFF':
		return "use a plain space"
	case r == '$':
		return `${ } stands within "…"`
	}
	return ""
}

func (s *scanner) fail(code string, from, to int, message, mend string) {
	s.errs.add(source.Error{
		Code: code, Span: source.Span{File: s.file, Start: from, End: to}, Message: message, Mend: mend,
	})
}

// isSpace reports white space and control characters; text.go reports the latter.
func isSpace(c byte) bool { return c <= ' ' || c == 0x7F }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// wordLen returns how many bytes of the text are a word: a letter or _, then letters,
// digits, marks and _.
func wordLen(text string) int {
	r, size := utf8.DecodeRuneInString(text)
	if r != '_' && !unicode.IsLetter(r) {
		return 0
	}
	return size + tailLen(text[size:])
}

// tailLen returns how many bytes of the text go on with a word.
func tailLen(text string) int {
	for i, r := range text {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return i
		}
	}
	return len(text)
}

// punctLen returns how many bytes of the text are punctuation, the longest form first.
// The dot of a number is not asked for here, but `x ?.5 : y` is no `?.`.
func punctLen(text string) int {
	if len(text) >= 2 {
		switch text[:2] {
		case "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "**", "??", "..":
			return 2
		case "?.":
			if len(text) == 2 || !isDigit(text[2]) {
				return 2
			}
		}
	}
	if strings.IndexByte("()[]{},:;.?!|&+-*/%^<>=#", text[0]) >= 0 {
		return 1
	}
	return 0
}

// show quotes a piece of the text for a message, short and without what disturbs a
// terminal.
func show(text string) string { return fmt.Sprintf("%q", shorten(text)) }

// shorten cuts a long text.
func shorten(text string) string {
	const most = 40
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
