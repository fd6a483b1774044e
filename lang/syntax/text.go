package syntax

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// report collects the messages about one file. Past its bound it only counts: a file
// of garbage has as many errors as it has words.
type report struct {
	errs source.Errors
}

// maxReported bounds the messages kept before they are sorted and cut to
// source.MaxErrors.
const maxReported = 10 * source.MaxErrors

func (r *report) add(e source.Error) {
	if !r.full() {
		r.errs = append(r.errs, e)
	}
}

// full reports whether further messages would be dropped; who must work for one may
// ask first.
func (r *report) full() bool { return len(r.errs) >= maxReported }

func (r *report) done() source.Errors {
	r.errs.Sort()
	return r.errs.Limit(source.MaxErrors)
}

// isText reports whether the file can be read at all: not too big, and UTF-8. What is
// wrong is reported.
func isText(f *source.File, errs *report) bool {
	if len(f.Text) > source.MaxFileSize {
		errs.add(source.Error{Code: codeTooBig, Span: source.Span{File: f}, Message: source.TooBig, Mend: "split it: a folder is one rule set"})
		return false
	}
	if at := invalidByte(f.Text); at >= 0 {
		errs.add(source.Error{
			Code: codeNotUTF8, Span: source.Span{File: f, Start: at, End: at + 1},
			Message: fmt.Sprintf("the file is not UTF-8: byte %#02x at offset %d", f.Text[at], at),
			Mend:    "save it as UTF-8",
		})
		return false
	}
	return true
}

// invalidByte returns the offset of the first byte that is not UTF-8, -1 if all is.
func invalidByte(text string) int {
	for at, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
				return at
			}
		}
	}
	return -1
}

// controls reports every run of control characters and of marks that change the
// direction of text: they make a rule read otherwise than it means.
func controls(f *source.File, errs *report) {
	from := -1
	for at, r := range f.Text {
		switch {
		case isControl(r):
			if from < 0 {
				from = at
			}
		case from >= 0:
			controlError(f, from, at, errs)
			from = -1
		}
	}
	if from >= 0 {
		controlError(f, from, len(f.Text), errs)
	}
}

func controlError(f *source.File, from, to int, errs *report) {
	r, _ := utf8.DecodeRuneInString(f.Text[from:])
	errs.add(source.Error{
		Code: codeControl, Span: source.Span{File: f, Start: from, End: to},
		Message: fmt.Sprintf("control character %U in the text", r),
		Mend:    "remove it; within a string write an escape such as \\u0007",
	})
}

func isControl(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069':
		return true
	default:
		return unicode.IsControl(r)
	}
}
