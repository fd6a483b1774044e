package infer

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// AddRow looks at a row of CSV, whose columns the header names. A cell is what it reads as: a
// number, a truth value, else text; an empty one is null, a quoted empty one too.
func (g *Guess) AddRow(header, row []byte) {
	if !bytes.Equal(g.header, header) {
		g.header, g.columns = bytes.Clone(header), cells(header)
	}
	if row := cells(row); row != nil && len(row) == len(g.columns) {
		g.add(recordOf(g.columns, row, g.typ == "", g.typeField))
		return
	}
	g.add(event.Value{})
}

// Separator is what seems to separate the columns of the last header where it is no comma;
// 0: none.
func (g *Guess) Separator() byte {
	if len(g.columns) == 1 {
		if i := strings.IndexAny(g.columns[0], ";\t|"); i > 0 {
			return g.columns[0][i]
		}
	}
	return 0
}

// cells splits a row; nil: it is none.
func cells(row []byte) []string {
	r := csv.NewReader(bytes.NewReader(row))
	out, err := r.Read()
	if err != nil {
		return nil
	}
	return out
}

func recordOf(columns, row []string, typed bool, typeField string) event.Value {
	c := &event.Compound{Names: columns}
	for i, text := range row {
		v := cellValue(text)
		if typed && columns[i] == typeField {
			v = event.OfString(text) // a type may read as a number
		}
		c.Elems = append(c.Elems, v)
	}
	return event.Value{Kind: event.Record, C: c}
}

func cellValue(text string) event.Value {
	if text == "" {
		return event.Value{}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && isPlain(text) {
		return event.OfInt(n)
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil && isPlain(text) {
		return event.OfFloat(x)
	}
	if text == "true" || text == "false" {
		return event.OfBool(text == "true")
	}
	return event.OfString(text)
}

// isPlain reports whether a text that reads as a number is one and not, say, a postal code
// with a 0 before it, or "inf".
func isPlain(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || strings.ContainsAny(digits, "_xX") {
		return false
	}
	return digits[0] != '0' || len(digits) == 1 || digits[1] == '.' || digits[1] == 'e' || digits[1] == 'E'
}
