package event

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// device has a field of every kind, and records within records.
func device() *Schema {
	opt := func(k Kind) Type { return Type{Kind: k, Optional: true} }
	inner := Type{Kind: Record, Optional: true, Fields: []Field{{"name", Type{Kind: String}}, {"major", opt(Int)}}}
	return &Schema{Name: "device", Fields: []Field{
		{"s", Type{Kind: String}},
		{"i", Type{Kind: Int}},
		{"f", Type{Kind: Float}},
		{"b", Type{Kind: Bool}},
		{"t", opt(Time)},
		{"d", opt(Duration)},
		{"ip", opt(IP)},
		{"a", opt(Any)},
		{"l", Type{Kind: List, Optional: true, Elem: &Type{Kind: Int}}},
		{"r", Type{Kind: Record, Fields: []Field{{"x", Type{Kind: Int}}, {"os", inner}}}},
	}}
}

func deviceLayout() *Layout {
	l := layoutOf(device(), "s", "i", "f", "b", "t", "d", "ip", "a", "l")
	l.Add([]string{"r", "x"}, Type{Kind: Int})
	l.Add([]string{"r", "os", "name"}, Type{Kind: String})
	l.Add([]string{"r", "os", "major"}, Type{Kind: Int, Optional: true})
	l.Add([]string{"r"}, Type{Kind: Any})
	return l
}

// decodeOne decodes one record of partition 0, offset 7, time stamp 42.
func decodeOne(t testing.TB, d *Decoder, record string) (Outcome, *Event, error) {
	t.Helper()
	b, a := &Batch{}, &Arena{}
	b.Add(0, 7, 42, []byte(record))
	out, err := d.Decode(b, 0, a)
	if (out == Undecodable) != (err != nil) || (out == Decoded) != (len(a.Events) == 1) {
		t.Fatalf("%s: outcome %d with error %v and %d events", record, out, err, len(a.Events))
	}
	if out != Decoded {
		return out, nil, err
	}
	return out, &a.Events[0], nil
}

// textual writes an event's slots as JSON by path, nil ones left out.
func textual(e *Event, l *Layout) map[string]string {
	m := map[string]string{}
	for i, s := range l.Slots {
		if e.Has(i) {
			m[strings.Join(s.Path, ".")] = s.Type.Kind.String() + " " + string(AppendJSON(nil, e.Value(l, i)))
		}
	}
	return m
}

func TestDecodeValues(t *testing.T) {
	tests := []struct {
		name, record string
		want         map[string]string
	}{
		{
			"every kind", `{"s":"x","i":-5,"f":2.50,"b":true,"t":"2026-01-02T03:04:05.5+01:00","d":"90m","ip":"10.1.2.3","a":[1,"y"],"l":[1,2]}`,
			map[string]string{"s": `string "x"`, "i": "int -5", "f": "float 2.5", "b": "bool true", "t": `time "2026-01-02T02:04:05.5Z"`, "d": `duration "1h30m"`, "ip": `ip "10.1.2.3"`, "a": `any [1,"y"]`, "l": "list [1,2]"},
		},
		{"white space everywhere", " {\t\"s\" : \"x\" ,\r\n\"i\" : 1 } \r\n", map[string]string{"s": `string "x"`, "i": "int 1"}},
		{"escapes", `{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800","a":"\u0041"}`, map[string]string{"s": `string "a\"\\/\b\f\n\r\té😀` + "\ufffd\"", "a": `any "A"`}},
		{"two escaped strings", `{"s":"\n1","r":{"os":{"name":"\t22"}},"ip":"A::"}`, map[string]string{"s": `string "\n1"`, "ip": `ip "a::"`, "r.os.name": `string "\t22"`, "r": `any {"os":{"name":"\t22"}}`}},
		{"escaped keys", `{"\u0073":"x","\u0072":{"\u0078":3}}`, map[string]string{"s": `string "x"`, "r.x": "int 3", "r": `any {"x":3}`}},
		{"beyond ASCII", `{"s":"Grüße, 世界"}`, map[string]string{"s": `string "Grüße, 世界"`}},
		{"integral numbers are ints", `{"i":5.0,"f":5}`, map[string]string{"i": "int 5", "f": "float 5"}},
		{"exponents", `{"i":12e-1,"f":1E+3}`, map[string]string{"f": "float 1000"}},
		{"int exponent", `{"i":120e-1}`, map[string]string{"i": "int 12"}},
		{"greatest int", `{"i":9223372036854775807}`, map[string]string{"i": "int 9223372036854775807"}},
		{"least int", `{"i":-9223372036854775808}`, map[string]string{"i": "int -9223372036854775808"}},
		{"int too great", `{"i":9223372036854775808}`, map[string]string{}},
		{"float too great", `{"f":1e999}`, map[string]string{}},
		{"a huge exponent of zero", `{"i":0e999999999999999999999,"f":0.0}`, map[string]string{"i": "int 0", "f": "float 0"}},
		{"numbers as strings are of the wrong type", `{"i":"5","f":"5"}`, map[string]string{}},
		{"wrong types", `{"s":5,"i":true,"f":[],"b":1,"t":5,"d":5,"ip":"x","l":{},"r":5}`, map[string]string{"r": "any 5"}},
		{"nulls", `{"s":null,"i":null,"a":null,"l":null,"r":null}`, map[string]string{}},
		{"the last of two counts", `{"s":"x","s":"y","i":1,"i":null}`, map[string]string{"s": `string "y"`}},
		{"the last of two records counts whole", `{"r":{"x":1,"os":{"name":"n"}},"r":{"x":2}}`, map[string]string{"r.x": "int 2", "r": `any {"x":2}`}},
		{"nested records", `{"r":{"z":[{"x":9}],"x":1,"os":{"name":"lin\tux","major":6}}}`, map[string]string{"r.x": "int 1", "r.os.name": `string "lin\tux"`, "r.os.major": "int 6", "r": `any {"z":[{"x":9}],"x":1,"os":{"name":"lin\tux","major":6}}`}},
		{"addresses are canonical", `{"ip":"::FFFF:10.0.0.1"}`, map[string]string{"ip": `ip "10.0.0.1"`}},
		{"IPv6", `{"ip":"2001:DB8:0:0::1"}`, map[string]string{"ip": `ip "2001:db8::1"`}},
		{"unknown fields", `{"x":{"s":"inner"},"S":"case","s":"outer"}`, map[string]string{"s": `string "outer"`}},
		{"elements of the wrong type", `{"l":[1,"2",3.0,null]}`, map[string]string{"l": "list [1,null,3,null]"}},
		{"empty", `{}`, map[string]string{}},
	}
	l := deviceLayout()
	d := NewDecoder([]*Layout{l}, Options{Type: "device"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, e, err := decodeOne(t, d, tt.record)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, textual(e, l)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.record, diff)
			}
			if string(e.JSON()) != tt.record || e.Time != 42 || e.At != 42 || e.ID != 0 || e.Offset != 7 {
				t.Errorf("%s: event %+v", tt.record, e)
			}
		})
	}
}

func TestUndecodable(t *testing.T) {
	timed := &Schema{Name: "p", TimeField: "at", IDField: "id", Fields: []Field{{"at", Type{Kind: Time}}, {"id", Type{Kind: String}}}}
	tests := []struct {
		name, record string
		cause        Cause
		reason       string
	}{
		{"nothing", ``, Malformed, "malformed JSON at byte 0: no value"},
		{"blank", `   `, Malformed, "malformed JSON at byte 3: no value"},
		{"binary", "\x00\xff\x01", Malformed, "malformed JSON at byte 0: not an object"},
		{"an array", `[1]`, Malformed, "malformed JSON at byte 0: not an object"},
		{"an open object", `{"a":1`, Malformed, "malformed JSON at byte 6: object is not closed"},
		{"an open string", `{"a":"x`, Malformed, "malformed JSON at byte 7: string is not closed"},
		{"a comma too many", `{"a":1,}`, Malformed, "malformed JSON at byte 7: want a field name in quotes"},
		{"no colon", `{"a" 1}`, Malformed, "malformed JSON at byte 5: want : after a field name"},
		{"no value", `{"a":}`, Malformed, "malformed JSON at byte 5: want a value"},
		{"no comma", `{"a":1 "b":2}`, Malformed, "malformed JSON at byte 7: want , or } after a value"},
		{"no comma in an array", `{"a":[1 2]}`, Malformed, "malformed JSON at byte 8: want , or ] after a value"},
		{"an open array", `{"a":[1`, Malformed, "malformed JSON at byte 7: array is not closed"},
		{"a leading zero", `{"a":01}`, Malformed, "malformed JSON at byte 6: want , or } after a value"},
		{"a bare dot", `{"a":1.}`, Malformed, "malformed JSON at byte 7: want a digit"},
		{"a bare exponent", `{"a":1e+}`, Malformed, "malformed JSON at byte 8: want a digit"},
		{"a plus", `{"a":+1}`, Malformed, "malformed JSON at byte 5: want a value"},
		{"a minus alone", `{"a":-}`, Malformed, "malformed JSON at byte 6: want a digit"},
		{"not a number", `{"a":NaN}`, Malformed, "malformed JSON at byte 5: want a value"},
		{"a short literal", `{"a":tru}`, Malformed, "malformed JSON at byte 5: want a value"},
		{"a control character", "{\"a\":\"x\ny\"}", Malformed, "malformed JSON at byte 7: control character in a string"},
		{"invalid UTF-8", "{\"a\":\"x\xff\"}", Malformed, "malformed JSON at byte 7: invalid UTF-8"},
		{"an unknown escape", `{"a":"\x"}`, Malformed, "malformed JSON at byte 7: unknown escape in a string"},
		{"a short escape", `{"a":"\u12"}`, Malformed, `malformed JSON at byte 7: want four hexadecimal digits after \u`},
		{"text after it", `{"type":"p"} x`, Malformed, "malformed JSON at byte 13: text after the object"},
		{"malformed far from what is wanted", `{"type":"p","at":"2026-01-01T00:00:00Z","id":"1","z":[{"y":nul}]}`, Malformed, "malformed JSON at byte 59: want a value"},
		{"malformed and of a type not declared", `{"type":"q","z":}`, Malformed, "malformed JSON at byte 16: want a value"},
		{"no type", `{"id":"1"}`, NoType, `no type: field "type" is missing`},
		{"a type that is no string", `{"type":5}`, NoType, `no type: field "type" is not a string`},
		{"no time", `{"type":"p","id":"1"}`, NoTime, `time field "at" is missing`},
		{"a null time", `{"type":"p","at":null,"id":"1"}`, NoTime, `time field "at" is missing`},
		{"a bad time", `{"type":"p","at":"yesterday","id":"1"}`, NoTime, `time field "at" is not readable: not an RFC 3339 time`},
		{"a time out of range", `{"type":"p","at":"2262-04-12T00:00:00Z","id":"1"}`, NoTime, `time field "at" is not readable: time out of range: only 1677-09-21 to 2262-04-11 fit`},
		{"a number without unit", `{"type":"p","at":5,"id":"1"}`, NoTime, `time field "at" is a number, and its declaration names no unit`},
		{"a time that is a list", `{"type":"p","at":[],"id":"1"}`, NoTime, `time field "at" is not a time`},
		{"no id", `{"type":"p","at":"2026-01-01T00:00:00Z"}`, NoID, `id field "id" is missing`},
		{"an empty id", `{"type":"p","at":"2026-01-01T00:00:00Z","id":""}`, NoID, `id field "id" is empty`},
		{"an id of the wrong type", `{"type":"p","at":"2026-01-01T00:00:00Z","id":5}`, NoID, `id field "id" is not readable`},
	}
	d := NewDecoder([]*Layout{{Schema: timed}}, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := decodeOne(t, d, tt.record)
			var why *DecodeError
			if !errors.As(err, &why) || why.Cause != tt.cause || why.Reason != tt.reason {
				t.Errorf("%s\n got %v\nwant %v", tt.record, err, tt.reason)
			}
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	d := NewDecoder([]*Layout{layoutOf(device(), "a")}, Options{Type: "device"})
	for open, closing := range map[string]string{"[": "]", `{"a":`: "}"} {
		nested := func(n int) string {
			return `{"a":` + strings.Repeat(open, n) + `1` + strings.Repeat(closing, n) + `}`
		}
		if out, _, err := decodeOne(t, d, nested(maxDepth-1)); out != Decoded {
			t.Errorf("%d levels of %s: %v", maxDepth, open, err)
		}
		if out, _, _ := decodeOne(t, d, nested(maxDepth)); out != Undecodable {
			t.Errorf("%d levels of %s: outcome %d", maxDepth+1, open, out)
		}
	}
	if out, _, _ := decodeOne(t, d, `{"a":`+strings.Repeat("[", 10_000_000)); out != Undecodable {
		t.Errorf("ten million brackets: outcome %d", out)
	}
}

func TestTypes(t *testing.T) {
	layouts := []*Layout{{Schema: &Schema{Name: "a"}}, {Schema: &Schema{Name: "b"}}}
	tests := []struct {
		name, record string
		o            Options
		out          Outcome
		typ          int32
	}{
		{"by the field type", `{"type":"b"}`, Options{}, Decoded, 1},
		{"the type may come last", `{"x":{"type":"a"},"type":"b"}`, Options{}, Decoded, 1},
		{"the last of two types counts", `{"type":"a","type":"b"}`, Options{}, Decoded, 1},
		{"escaped", `{"type":"\u0062"}`, Options{}, Decoded, 1},
		{"by another field", `{"type":"a","kind":"b"}`, Options{TypeField: "kind"}, Decoded, 1},
		{"given", `{"type":"a"}`, Options{Type: "b"}, Decoded, 1},
		{"not declared", `{"type":"c"}`, Options{}, Undeclared, 0},
		{"given and not declared", `{"type":"a"}`, Options{Type: "c"}, Undeclared, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder(layouts, tt.o)
			out, e, err := decodeOne(t, d, tt.record)
			if out != tt.out || e != nil && e.Type != tt.typ {
				t.Fatalf("%s: outcome %d (%v), event %+v", tt.record, out, err, e)
			}
			if n := len(d.Undeclared()); n != b2i(out == Undeclared) {
				t.Errorf("%s: %d undeclared types counted", tt.record, n)
			}
		})
	}
}

func TestUndeclaredNamesAreBounded(t *testing.T) {
	d := NewDecoder(nil, Options{})
	for i := range 1000 {
		decodeOne(t, d, fmt.Sprintf(`{"type":"t%d"}`, i%500))
	}
	decodeOne(t, d, `{"type":"`+strings.Repeat("x", 5000)+`"}`)
	var sum uint64
	for _, c := range d.Undeclared() {
		sum += c.N
	}
	if n := len(d.Undeclared()); n > maxUndeclared+1 || sum != 1001 {
		t.Errorf("%d names, %d records", n, sum)
	}
}

// What is remembered of one record's keys must not show in the next one's values.
func TestOrderOfKeysDoesNotMatter(t *testing.T) {
	other := &Schema{Name: "other", Fields: []Field{{"i", Type{Kind: Int}}, {"s", Type{Kind: String}}}}
	layouts := []*Layout{deviceLayout(), layoutOf(other, "s", "i")}
	d := NewDecoder(layouts, Options{})
	rapid.Check(t, func(t *rapid.T) {
		members := []string{`"i":7`, `"s":"x"`, `"zzz":{"i":9}`, `"type" : "device"`, `"` + strings.Repeat("k", 100) + `":1`, `"r":{"x":1}`, `"\u0062":true`}
		typ := "device"
		if rapid.Bool().Draw(t, "other") {
			typ, members[3] = "other", `"type":"other"`
		}
		record := "{" + strings.Join(rapid.Permutation(members).Draw(t, "members"), ",") + "}"
		b, a := &Batch{}, &Arena{}
		b.Add(0, 0, 0, []byte(record))
		if out, err := d.Decode(b, 0, a); out != Decoded {
			t.Fatalf("%s: %v", record, err)
		}
		want := map[string]string{"s": `string "x"`, "i": "int 7"}
		if typ == "device" {
			want["b"], want["r"], want["r.x"] = "bool true", `any {"x":1}`, "int 1"
		}
		if diff := cmp.Diff(want, textual(&a.Events[0], layouts[a.Events[0].Type])); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", record, diff)
		}
	})
}

// More keys, longer keys and more types than are remembered are decoded all the same.
func TestBoundsOfWhatIsRemembered(t *testing.T) {
	var layouts []*Layout
	for i := range 3 * maxOrders {
		name := fmt.Sprintf("%s%d", strings.Repeat("t", i), i)
		layouts = append(layouts, layoutOf(&Schema{Name: name, Fields: []Field{{"last", Type{Kind: Int}}}}, "last"))
	}
	d := NewDecoder(layouts, Options{})
	for round := range 2 {
		for i, l := range layouts {
			record := fmt.Sprintf(`{"type":%q`, l.Schema.Name)
			for k := range i * maxPlaces / maxOrders {
				record += fmt.Sprintf(`,"k%d":0`, k)
			}
			_, e, err := decodeOne(t, d, record+fmt.Sprintf(`,"last":%d}`, i))
			if err != nil || int(e.Type) != i || e.Value(l, 0) != OfInt(int64(i)) {
				t.Fatalf("round %d, type %d: %v, %+v", round, i, err, e)
			}
		}
	}
	if len(d.scan.byType) > maxOrders {
		t.Errorf("%d orders", len(d.scan.byType))
	}
}

func TestIncompleteRecords(t *testing.T) {
	b := &Batch{}
	b.Add(0, 0, 0, []byte(`{"type":"device"}`))
	b.Records[0].Fault = FaultTooLong
	out, err := NewDecoder([]*Layout{deviceLayout()}, Options{}).Decode(b, 0, &Arena{})
	if out != Undecodable || err.Error() != FaultTooLong.String() {
		t.Errorf("outcome %d, %v", out, err)
	}
}

func TestTimeAndIdentity(t *testing.T) {
	tests := []struct {
		name    string
		timeTyp Kind
		unit    Unit
		idTyp   Kind
		at, id  string
		time    int64
		ident   string
		slot    string
	}{
		{"seconds", Time, Second, String, `1700000000`, `"x"`, 1700000000e9, "x", `"2023-11-14T22:13:20Z"`},
		{"milliseconds", Time, Milli, String, `1700000000123`, `"x"`, 1700000000123e6, "x", `"2023-11-14T22:13:20.123Z"`},
		{"microseconds", Time, Micro, String, `-1`, `"x"`, -1000, "x", `"1969-12-31T23:59:59.999999Z"`},
		{"nanoseconds", Time, Nanosecond, String, `5`, `"x"`, 5, "x", `"1970-01-01T00:00:00.000000005Z"`},
		{"seconds with a fraction", Time, Second, String, `1.7000000001239e9`, `"x"`, 1700000000123900000, "x", `"2023-11-14T22:13:20.1239Z"`},
		{"fractions are cut downwards", Time, Nanosecond, String, `-1.5`, `"x"`, -2, "x", `"1969-12-31T23:59:59.999999998Z"`},
		{"text where numbers are expected", Time, Milli, String, `"1970-01-01T00:00:01Z"`, `"x"`, 1e9, "x", `"1970-01-01T00:00:01Z"`},
		{"an int with a unit stays an int", Int, Second, String, `7`, `"x"`, 7e9, "x", `7`},
		{"a float with a unit stays a float", Float, Second, String, `7.25`, `"x"`, 7250e6, "x", `7.25`},
		{"text in a string field", String, UnitNone, String, `"1970-01-01T00:00:01Z"`, `"x"`, 1e9, "x", `"1970-01-01T00:00:01Z"`},
		{"an escaped id", Time, Second, String, `1`, `"a\u0062"`, 1e9, "ab", `"1970-01-01T00:00:01Z"`},
		{"an int as id", Time, Second, Int, `1`, `12`, 1e9, "12", `"1970-01-01T00:00:01Z"`},
		{"an int as id has one form", Time, Second, Int, `1`, `1.20e1`, 1e9, "12", `"1970-01-01T00:00:01Z"`},
		{"any number as id", Time, Second, Any, `1`, `1.5`, 1e9, "1.5", `"1970-01-01T00:00:01Z"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Schema{Name: "p", TimeField: "at", TimeUnit: tt.unit, IDField: "id", Fields: []Field{{"at", Type{Kind: tt.timeTyp}}, {"id", Type{Kind: tt.idTyp}}}}
			for _, l := range []*Layout{{Schema: s}, layoutOf(s, "at")} {
				d := NewDecoder([]*Layout{l}, Options{})
				_, e, err := decodeOne(t, d, `{"type":"p","id":`+tt.id+`,"at":`+tt.at+`}`)
				if err != nil {
					t.Fatal(err)
				}
				if id := string(e.AppendIdentity(nil, nil)); e.Time != tt.time || e.At != tt.time || id != tt.ident {
					t.Errorf("time %d, identity %q; want %d, %q", e.Time, id, tt.time, tt.ident)
				}
				if len(l.Slots) > 0 && string(AppendJSON(nil, e.Value(l, 0))) != tt.slot {
					t.Errorf("slot %s, want %s", AppendJSON(nil, e.Value(l, 0)), tt.slot)
				}
			}
		})
	}
}

func TestNumericTimeOutOfRange(t *testing.T) {
	s := &Schema{Name: "p", TimeField: "at", TimeUnit: Second, Fields: []Field{{"at", Type{Kind: Time}}}}
	d := NewDecoder([]*Layout{{Schema: s}}, Options{Type: "p"})
	for _, at := range []string{"9223372037", "-9223372037", "1700000000000", "1e300", "9223372036.854775808"} {
		if out, _, _ := decodeOne(t, d, `{"at":`+at+`}`); out != Undecodable {
			t.Errorf("%s: outcome %d", at, out)
		}
	}
	_, e, _ := decodeOne(t, d, `{"at":9223372036.854775807}`)
	if e == nil || e.Time != 1<<63-1 {
		t.Errorf("the last time: %+v", e)
	}
}

func TestMismatchesAreCountedByField(t *testing.T) {
	tests := []struct {
		name, record string
		want         string
	}{
		{"all there", `{"s":"x","i":1,"f":1,"b":true,"r":{"x":1,"os":{"name":"n"}}}`, ""},
		{"optional ones missing or null", `{"s":"x","i":1,"f":1,"b":true,"t":null,"r":{"x":1,"os":null}}`, ""},
		{"missing", `{"i":1,"f":1,"b":true,"r":{"x":1}}`, "s "},
		{"null", `{"s":null,"i":1,"f":1,"b":true,"r":{"x":1}}`, "s "},
		{"wrong", `{"s":"x","i":1.5,"f":"1","b":0,"t":"x","r":{"x":1}}`, "i f b t "},
		{"wrong, then right", `{"s":1,"s":"x","i":1,"f":1,"b":true,"r":{"x":1}}`, ""},
		{"right, then wrong", `{"s":"x","s":1,"i":1,"f":1,"b":true,"r":{"x":1}}`, "s "},
		{"a record missing", `{"s":"x","i":1,"f":1,"b":true}`, "r.x r "},
		{"a record of the wrong type", `{"s":"x","i":1,"f":1,"b":true,"r":[]}`, "r.x r.os.name r.os.major "},
		{"a field of an optional record missing", `{"s":"x","i":1,"f":1,"b":true,"r":{"x":1,"os":{}}}`, "r.os.name "},
		{"a record there, then null", `{"s":"x","i":1,"f":1,"b":true,"r":{"x":1,"os":{}},"r":null}`, "r.x r "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := deviceLayout()
			d := NewDecoder([]*Layout{l}, Options{Type: "device"})
			decodeOne(t, d, tt.record)
			got := ""
			for _, f := range d.AppendMismatches(nil) {
				got += strings.Join(l.Slots[f.Slot].Path, ".") + " "
				if f.N != 1 {
					t.Errorf("counted %d times", f.N)
				}
			}
			if got != tt.want {
				t.Errorf("%s: mismatches %q, want %q", tt.record, got, tt.want)
			}
		})
	}
}

func TestManySlots(t *testing.T) {
	s := &Schema{Name: "wide"}
	names, record := []string{}, `{"type":"wide"`
	for i := range 200 {
		name := fmt.Sprintf("f%d", i)
		s.Fields, names = append(s.Fields, Field{name, Type{Kind: Int}}), append(names, name)
		if i%3 != 0 {
			record += fmt.Sprintf(`,%q:%d`, name, i)
		}
	}
	l := layoutOf(s, names...)
	d := NewDecoder([]*Layout{l}, Options{})
	_, e, _ := decodeOne(t, d, record+"}")
	for i := range 200 {
		if e.Has(i) != (i%3 != 0) || e.Has(i) && e.Value(l, i).Int() != int64(i) {
			t.Errorf("slot %d: %v", i, e.Value(l, i))
		}
	}
	if n := len(d.AppendMismatches(nil)); n != 67 {
		t.Errorf("%d fields counted as missing", n)
	}
}

// Events decoded earlier stay as they were while the arena grows under them.
func TestArenaKeepsEventsWhileGrowing(t *testing.T) {
	l := deviceLayout()
	d, b, a := NewDecoder([]*Layout{l}, Options{Type: "device"}), &Batch{}, &Arena{}
	for i := range 5000 {
		b.Add(0, int64(i), 0, fmt.Appendf(nil, `{"s":"\u0041%d","i":%d,"b":%t}`, i, i, i%2 == 0))
	}
	for range 2 {
		a.Reset()
		for i := range b.Records {
			if out, err := d.Decode(b, i, a); out != Decoded {
				t.Fatal(err)
			}
		}
		for i := range a.Events {
			want := map[string]string{"s": fmt.Sprintf(`string "A%d"`, i), "i": fmt.Sprintf("int %d", i), "b": fmt.Sprintf("bool %t", i%2 == 0)}
			if diff := cmp.Diff(want, textual(&a.Events[i], l)); diff != "" {
				t.Fatalf("event %d (-want +got):\n%s", i, diff)
			}
		}
	}
}

// Memory that is used again holds nothing of the events before: retained copies of
// slots are compared and kept byte for byte.
func TestArenaMemoryIsClean(t *testing.T) {
	l := deviceLayout()
	d, b, a := NewDecoder([]*Layout{l}, Options{Type: "device"}), &Batch{}, &Arena{}
	b.Add(0, 0, 0, []byte(`{"s":"x","i":-5,"f":2.50,"b":true,"d":"90m","ip":"10.1.2.3","a":1,"l":[],"r":{"x":1}}`))
	b.Add(0, 1, 0, []byte(`{}`))
	for i := range b.Records {
		a.Reset()
		if out, err := d.Decode(b, i, a); out != Decoded {
			t.Fatal(err)
		}
	}
	if want := make([]uint64, l.Words()+len(l.Slots)); !cmp.Equal(a.Events[0].Slots, want) {
		t.Errorf("slots %x", a.Events[0].Slots)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	records := map[string]string{
		"plain":         `{"type":"device","s":"x","i":1,"f":512.34,"b":true,"d":"1h","ip":"10.0.0.1","t":"2026-01-02T03:04:05Z","l":[1],"r":{"x":1,"os":{"name":"n"}}}`,
		"escapes":       `{"type":"device","s":"\n\u00e9","i":1e2,"ip":"::FFFF:1.2.3.4"}`,
		"not declared":  `{"type":"other","s":"x"}`,
		"long numbers":  `{"type":"device","f":0.12345678901234567890123}`,
		"wrong types":   `{"type":"device","s":1,"i":"x"}`,
		"an envelope":   `{"specversion":"1.0","id":"1","source":"/s","type":"com.x.device","time":"2026-01-02T03:04:05Z","data":{"s":"x"}}`,
		"unknown field": `{"type":"device","zzz":[1,2,{"y":"x"}],"s":"x"}`,
	}
	for name, record := range records {
		t.Run(name, func(t *testing.T) {
			d, b, a := NewDecoder([]*Layout{deviceLayout()}, Options{}), &Batch{}, &Arena{}
			b.Add(0, 0, 0, []byte(record))
			if n := testing.AllocsPerRun(100, func() { a.Reset(); d.Decode(b, 0, a) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
