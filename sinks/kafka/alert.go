package kafka

import (
	"bytes"
	"encoding/json"
)

// head is what a record shows of an alert besides its text: slices of it.
type head struct {
	id, rule, severity []byte // without quotes, escapes as they are
	key                []byte // an object
}

// headOf reads the members of an alert up to its key, which stand at its beginning
// (event.Alert.AppendJSON). What is no alert has an empty head.
func headOf(alert []byte) (h head) {
	p := &walker{text: alert}
	if !p.take('{') {
		return head{}
	}
	for {
		name, value, ok := p.member()
		if !ok {
			return h
		}
		switch string(name) {
		case "id":
			h.id = unquoted(value)
		case "rule":
			h.rule = unquoted(value)
		case "severity":
			h.severity = unquoted(value)
		case "key":
			h.key = value
			return h
		}
		if !p.take(',') {
			return h
		}
	}
}

func unquoted(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

// walker walks over JSON that is valid and has no spaces between its parts.
type walker struct {
	text []byte
	at   int
}

func (p *walker) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// member passes by a member of an object.
func (p *walker) member() (name, value []byte, ok bool) {
	if name = unquoted(p.value()); name == nil || !p.take(':') {
		return nil, nil, false
	}
	value = p.value()
	return name, value, len(value) > 0
}

// value passes by a value.
func (p *walker) value() []byte {
	from := p.at
	for depth := 0; p.at < len(p.text); {
		switch c := p.text[p.at]; c {
		case '"':
			p.string()
		case '{', '[':
			depth++
			p.at++
		case '}', ']', ',', ':':
			if depth == 0 {
				return p.text[from:p.at]
			}
			if c == '}' || c == ']' {
				depth--
			}
			p.at++
		default:
			p.at++
		}
		if depth == 0 && p.at > from && isEnd(p.text[p.at-1]) {
			return p.text[from:p.at]
		}
	}
	return p.text[from:p.at]
}

// isEnd tells of the bytes that end a value by themselves; numbers and words end before the
// next.
func isEnd(c byte) bool { return c == '"' || c == '}' || c == ']' }

func (p *walker) string() {
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return
		}
	}
	p.at = len(p.text)
}

// recordKey is what the alert is filed under: the value of a key of one part, as it would
// stand in a record that is keyed by that field, or the whole key; nil where the rule has
// no key.
func (h *head) recordKey() []byte {
	p := &walker{text: h.key}
	if !p.take('{') {
		return nil
	}
	_, value, ok := p.member()
	switch {
	case !ok:
		return nil
	case !p.take('}'):
		return h.key
	case value[0] == '"':
		return plain(value)
	}
	return value
}

// plain is the text of a quoted one.
func plain(value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return unquoted(value)
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return value
	}
	return []byte(text)
}

// partitionKey is what keeps alerts in order: the record's key, or else the rule.
func (h *head) partitionKey() []byte {
	if key := h.recordKey(); key != nil {
		return key
	}
	return h.rule
}

// partitionOf is where Kafka's own producers put a key, so that topics keyed alike lie alike.
func partitionOf(key []byte, partitions int) int {
	return int(murmur2(key)&0x7fffffff) % partitions
}

// murmur2 is the hash of Kafka's default partitioner: MurmurHash2 by Austin Appleby, seed
// 0x9747b28c.
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24) * m
		h = h*m ^ (k^k>>r)*m
	}
	for i := len(b) - 1; i >= 0; i-- {
		h ^= uint32(b[i]) << (8 * i)
		if i == 0 {
			h *= m
		}
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
