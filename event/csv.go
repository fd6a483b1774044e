package event

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// csvReader turns CSV rows into JSON records, so that evidence, dead letters and
// rules see one form. A cell becomes what the declared type of its column asks for:
// a number or a truth value where it reads as one, else a string; JSON text in a
// column of a list, record or any stays as it is. An empty cell is null, a quoted
// empty one an empty string. Columns that are not declared are strings.
type csvReader struct {
	tables []csvTable // by partition
	cells  []cell
	buf    []byte // text of cells with doubled quotes
	json   []byte
	scan   scanner
}

// csvTable is a partition's header.
type csvTable struct {
	header []byte
	names  []string
	typed  *layout // what kinds are of
	kinds  []Kind  // declared kind of each column; String where there is none
}

// cell is one field of a row.
type cell struct {
	text   []byte
	quoted bool
}

// decodeCSV decodes one row.
func (d *Decoder) decodeCSV(b *Batch, r *RecordRef, row []byte, a *Arena) (Outcome, error) {
	table, err := d.csv.table(b, r.Part, d.o.Comma)
	if err != nil {
		return Undecodable, err
	}
	if err := d.csv.split(row, d.o.Comma); err != nil {
		return Undecodable, err
	}
	if len(d.csv.cells) != len(table.names) {
		return Undecodable, &DecodeError{Malformed, fmt.Sprintf("malformed CSV: %d cells, and the header has %d", len(d.csv.cells), len(table.names))}
	}
	t, err := d.rowType(table)
	if err != nil {
		return Undecodable, err
	}
	if t == nil {
		return Undeclared, nil
	}
	table.typeBy(t, d.o)
	if d.scan.record(d.csv.record(table)) < 0 {
		return Undecodable, d.malformed()
	}
	return d.decode(r, true, a)
}

// rowType returns the layout of the type that a row names; nil where it is not
// declared, which is counted.
func (d *Decoder) rowType(table *csvTable) (*layout, error) {
	if d.o.Type != "" {
		return d.counted(d.declared(d.typeName), d.typeName), nil
	}
	for i, c := range table.names {
		if c == d.o.TypeField {
			name := d.csv.cells[i].text
			return d.counted(d.declared(name), name), nil
		}
	}
	return nil, &DecodeError{NoType, fmt.Sprintf("no type: the header has no column %q", d.o.TypeField)}
}

// table returns the header of a partition, parsed again only where it changed.
func (c *csvReader) table(b *Batch, part int32, comma byte) (*csvTable, error) {
	if int(part) >= len(b.Header) || len(b.Header[part]) == 0 {
		return nil, &DecodeError{Malformed, "malformed CSV: no header"}
	}
	for len(c.tables) <= int(part) {
		c.tables = append(c.tables, csvTable{})
	}
	t := &c.tables[part]
	if header := b.Header[part]; !bytes.Equal(t.header, header) {
		if err := c.split(header, comma); err != nil {
			return nil, err
		}
		*t = csvTable{header: bytes.Clone(header)}
		for _, cell := range c.cells {
			t.names = append(t.names, string(cell.text))
		}
	}
	return t, nil
}

// typeBy notes the kinds that the layout's schema declares for the columns.
func (t *csvTable) typeBy(l *layout, o Options) {
	if t.typed == l {
		return
	}
	t.typed, t.kinds = l, t.kinds[:0]
	record := l.Schema.Type()
	for _, name := range t.names {
		kind := String
		if f := record.Field(name); f != nil && (o.Type != "" || name != o.TypeField) {
			kind = f.Type.Kind
		}
		if name == l.Schema.TimeField && l.Schema.TimeUnit != UnitNone {
			kind = Float // a number, where it is one
		}
		t.kinds = append(t.kinds, kind)
	}
}

// split splits a row into cells, by RFC 4180.
func (c *csvReader) split(row []byte, comma byte) error {
	c.cells, c.buf = c.cells[:0], c.buf[:0]
	row = bytes.TrimRight(row, "\r\n")
	if !utf8.Valid(row) {
		return &DecodeError{Malformed, "malformed CSV: invalid UTF-8"}
	}
	for i := 0; ; i++ {
		next, err := c.cell(row, i, comma)
		if err != nil {
			return err
		}
		if i = next; i == len(row) {
			return nil
		}
	}
}

// cell reads the cell at i and returns where it ends.
func (c *csvReader) cell(row []byte, i int, comma byte) (int, error) {
	if i == len(row) || row[i] != '"' {
		n := bytes.IndexByte(row[i:], comma)
		if n < 0 {
			n = len(row) - i
		}
		c.cells = append(c.cells, cell{text: row[i : i+n]})
		return i + n, nil
	}
	at := len(c.buf)
	for i++; ; i += 2 {
		n := bytes.IndexByte(row[i:], '"')
		if n < 0 {
			return 0, &DecodeError{Malformed, "malformed CSV: a quoted cell is not closed"}
		}
		c.buf = append(c.buf, row[i:i+n]...)
		i += n
		if i+1 >= len(row) || row[i+1] != '"' {
			break
		}
		c.buf = append(c.buf, '"')
	}
	if i++; i < len(row) && row[i] != comma {
		return 0, &DecodeError{Malformed, fmt.Sprintf("malformed CSV at byte %d: text after a quoted cell", i)}
	}
	c.cells = append(c.cells, cell{text: c.buf[at:len(c.buf):len(c.buf)], quoted: true})
	return i, nil
}

// record writes the row as a JSON object; it is valid until the next row.
func (c *csvReader) record(t *csvTable) []byte {
	b := append(c.json[:0], '{')
	for i, cell := range c.cells {
		b = c.appendCell(appendName(b, t.names[i]), cell, t.kinds[i])
	}
	c.json = append(b, '}')
	return c.json
}

func (c *csvReader) appendCell(b []byte, cell cell, kind Kind) []byte {
	if len(cell.text) == 0 && !cell.quoted {
		return append(b, "null"...)
	}
	if text := bytes.TrimSpace(cell.text); c.literal(text, kind) {
		return append(b, text...)
	}
	return appendString(b, view(cell.text))
}

// literal reports whether text is JSON of the kind, to be taken as it is.
func (c *csvReader) literal(text []byte, kind Kind) bool {
	var m member
	c.scan.text, c.scan.tape = text, c.scan.tape[:0]
	if c.scan.value(0, 1, &m) != len(text) || len(text) == 0 {
		return false
	}
	switch kind {
	case Int, Float:
		return m.shape == isNumber
	case Bool:
		return m.shape == isTrue || m.shape == isFalse
	case List:
		return m.shape == isArray
	case Record:
		return m.shape == isObject
	case Any:
		return true
	}
	return false
}
