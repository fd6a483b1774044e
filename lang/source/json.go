package source

// Message is an [Error] as JSON shows it. Lines and columns count from 1, columns in
// runes; the end is that of the place, exclusive.
type Message struct {
	Severity  string `json:"severity"` // "error" or "warning"
	Code      string `json:"code"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"end_line"`
	EndColumn int    `json:"end_column"`
	Message   string `json:"message"`
	Mend      string `json:"mend,omitempty"`
	Also      *Place `json:"also,omitempty"`
}

// Place is the second place of a [Message].
type Place struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"end_line"`
	EndColumn int    `json:"end_column"`
	Text      string `json:"text"`
}

// Messages returns the list in the form that is written as JSON, never nil. The place
// of an error without one is line 0, column 0 of the file "".
func (es Errors) Messages() []Message {
	out := make([]Message, len(es))
	for i, e := range es {
		out[i] = e.message()
	}
	return out
}

func (e Error) message() Message {
	at := e.Span.place("")
	m := Message{
		Severity: e.Severity.String(), Code: e.Code, Message: e.Message, Mend: e.Mend,
		File: at.File, Line: at.Line, Column: at.Column, EndLine: at.EndLine, EndColumn: at.EndColumn,
	}
	if e.Also.Known() {
		also := e.Also.place(e.AlsoText)
		m.Also = &also
	}
	return m
}

func (s Span) place(text string) Place {
	if s.File == nil {
		return Place{Text: text}
	}
	from, to := s.File.Position(s.Start), s.File.Position(s.End)
	return Place{
		File: s.File.Name, Text: text,
		Line: from.Line, Column: from.Column, EndLine: to.Line, EndColumn: to.Column,
	}
}

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}
