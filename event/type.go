package event

import "strings"

// Kind is the kind of a value or of a declared type.
type Kind uint8

// The kinds. Nil is the zero Kind: a value that is not there.
const (
	Nil Kind = iota
	Bool
	Int
	Float
	String
	Time
	Duration
	IP
	List
	Record
	Any
)

var kindNames = [...]string{"nil", "bool", "int", "float", "string", "time", "duration", "ip", "list", "record", "any"}

// String returns the kind's name as rule files write it.
func (k Kind) String() string { return kindNames[k] }

// Scalar reports whether a value of the kind fits a slot by itself (numbers,
// times) or as a reference to text (strings, addresses).
func (k Kind) Scalar() bool { return k >= Bool && k <= IP }

// Type is a declared type. Elem is set for lists, Fields for records.
type Type struct {
	Kind     Kind
	Optional bool // the value may be missing or null
	Elem     *Type
	Fields   []Field
}

// Field is one field of an event or of a record, in declared order.
type Field struct {
	Name string
	Type Type
}

// Field returns the type's field of that name, nil where there is none.
func (t *Type) Field(name string) *Field {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// String writes the type as rule files do: "string?", "[int]", "{ a int b float }".
func (t Type) String() string {
	var b strings.Builder
	switch t.Kind {
	case List:
		b.WriteString("[" + t.Elem.String() + "]")
	case Record:
		b.WriteString("{ ")
		for _, f := range t.Fields {
			b.WriteString(f.Name + " " + f.Type.String() + " ")
		}
		b.WriteString("}")
	default:
		b.WriteString(t.Kind.String())
	}
	if t.Optional {
		b.WriteByte('?')
	}
	return b.String()
}
