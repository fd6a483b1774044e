package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// mostDepth bounds how deep records nest.
const mostDepth = 1000

var errDeep = errors.New("redact: nested too deep")

// rewriter copies JSON and redacts members on the way.
type rewriter struct {
	r      *Redactor
	paths  []path
	letter bool // the data of a CloudEvents envelope that is no object is hidden: nobody knows its members
	from   *json.Decoder
	to     bytes.Buffer
	names  []string // of the members that it is in
	hidden []string // values that it redacted
}

// rewrite returns JSON with the members redacted, and their texts as they were. All else is
// kept: order, members that come twice, numbers as they are written.
func (r *Redactor) rewrite(text []byte, paths []path) (out []byte, hidden []string, err error) {
	return (&rewriter{r: r, paths: paths}).rewrite(text)
}

// rewriteLetter is rewrite of a record that came to nothing, which has to be an object or a list.
func (r *Redactor) rewriteLetter(record []byte) (out []byte, hidden []string, err error) {
	if start := bytes.TrimLeft(record, " \t\r\n"); len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return nil, nil, errors.New("redact: neither an object nor a list")
	}
	return (&rewriter{r: r, paths: r.all, letter: true}).rewrite(record)
}

func (w *rewriter) rewrite(text []byte) (out []byte, hidden []string, err error) {
	w.from = json.NewDecoder(bytes.NewReader(text))
	w.from.UseNumber()
	if err := w.value(0); err != nil {
		return nil, nil, err
	}
	if _, err := w.from.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("redact: something follows")
	}
	return w.to.Bytes(), w.hidden, nil
}

func (w *rewriter) value(depth int) error {
	if depth > mostDepth {
		return errDeep
	}
	t, err := w.from.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return w.object(depth)
	case json.Delim('['):
		return w.list(depth)
	}
	return w.scalar(t)
}

func (w *rewriter) scalar(t any) error {
	e := json.NewEncoder(&w.to)
	e.SetEscapeHTML(false)
	err := e.Encode(t)
	w.to.Truncate(w.to.Len() - 1) // the end of the line
	return err
}

func (w *rewriter) object(depth int) error {
	w.to.WriteByte('{')
	for first := true; w.from.More(); first = false {
		if !first {
			w.to.WriteByte(',')
		}
		name, err := w.from.Token()
		if err != nil {
			return err
		}
		if err := w.scalar(name); err != nil {
			return err
		}
		w.to.WriteByte(':')
		if err := w.member(name.(string), depth); err != nil {
			return err
		}
	}
	return w.end('}')
}

func (w *rewriter) member(name string, depth int) error {
	w.names = append(w.names, name)
	defer func() { w.names = w.names[:len(w.names)-1] }()
	known := isMember(w.names, w.paths)
	if !known && !(w.letter && (name == "data" || name == "data_base64")) {
		return w.value(depth + 1)
	}
	var whole json.RawMessage
	if err := w.from.Decode(&whole); err != nil {
		return err
	}
	if !known && whole[0] == '{' {
		return w.within(whole, depth)
	}
	if string(whole) == "null" {
		w.to.WriteString("null")
		return nil
	}
	text := canonical(whole)
	w.hidden = append(w.hidden, text)
	return w.scalar(w.r.text(text))
}

// within goes on in an object that was read whole.
func (w *rewriter) within(object json.RawMessage, depth int) error {
	outer := w.from
	defer func() { w.from = outer }()
	w.from = json.NewDecoder(bytes.NewReader(object))
	w.from.UseNumber()
	return w.value(depth + 1)
}

func (w *rewriter) list(depth int) error {
	w.to.WriteByte('[')
	for first := true; w.from.More(); first = false {
		if !first {
			w.to.WriteByte(',')
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	return w.end(']')
}

func (w *rewriter) end(sign byte) error {
	if _, err := w.from.Token(); err != nil {
		return err
	}
	return w.to.WriteByte(sign)
}
