package deadletter

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Kind is what became of a letter's record.
type Kind string

// The kinds.
const (
	Undecodable   Kind = "undecodable"   // no event
	Late          Kind = "late"          // an event too late, or too far ahead, to be taken
	Undeliverable Kind = "undeliverable" // an alert
)

// Letter is one record that came to nothing. Write keeps nothing of it.
type Letter struct {
	Kind   Kind // default Undecodable
	Reason string
	Source string // the partition's name; "sink " and its name of an alert
	Offset int64  // of an alert its row
	Time   int64  // the record's own time or that of its arrival, nanoseconds since 1970
	Record []byte
	Whole  bool // the record is kept whole whatever its size
}

// id is the same for the same record of the same source, which is read again after a crash;
// an alert may come again in another row.
func (l *Letter) id() string {
	h := sha256.New()
	where := strconv.FormatInt(l.Offset, 10)
	if l.Kind == Undeliverable {
		where = ""
	}
	fmt.Fprintf(h, "%s\n%s\n%d\n", l.Source, where, len(l.Record))
	h.Write(l.Record)
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// line is a letter as it is written.
type line struct {
	ID        string `json:"id"`
	Kind      Kind   `json:"kind"`
	Reason    string `json:"reason"`
	Source    string `json:"source"`
	Offset    int64  `json:"offset"`
	Time      string `json:"time"`
	Record    string `json:"record"`
	Base64    bool   `json:"base64,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

// encode appends the letter's line, without its end, to b, and cuts its record.
func (l *Letter) encode(b *bytes.Buffer, maxRecord int) error {
	out := line{
		ID: l.id(), Kind: l.Kind, Reason: l.Reason, Source: l.Source, Offset: l.Offset,
		Time: time.Unix(0, l.Time).UTC().Format(time.RFC3339Nano),
	}
	if out.Kind == "" {
		out.Kind = Undecodable
	}
	record := l.Record
	if len(record) > maxRecord && !l.Whole {
		record, out.Truncated = cut(record, maxRecord), true
	}
	out.Record, out.Base64 = text(record)
	return encode(b, &out)
}

// encode appends JSON without an end of line.
func encode(b *bytes.Buffer, value any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	b.Truncate(max(0, b.Len()-1))
	return err
}

// text is what a record is as text.
func text(record []byte) (s string, inBase64 bool) {
	if utf8.Valid(record) {
		return string(record), false
	}
	return base64.StdEncoding.EncodeToString(record), true
}

func fromText(s string, inBase64 bool) ([]byte, error) {
	if !inBase64 {
		return []byte(s), nil
	}
	return base64.StdEncoding.DecodeString(s)
}

// cut returns the first n bytes, or up to three fewer where n is within a rune.
func cut(record []byte, n int) []byte {
	for back := range utf8.UTFMax {
		if n > back && utf8.RuneStart(record[n-back]) {
			return record[:n-back]
		}
	}
	return record[:n]
}
