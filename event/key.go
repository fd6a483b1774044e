package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// ErrKey is the error of [ParseKey] for bytes that are no key.
var ErrKey = errors.New("not an encoded key")

// The tags of key parts. They are in state directories: never change or reuse one.
// Their order is the order of parts of different kinds, nil first.
const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagTime
	tagDuration
	tagString
	tagIP
	tagJSON // a list or a record, as JSON
)

// Texts end with textEnd; a zero byte within them is written as textZero. Both
// begin with zero, and the end sorts before whatever a longer text has in its place.
const (
	textEnd  = "\x00\x00"
	textZero = "\x00\xff"
)

// AppendKey appends one part of a key. The bytes say where they end, so the parts of
// a key are appended one after the other; equal values of one kind give equal bytes,
// different ones, and values of different kinds, different bytes; and
// bytes.Compare of two keys orders them part by part: false before true, numbers and times
// by size, texts bytewise. The form is stable: it is kept in state.
func AppendKey(b []byte, v Value) []byte {
	switch v.Kind {
	case Bool, Int, Float, Time, Duration:
		return appendNumberKey(b, v.Kind, v.N)
	case String, IP:
		return appendTextKey(b, v.Kind, stringBytes(v.S))
	case List, Record:
		return appendText(append(b, tagJSON), AppendJSON(nil, v))
	}
	return append(b, tagNil)
}

// AppendKey appends slot i, laid out by l, as a part of a key: the same bytes as
// [AppendKey] of its Value, without making one where it is scalar.
func (e *Event) AppendKey(b []byte, l *Layout, i int) []byte {
	if !e.Has(i) {
		return append(b, tagNil)
	}
	v := e.Slots[l.Words()+i]
	switch k := l.Slots[i].Type.Kind; k {
	case Bool, Int, Float, Time, Duration:
		return appendNumberKey(b, k, v)
	case String, IP:
		return appendTextKey(b, k, Ref(v).Bytes(e.Text))
	default:
		return AppendKey(b, e.Value(l, i))
	}
}

// appendNumberKey appends numbers in a form whose bytes sort as the numbers do: the
// sign bit turned over, and in negative floats all other bits too.
func appendNumberKey(b []byte, k Kind, n uint64) []byte {
	const sign = 1 << 63
	switch k {
	case Bool:
		return append(b, tagFalse+byte(n&1))
	case Float:
		if n == sign {
			n = 0 // zero has no sign
		}
		if n&sign != 0 {
			n = ^n
		} else {
			n |= sign
		}
		return binary.BigEndian.AppendUint64(append(b, tagFloat), n)
	case Time:
		return binary.BigEndian.AppendUint64(append(b, tagTime), n^sign)
	case Duration:
		return binary.BigEndian.AppendUint64(append(b, tagDuration), n^sign)
	default:
		return binary.BigEndian.AppendUint64(append(b, tagInt), n^sign)
	}
}

func appendTextKey(b []byte, k Kind, text []byte) []byte {
	if k == IP {
		return appendText(append(b, tagIP), text)
	}
	return AppendTextKey(b, text)
}

// AppendTextKey appends a text as a part of a key: the same bytes as [AppendKey] of it as
// a String.
func AppendTextKey(b, text []byte) []byte {
	n, m := len(b), len(text)
	if m < 4 || m > 64 || cap(b)-n < m+3 {
		return appendText(append(b, tagString), text)
	}
	to := b[n : n+m+3]
	to[0], to[m+1], to[m+2] = tagString, textEnd[0], textEnd[1]
	if copyWords(to[1:m+1], text) {
		return appendText(append(b, tagString), text)
	}
	return b[:n+m+3]
}

// copyWords copies a text of at least four bytes to a place of its length, and reports
// whether a zero byte is in it.
func copyWords(to, text []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	m := len(text)
	if m < 8 {
		x, y := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[m-4:])
		binary.LittleEndian.PutUint32(to, x)
		binary.LittleEndian.PutUint32(to[m-4:], y)
		w := uint64(x)<<32 | uint64(y)
		return (w-ones)&^w&highs != 0
	}
	x := binary.LittleEndian.Uint64(text[m-8:])
	binary.LittleEndian.PutUint64(to[m-8:], x)
	hit := (x - ones) &^ x
	for i := 0; i < m-8; i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		binary.LittleEndian.PutUint64(to[i:], x)
		hit |= (x - ones) &^ x
	}
	return hit&highs != 0
}

// appendText appends a text and its end.
func appendText(b, text []byte) []byte {
	if hasZero(text) {
		return appendZeros(b, text)
	}
	n := len(b)
	b = slices.Grow(b, len(text)+len(textEnd))[:n+len(text)+len(textEnd)]
	copy(b[n:], text)
	b[len(b)-2], b[len(b)-1] = textEnd[0], textEnd[1]
	return b
}

// hasZero reports whether there is a zero byte in text.
func hasZero(text []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := len(text)
	if n < 8 {
		for _, c := range text {
			if c == 0 {
				return true
			}
		}
		return false
	}
	x := binary.LittleEndian.Uint64(text[n-8:])
	hit := (x - ones) &^ x
	for i := 0; i+8 < n; i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		hit |= (x - ones) &^ x
	}
	return hit&highs != 0
}

// appendZeros is appendText of a text that holds zeros.
func appendZeros(b, text []byte) []byte {
	for {
		n := bytes.IndexByte(text, 0)
		if n < 0 {
			return append(append(b, text...), textEnd...)
		}
		b = append(append(b, text[:n]...), textZero...)
		text = text[n+1:]
	}
}

// ParseKey appends the values of an encoded key's parts to dst. Texts share the
// memory of key where they can. The error is ErrKey.
func ParseKey(dst []Value, key []byte) ([]Value, error) {
	for len(key) > 0 {
		v, rest, ok := parsePart(key)
		if !ok {
			return dst, ErrKey
		}
		dst, key = append(dst, v), rest
	}
	return dst, nil
}

func parsePart(key []byte) (v Value, rest []byte, ok bool) {
	tag, key := key[0], key[1:]
	switch tag {
	case tagNil:
		return Value{}, key, true
	case tagFalse, tagTrue:
		return OfBool(tag == tagTrue), key, true
	case tagInt, tagFloat, tagTime, tagDuration:
		if len(key) < 8 {
			return v, nil, false
		}
		return parseNumberKey(tag, binary.BigEndian.Uint64(key)), key[8:], true
	case tagString, tagIP, tagJSON:
		text, rest, ok := parseText(key)
		if !ok {
			return v, nil, false
		}
		return textValue(tag, text), rest, true
	}
	return v, nil, false
}

func parseNumberKey(tag byte, n uint64) Value {
	const sign = 1 << 63
	switch tag {
	case tagFloat:
		if n&sign != 0 {
			return OfFloat(math.Float64frombits(n ^ sign))
		}
		return OfFloat(math.Float64frombits(^n))
	case tagTime:
		return OfKind(Time, int64(n^sign))
	case tagDuration:
		return OfKind(Duration, int64(n^sign))
	}
	return OfInt(int64(n ^ sign))
}

func textValue(tag byte, text []byte) Value {
	switch tag {
	case tagIP:
		return Value{Kind: IP, S: view(text)}
	case tagJSON:
		return ParseJSON(text)
	}
	return OfString(view(text))
}

// parseText reads a text up to its end; it is copied only where it holds zeros.
func parseText(key []byte) (text, rest []byte, ok bool) {
	whole := true
	for at := 0; ; {
		n := bytes.IndexByte(key[at:], 0)
		if n < 0 || at+n+1 == len(key) {
			return nil, nil, false
		}
		n += at
		if whole {
			text = key[:n:n]
		} else {
			text = append(text, key[at:n]...)
		}
		switch key[n+1] {
		case textEnd[1]:
			return text, key[n+2:], true
		case textZero[1]:
			text, whole = append(text, 0), false
		default:
			return nil, nil, false
		}
		at = n + 2
	}
}

// Hash hashes bytes (XXH64, seed 0): the same in every process and release.
func Hash(b []byte) uint64 { return xxhash.Sum64(b) }

// KeyHash hashes an encoded key, for placement in shards and tables: the same in every
// process and release. Of most keys it mixes the words, which is quicker than to hash
// them well: each product of two words is folded upon itself, as in wyhash.
func KeyHash(key []byte) uint64 {
	n := len(key)
	if n < 8 || n > 32 {
		return xxhash.Sum64(key)
	}
	inner := uint64(0)
	if n > 16 {
		inner = mixInner(binary.LittleEndian.Uint64(key[8:]), binary.LittleEndian.Uint64(key[n-16:]))
	}
	return mixKey(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:]), inner, n)
}

// The constants that words of keys are mixed with.
const k0, k1, k2 = 0x9E3779B97F4A7C15, 0x6A09E667F3BCC909, 0xBB67AE8584CAA73B

// mixKey mixes the first and the last word of a key of n bytes, and what is between.
func mixKey(first, last, inner uint64, n int) uint64 {
	return fold(fold(first^k0, last^k1)^inner^k2, uint64(n)^k0)
}

// mixInner mixes the second and the last but one word of a key of more than 16 bytes.
func mixInner(second, before uint64) uint64 { return fold(second^k1, before^k2) }

// TextKeyHash is the [KeyHash] of a text as a key of one part, without the key being made:
// of texts of 5 to 28 bytes without a zero among them. Of all others it is 0: their keys
// are to be made first.
func TextKeyHash(text []byte) uint64 {
	n := len(text)
	switch {
	case n < 5 || n > 28:
		return 0
	case n < 8:
		return shortTextHash(uint64(binary.LittleEndian.Uint32(text))|uint64(binary.LittleEndian.Uint32(text[n-4:]))<<(8*(n-4)), n)
	}
	x, y := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	zeros, inner := zeroIn(x)|zeroIn(y), uint64(0)
	if n >= 14 {
		u, v := binary.LittleEndian.Uint64(text[6:]), binary.LittleEndian.Uint64(text[n-14:])
		zeros |= zeroIn(u) | zeroIn(v)
		if u >>= 8; n > 14 {
			u |= uint64(text[14]) << 56
		}
		inner = mixInner(u, v)
	}
	if zeros != 0 {
		return 0
	}
	return mixKey(x<<8|uint64(tagString), y>>16, inner, n+3)
}

// shortTextHash is TextKeyHash of a text of 5 to 7 bytes, the first n of x.
func shortTextHash(x uint64, n int) uint64 {
	rest := ^uint64(0) << (8 * n)
	if zeroIn(x|rest) != 0 {
		return 0
	}
	first := x&^rest<<8 | uint64(tagString)
	return mixKey(first, first>>(8*(n-5)), 0, n+3)
}

// TextKeyWords returns the first eight bytes of the key that is one text, and eight of them
// that begin at last and hold all that is behind the first: of texts of 5 to 15 bytes, as
// TextKeyHash knows them. Of others at is -1.
func TextKeyWords(text []byte) (first, last uint64, at int) {
	switch n := len(text); {
	case n < 5 || n > 15:
		return 0, 0, -1
	case n < 8:
		x := uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<(8*(n-4))
		first = x<<8 | uint64(tagString)
		return first, first, 0
	default:
		return binary.LittleEndian.Uint64(text)<<8 | uint64(tagString), binary.LittleEndian.Uint64(text[n-8:]), n - 7
	}
}

// zeroIn is not zero where one of the eight bytes of x is zero.
func zeroIn(x uint64) uint64 { return (x - bytes1) &^ x & highs }

// fold multiplies two words to 128 bits and joins the halves.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
