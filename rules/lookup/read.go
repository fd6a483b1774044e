package lookup

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Limits of what is read: contents are held in memory, twice while they change.
const (
	MaxFileSize = 64 << 20  // bytes
	MaxRows     = 1_000_000 // rows of a table, entries of a list
	MaxColumns  = 256       // of a table
	MaxCells    = 4_000_000 // of a table
)

// errTooBig is for files beyond MaxFileSize.
var errTooBig = fmt.Errorf("the file is larger than %d MiB, the limit for lists and tables", MaxFileSize>>20)

// Parse reads the text of a list's or table's file. Of f it looks at Key alone: an
// empty one makes it a list. The error names the first lines that are wrong.
func Parse(f *plan.File, text []byte) (*plan.Contents, error) {
	if len(text) > MaxFileSize {
		return nil, errTooBig
	}
	return parse(f, text, hashOf(text))
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func parse(f *plan.File, text []byte, hash string) (*plan.Contents, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("line %d: not UTF-8", badLine(text))
	}
	c := &plan.Contents{Hash: hash}
	var err error
	if f.Key == "" {
		err = parseList(c, string(text))
	} else {
		err = parseTable(c, text)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// badLine is the number of the first line that is not UTF-8.
func badLine(text []byte) int {
	for n := 1; ; n++ {
		line, rest, more := bytes.Cut(text, []byte("\n"))
		if !more || !utf8.Valid(line) {
			return n
		}
		text = rest
	}
}

func parseList(c *plan.Contents, text string) error {
	c.Columns = make([][]string, 1)
	for line := int32(1); text != ""; line++ {
		entry, rest, _ := strings.Cut(text, "\n")
		text = rest
		entry = strings.TrimSpace(entry)
		if entry == "" || entry[0] == '#' {
			continue
		}
		if c.Rows() == MaxRows {
			return tooMany("entries")
		}
		c.Columns[0] = append(c.Columns[0], entry)
		c.Lines = append(c.Lines, line)
	}
	return nil
}

func tooMany(what string) error {
	return fmt.Errorf("more than %d %s, the limit for lists and tables", MaxRows, what)
}

func parseTable(c *plan.Contents, text []byte) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1 // we say ourselves what is wrong, of several rows at once
	r.ReuseRecord = true
	var faults plan.LineFaults
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && c.Header == nil:
			return errors.New("the file is empty: a table begins with a header of its columns")
		case errors.Is(err, io.EOF):
			return faults.Err()
		case err != nil:
			faults.Add(csvFault(err))
			return faults.Err()
		}
		at, _ := r.FieldPos(0)
		line := int32(at)
		if c.Header == nil {
			err = takeHeader(c, row)
		} else {
			err = takeRow(c, row, line, &faults)
		}
		if err != nil {
			return err
		}
	}
}

// csvFault is the line and message of a syntax error.
func csvFault(err error) (line int32, message string) {
	var e *csv.ParseError
	if !errors.As(err, &e) {
		return 0, err.Error()
	}
	if errors.Is(e.Err, csv.ErrBareQuote) {
		return int32(e.Line), "a quote within a cell that does not begin with one; write the cell in quotes, and the quote twice"
	}
	return int32(e.StartLine), "a quoted cell that does not end, or with text after it"
}

// takeHeader takes the names of the columns, without white space around them.
func takeHeader(c *plan.Contents, row []string) error {
	if len(row) > MaxColumns {
		return fmt.Errorf("%d columns: a table has at most %d", len(row), MaxColumns)
	}
	for i, name := range row {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return fmt.Errorf("line 1: column %d has no name", i+1)
		case c.Column(name) >= 0:
			return fmt.Errorf("line 1: two columns are named %q", name)
		}
		c.Header = append(c.Header, strings.Clone(name))
	}
	c.Columns = make([][]string, len(c.Header))
	return nil
}

// takeRow takes a row, or notes that it has too few or too many cells.
func takeRow(c *plan.Contents, row []string, line int32, faults *plan.LineFaults) error {
	if len(row) != len(c.Header) {
		faults.Add(line, fmt.Sprintf("%d cells where the header has %d", len(row), len(c.Header)))
		return nil
	}
	switch {
	case c.Rows() == MaxRows:
		return tooMany("rows")
	case (c.Rows()+1)*len(row) > MaxCells:
		return fmt.Errorf("more than %d cells, the limit for tables", MaxCells)
	}
	for i, s := range row {
		c.Columns[i] = append(c.Columns[i], s)
	}
	c.Lines = append(c.Lines, line)
	return nil
}
