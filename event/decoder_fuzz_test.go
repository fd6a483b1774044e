package event

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode compares the decoder with encoding/json on any bytes: the same are
// well-formed, and every field has the value that the plain twin finds, whatever
// came before.
func FuzzDecode(f *testing.F) {
	records := []string{
		`{"s":"x","i":-5,"f":2.50,"b":true,"t":"2026-01-02T03:04:05.5+01:00","d":"90m","ip":"10.1.2.3","a":[1,"y"],"l":[1,2]}`,
		`{"r":{"x":1,"os":{"name":"n\u00e9","major":6}},"r":{"x":2}}`, `{"\u0073":"\ud83d\ude00\ud800","i":5e0,"f":1e999}`, `{"r":{"os":{"major":6,"name":"n"},"x":1}}`,
		`{"i":1, "s" :"y", "i":null, "s" : null}`, `{"type":"device","i":1,"s":"x"}`, `{"type":"device","s":"x","i":1}`, `{"type":"other","s":"x","i":1}`, `{"type":5,"i":1}`,
		`{"specversion":"1.0","id":"1","source":"/s","type":"device","time":"2026-01-02T03:04:05Z","data":{"s":"x","i":2}}`,
		" {\t\"s\" : \"x\" ,\r\n\"i\" : 1 } \r\n", `{"a":{"b":[[[]]]},"i":0.1e1}`, "{\"s\":\"\xff\"}", `{"s":"012345678\n"}`, `{"i":01}`, `{"i`, `{"i":`, `[]`, `{`, ``,
	}
	for i, s := range records {
		f.Add([]byte(s), []byte(records[(i+1)%len(records)]))
		f.Add([]byte(s), []byte(records[(i*7+3)%len(records)]))
	}
	l := deviceLayout()
	f.Fuzz(func(t *testing.T, one, two []byte) {
		d := NewDecoder([]*Layout{l}, Options{Type: "device"})
		for _, record := range [][]byte{one, one, two, one, two} { // now with, now without their order of keys known
			compareDecoded(t, d, l, record)
		}
	})
}

// compareDecoded compares one decoded record with its plain twin.
func compareDecoded(t *testing.T, d *Decoder, l *Layout, record []byte) {
	out, e, err := decodeOne(t, d, string(record))
	want, ok := plainDecode(record)
	if ok != (out == Decoded) {
		t.Fatalf("%q: outcome %d (%v), the twin says %t", record, out, err, ok)
	}
	if !ok {
		return
	}
	for i, s := range l.Slots {
		if got := e.Value(l, i); !agrees(got, s.Type, plainField(want, s.Path)) {
			t.Fatalf("%q: %v is %s, the twin has %v", record, s.Path, AppendJSON(nil, got), plainField(want, s.Path))
		}
	}
}

// plainDecode decodes an object with encoding/json, false where it is none, or one
// that the decoder need not take.
func plainDecode(record []byte) (map[string]any, bool) {
	dec := json.NewDecoder(bytes.NewReader(record))
	dec.UseNumber()
	var m map[string]any
	if !utf8.Valid(record) || !json.Valid(record) || dec.Decode(&m) != nil || m == nil || depth(m) > maxDepth {
		return nil, false
	}
	for _, k := range []string{"specversion", "id", "source", "type"} {
		if _, ok := m[k].(string); !ok {
			return m, true
		}
	}
	data, isObject := m["data"].(map[string]any)
	if _, binary := m["data_base64"]; binary || m["data"] != nil && !isObject {
		return nil, false
	}
	return data, timeOfEnvelope(m)
}

// timeOfEnvelope reports whether the envelope has no time, or a readable one.
func timeOfEnvelope(m map[string]any) bool {
	s, ok := m["time"].(string)
	if !ok {
		return true
	}
	_, err := ParseTime(s)
	return err == nil
}

func depth(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n = max(n, depth(e))
		}
		return n + 1
	case []any:
		for _, e := range v {
			n = max(n, depth(e))
		}
		return n + 1
	}
	return n
}

func plainField(m map[string]any, path []string) any {
	var v any = m
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// agrees compares a decoded value with what encoding/json makes of the same text.
func agrees(v Value, typ Type, want any) bool {
	switch typ.Kind {
	case Bool:
		b, ok := want.(bool)
		return same(v, ok, func() bool { return v == OfBool(b) })
	case String:
		s, ok := want.(string)
		return same(v, ok, func() bool { return v == OfString(s) })
	case Int:
		n, ok := plainInt(want)
		return same(v, ok, func() bool { return v == OfInt(n) })
	case Float:
		n, ok := want.(json.Number)
		x, err := n.Float64()
		return same(v, ok && err == nil, func() bool { return v.N == math.Float64bits(x) })
	case List:
		l, ok := want.([]any)
		return same(v, ok, func() bool { return len(l) == len(v.C.Elems) })
	case Any:
		return agreesAny(v, want)
	}
	s, ok := want.(string)
	if !ok {
		return v.IsNil()
	}
	return agreesText(v, typ.Kind, s)
}

// same reports whether v is there exactly if it should be, and then as it should be.
func same(v Value, there bool, equal func() bool) bool {
	if !there || v.IsNil() {
		return v.IsNil() == !there
	}
	return equal()
}

func plainInt(v any) (int64, bool) {
	n, _ := v.(json.Number)
	mant, exp, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if len(strings.TrimLeft(exp, "+-0")) > 4 { // too far for big: it would write it out
		return 0, n != "" && strings.Trim(mant, "-0.") == ""
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}

func agreesAny(v Value, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		if v.Kind != Record || len(v.C.Names) != len(w) {
			return false
		}
		for i, name := range v.C.Names {
			if !agreesAny(v.C.Elems[i], w[name]) {
				return false
			}
		}
		return true
	case []any:
		if v.Kind != List || len(v.C.Elems) != len(w) {
			return false
		}
		for i, e := range v.C.Elems {
			if !agreesAny(e, w[i]) {
				return false
			}
		}
		return true
	case string:
		return v == OfString(w)
	case bool:
		return v == OfBool(w)
	case json.Number:
		x, err := w.Float64()
		if v.Kind == Int {
			return float64(v.Int()) == x
		}
		return same(v, err == nil, func() bool { return v.Float() == x })
	}
	return v.IsNil()
}

func agreesText(v Value, k Kind, s string) bool {
	switch k {
	case IP:
		ip, err := netip.ParseAddr(s)
		return same(v, err == nil, func() bool { return v.S == ip.Unmap().String() })
	case Time:
		n, err := ParseTime(s)
		return same(v, err == nil, func() bool { return v.Int() == n })
	default:
		n, err := ParseDuration(s)
		return same(v, err == nil, func() bool { return v.Int() == n })
	}
}

// FuzzTime compares ParseTime with the time package: what one reads the other does.
func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-01-02T03:04:05Z", "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145224191Z", "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775808Z",
		"2024-02-29t12:00:00.5+05:30", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2000-02-29 00:00:00z", "2016-12-31T23:59:60Z", "1969-12-31T23:59:59.9999999999-00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05,5Z", "1700-10-01T0:00:00+00:00", "1909-12-31T23:59:59.9999999999-00:60",
	} {
		f.Add(s)
	}
	rfc3339 := regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseTime(s)
		var want time.Time
		strict := want.UnmarshalText([]byte(s))
		// The time package also takes hours of one digit and offsets of 60 minutes.
		if strict == nil && rfc3339.MatchString(s) && want.Year() > 1677 && want.Year() < 2262 && (err != nil || n != want.UnixNano()) {
			t.Fatalf("%q: %d, %v; the time package has %d", s, n, err, want.UnixNano())
		}
		if err != nil {
			return
		}
		if !rfc3339.MatchString(s) {
			t.Fatalf("%q is taken for RFC 3339", s)
		}
		if want, ok := plainTime(s); !ok || want.UnixNano() != n {
			t.Fatalf("%q: %d; the time package has %v", s, n, want)
		}
		back := string(AppendTime(nil, n))
		if want := time.Unix(0, n).UTC().Format(time.RFC3339Nano); back != want {
			t.Fatalf("%q is written %s, by the time package %s", s, back, want)
		}
	})
}

// plainTime reads a time with the time package after what it does not know is put
// into the form that it knows.
func plainTime(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	leap := time.Duration(0)
	if len(s) > 19 && s[17:19] == "60" {
		s, leap = s[:17]+"59"+s[19:], time.Second
	}
	t, err := time.Parse(time.RFC3339, s[:10]+"T"+s[11:])
	return t.Add(leap), err == nil
}

// FuzzNumber compares the readers of numbers with strconv and math/big.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "0.1", "512.34", "9007199254740993", "1e22", "1e23", "123456789012345678", "0.30000000000000004", "-1.5e-7", "1e400", "4.9e-324", "2.5e-324", "1234567890123456.7", "9223372036854775807.0", "-9223372036854775808", "92233720368547758070e-1", "1e18", "5e-1", "1e00000", "90071992547409.93", "1234567890123.4567", "9007199254740.9931", "0e99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1000 || !json.Valid([]byte(s)) || s[0] != '-' && s[0]-'0' > 9 || s[len(s)-1]-'0' > 9 {
			return
		}
		got, ok := parseFloat([]byte(s))
		want, err := json.Number(s).Float64()
		if ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s: %v %t, strconv has %v %v", s, got, ok, want, err)
		}
		n, ok := parseInt([]byte(s))
		if want, fits := plainInt(json.Number(s)); ok != fits || ok && n != want {
			t.Fatalf("%s: %d %t, big has %d %t", s, n, ok, want, fits)
		}
		if ok {
			if back, exact, fits := scaled([]byte(s), 0); back != n || !exact || !fits {
				t.Fatalf("%s: scaled %d %t %t, want %d", s, back, exact, fits, n)
			}
		}
	})
}
