package event

import (
	"math"
	"strconv"
	"unsafe"
)

// Ref points into an event's Text: offset in the high 32 bits, length in the low.
type Ref uint64

// MakeRef builds a reference to n bytes at off.
func MakeRef(off, n int) Ref { return Ref(uint64(off)<<32 | uint64(n)) }

// Bytes returns what the reference points to; the slice is part of text.
func (r Ref) Bytes(text []byte) []byte {
	off, n := uint32(r>>32), uint32(r)
	return text[off : off+n : off+n]
}

// Event is one decoded event, a view into its batch or into a retained copy.
//
// Slots holds the layout's bitmap words (bit i set: slot i is there), then one
// 8-byte value a slot, by the kind of the slot's type: Bool 0 or 1; Int, Time and
// Duration as two's complement int64 (times and durations in nanoseconds); Float as
// IEEE bits; String and IP a [Ref] to the text, unescaped and, for IP, canonical;
// List and Any a Ref to JSON text. What follows the values are the hashes of those texts
// that are keys (see [Layout.Keyed]), zero where there is none.
type Event struct {
	Type   int32  // index into the plan's types
	Part   int32  // index of the partition it came from
	Raw    uint32 // length of the record's JSON at the start of Text
	Offset int64  // position within the partition
	Time   int64  // the event's own time
	At     int64  // the time it counts at: Time, or the watermark where it came late
	ID     Ref    // identity within Text; zero where the identity is the position
	Text   []byte // the record as JSON, then strings that had to be unescaped
	Slots  []uint64
	Side   []Value // rows of projections that the engine has found for it; nil: none asked
}

// Has reports whether slot i of a layout is not nil.
func (e *Event) Has(i int) bool { return e.Slots[i>>6]&(1<<(i&63)) != 0 }

// String returns the text that ref points to, sharing memory with the event: it is
// valid as long as the event is.
func (e *Event) String(ref uint64) string {
	b := Ref(ref).Bytes(e.Text)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// JSON returns the record; the slice is part of the event.
func (e *Event) JSON() []byte { return e.Text[:e.Raw] }

// Value returns slot i of an event laid out by l. A String or IP shares the event's
// memory; List and Any are parsed afresh at each call.
func (e *Event) Value(l *Layout, i int) Value {
	if !e.Has(i) {
		return Value{}
	}
	v := e.Slots[l.Words()+i]
	switch k := l.Slots[i].Type.Kind; k {
	case String, IP:
		return Value{Kind: k, S: e.String(v)}
	case List, Record, Any:
		return ParseAs(Ref(v).Bytes(e.Text), &l.Slots[i].Type)
	default:
		return Value{Kind: k, N: v}
	}
}

// AppendIdentity appends the event's identity: the text of its id field, or its
// position as "source/topic/partition@offset" (empty parts left out).
func (e *Event) AppendIdentity(b []byte, parts []Partition) []byte {
	if e.ID != 0 {
		return append(b, e.ID.Bytes(e.Text)...)
	}
	b = parts[e.Part].AppendName(b)
	b = append(b, '@')
	return strconv.AppendInt(b, e.Offset, 10)
}

// Partition names an ordered part of a source. Order between partitions is by
// source, then topic, then number.
type Partition struct {
	Source string
	Topic  string
	Number int32
}

// AppendName appends "source", "source/topic/number" where there is a topic.
func (p Partition) AppendName(b []byte) []byte {
	b = append(b, p.Source...)
	if p.Topic == "" {
		return b
	}
	b = append(append(append(b, '/'), p.Topic...), '/')
	return strconv.AppendInt(b, int64(p.Number), 10)
}

// Position is where reading of a partition goes on: the offset of the next record.
type Position struct {
	Partition Partition
	Offset    int64
}

// RecordRef is one record of a batch: bytes Start to End of the batch's Text.
type RecordRef struct {
	Start, End uint32
	Part       int32 // partition, as numbered by the source
	Fault      Fault // why the bytes are not the whole record; such a one is not decoded
	Offset     int64
	Time       int64 // the record's own time stamp or time of arrival
}

// Fault says why a source could not hand on a record whole.
type Fault uint8

// The faults. FaultNone, the zero Fault, is a record as it was read; of one that is
// FaultTooLong the batch holds the first bytes, for the dead letters.
const (
	FaultNone Fault = iota
	FaultTooLong
)

// String returns the fault as a dead letter's reason, empty for FaultNone.
func (f Fault) String() string {
	if f == FaultTooLong {
		return "record longer than the source's limit"
	}
	return ""
}

// Batch carries records from a source. The source appends, the engine resets.
type Batch struct {
	Text    []byte
	Records []RecordRef
	// Metas are what the source knows of the Records beside their text, one each; there may
	// be fewer, or none.
	Metas []RecordMeta
	// Decoded are the events of the Records, one each, where the source has decoded them
	// itself, by the layouts of the rule set at hand; nil: they are decoded from Text. The
	// engine numbers their partitions and sets the times they count at; their memory is
	// the source's, which must not use it again while the engine runs.
	Decoded []Event
	// Common is what is known of the Decoded. Where it is known, their times in At are those
	// in Time whenever the source hands them on.
	Common  Common
	Header  [][]byte // CSV: the header row of each partition, by Part; set by the source, kept by Reset
	AtEnd   bool     // the source stands at the end of its log for now
	Stamped bool     // the records' times are time stamps that the log keeps; else they are of arrival
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Common = Common{}
	b.Text, b.Records, b.Metas, b.Decoded, b.AtEnd, b.Stamped = b.Text[:0], b.Records[:0], b.Metas[:0], nil, false, false
}

// Add appends a copy of a record.
func (b *Batch) Add(part int32, offset, time int64, record []byte) {
	start := len(b.Text)
	b.Text = append(b.Text, record...)
	b.Records = append(b.Records, RecordRef{Start: uint32(start), End: uint32(len(b.Text)), Part: part, Offset: offset, Time: time})
}

// Value is one value at run time. The zero Value is nil. N holds Bool, Int, Float
// (bits), Time and Duration; S holds String and IP; a List has its elements in
// C.Elems; a Record its values there and their names, in order of writing, in C.Names.
type Value struct {
	Kind Kind
	N    uint64
	S    string
	C    *Compound
}

// Compound holds the parts of a List or a Record.
type Compound struct {
	Elems []Value
	Names []string
}

// Elems returns the elements of a List or the values of a Record.
func (v Value) Elems() []Value {
	if v.C == nil {
		return nil
	}
	return v.C.Elems
}

// IsNil reports whether there is no value.
func (v Value) IsNil() bool { return v.Kind == Nil }

// Int returns an Int, Time or Duration as a signed number.
func (v Value) Int() int64 { return int64(v.N) }

// Float returns a Float's number.
func (v Value) Float() float64 { return math.Float64frombits(v.N) }

// Number is an Int or a Float as a float; false where it is neither.
func (v Value) Number() (float64, bool) {
	switch v.Kind {
	case Int:
		return float64(v.Int()), true
	case Float:
		return v.Float(), true
	}
	return 0, false
}

// Bool returns a Bool.
func (v Value) Bool() bool { return v.N != 0 }

// OfBool makes a Bool.
func OfBool(b bool) Value {
	if b {
		return Value{Kind: Bool, N: 1}
	}
	return Value{Kind: Bool}
}

// OfInt makes an Int.
func OfInt(n int64) Value { return Value{Kind: Int, N: uint64(n)} }

// OfFloat makes a Float; NaN and the infinities are nil.
func OfFloat(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{Kind: Float, N: math.Float64bits(f)}
}

// OfString makes a String that shares s.
func OfString(s string) Value { return Value{Kind: String, S: s} }

// OfKind makes a Time, Duration or Int of n.
func OfKind(k Kind, n int64) Value { return Value{Kind: k, N: uint64(n)} }
