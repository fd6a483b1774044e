package event

// Unit is the unit of a numeric time field; UnitNone where the field is text.
type Unit int64

// The units, in nanoseconds.
const (
	UnitNone   Unit = 0
	Nanosecond Unit = 1
	Micro      Unit = 1e3
	Milli      Unit = 1e6
	Second     Unit = 1e9
)

// LatePolicy says what happens to an event older than its partition's watermark.
type LatePolicy uint8

// The policies: process it at once with its time raised, or drop it to the dead letters.
const (
	LateProcess LatePolicy = iota
	LateDrop
)

// Schema is a declared event type. Durations are nanoseconds; zero means off.
type Schema struct {
	Name      string
	Fields    []Field
	TimeField string // empty: the time of arrival
	TimeUnit  Unit   // of TimeField where it holds numbers
	IDField   string // empty: identity is the position
	Dedup     int64
	Lateness  int64
	Ahead     int64
	Late      LatePolicy
}

// Type returns the record type that the schema's fields make.
func (s *Schema) Type() Type { return Type{Kind: Record, Fields: s.Fields} }

// Slot names what one slot of an event holds: a field, or, through records, a
// field of a field; or what the source says of the record (see [KeyPath], [HeaderPath]).
// The kind of Type is never Record: a whole record is Any.
type Slot struct {
	Path []string
	Type Type
}

// Layout says which fields of a schema have slots. Slot i of an event is
// Slots[i] here. An event's Slots array has Words bitmap words first, then the values,
// then a word for each of Keyed.
type Layout struct {
	Schema *Schema
	Slots  []Slot
	// Keyed are the slots, each a String, whose text alone is the key of rules that keep a
	// state by it, in ascending order. Their hashes are in the event: see [TextKeyHash].
	Keyed []int
}

// Words is the number of bitmap words before the values.
func (l *Layout) Words() int { return (len(l.Slots) + 63) / 64 }

// Width is the length of an event's Slots array.
func (l *Layout) Width() int { return l.Words() + len(l.Slots) + len(l.Keyed) }

// HashAt is where in an event's Slots array the hash of a slot's text is, -1 where the slot
// is not one of Keyed.
func (l *Layout) HashAt(slot int) int {
	for i, s := range l.Keyed {
		if s == slot {
			return l.Words() + len(l.Slots) + i
		}
	}
	return -1
}

// Add returns the number of the slot for path, making one where there is none.
// path must exist in the schema, or be that of a key or a header; typ is its declared type.
func (l *Layout) Add(path []string, typ Type) int {
	for i := range l.Slots {
		if equalPath(l.Slots[i].Path, path) {
			return i
		}
	}
	l.Slots = append(l.Slots, Slot{Path: path, Type: typ})
	return len(l.Slots) - 1
}

func equalPath(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
