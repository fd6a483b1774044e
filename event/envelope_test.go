package event

import "testing"

func TestEnvelopes(t *testing.T) {
	timed := &Schema{Name: "payment", TimeField: "at", IDField: "pid", Fields: []Field{{"at", Type{Kind: Time}}, {"pid", Type{Kind: String}}, {"x", Type{Kind: Int}}}}
	bare := &Schema{Name: "login", Fields: []Field{{"x", Type{Kind: Int}}}}
	l := []*Layout{layoutOf(bare, "x"), layoutOf(timed, "x", "at", "pid")}
	const head = `{"specversion":"1.0","id":"7","source":"/pos/1","time":"1970-01-01T00:00:05Z",`
	tests := []struct {
		name, record string
		o            Options
		typ          int32
		time         int64
		id, x        string
	}{
		{"fields are those of the data", head + `"type":"login","x":1,"data":{"x":2}}`, Options{}, 0, 5e9, "/pos/1 7", "2"},
		{"the data may come first", `{"data":{"x":2},` + head[1:] + `"type":"login"}`, Options{}, 0, 5e9, "/pos/1 7", "2"},
		{"types after the last dot", head + `"type":"com.example.login","data":{"x":2}}`, Options{}, 0, 5e9, "/pos/1 7", "2"},
		{"the data's own type is a field only", head + `"type":"login","data":{"x":2,"type":"payment"}}`, Options{}, 0, 5e9, "/pos/1 7", "2"},
		{"a given type", head + `"type":"other","data":{"x":2}}`, Options{Type: "login"}, 0, 5e9, "/pos/1 7", "2"},
		{"a type field in the data", head + `"type":"other","data":{"x":2,"kind":"login"}}`, Options{TypeField: "kind"}, 0, 5e9, "/pos/1 7", "2"},
		{"a type field in the envelope", head + `"type":"other","kind":"login","data":{"x":2}}`, Options{TypeField: "kind"}, 0, 5e9, "/pos/1 7", "2"},
		{"no data", head + `"type":"login"}`, Options{}, 0, 5e9, "/pos/1 7", "null"},
		{"no time", `{"specversion":"1.0","id":"7","source":"/pos/1","type":"login","data":{"x":2}}`, Options{}, 0, 42, "/pos/1 7", "2"},
		{"the data's time and id are meant", head + `"type":"payment","data":{"x":2,"at":"1970-01-01T00:00:09Z","pid":"p9"}}`, Options{}, 1, 9e9, "p9", "2"},
		{"the envelope stands in", head + `"type":"payment","data":{"x":2}}`, Options{}, 1, 5e9, "/pos/1 7", "2"},
		{"a plain record with such a field", `{"specversion":"1.0","type":"login","x":3}`, Options{}, 0, 42, "@7", "3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder(l, tt.o)
			out, e, err := decodeOne(t, d, tt.record)
			if out != Decoded {
				t.Fatalf("%s: outcome %d, %v", tt.record, out, err)
			}
			id := string(e.AppendIdentity(nil, []Partition{{}}))
			x := string(AppendJSON(nil, e.Value(l[e.Type], 0)))
			if e.Type != tt.typ || e.Time != tt.time || id != tt.id || x != tt.x {
				t.Errorf("%s:\ntype %d, time %d, id %q, x %s", tt.record, e.Type, e.Time, id, x)
			}
		})
	}
}

func TestEnvelopeFillsDeclaredTimeAndID(t *testing.T) {
	s := &Schema{Name: "p", TimeField: "time", IDField: "id", Fields: []Field{{"time", Type{Kind: Time}}, {"id", Type{Kind: String}}}}
	l := layoutOf(s, "time", "id")
	d := NewDecoder([]*Layout{l}, Options{})
	_, e, _ := decodeOne(t, d, `{"specversion":"1.0","id":"7","source":"s","type":"p","time":"1970-01-01T00:00:05Z","data":{}}`)
	if e == nil || e.Value(l, 0).Int() != 5e9 || e.Value(l, 1).S != "7" || len(d.AppendMismatches(nil)) != 0 {
		t.Errorf("event %+v", e)
	}
}

func TestBadEnvelopes(t *testing.T) {
	s := &Schema{Name: "p", TimeField: "at", Fields: []Field{{"at", Type{Kind: Time}}}}
	const head = `{"specversion":"1.0","id":"7","source":"s","type":"p",`
	for record, want := range map[string]string{
		head + `"data":"x"}`:                    "CloudEvents envelope whose data is not an object",
		head + `"data_base64":"eA=="}`:          "CloudEvents envelope with binary data",
		head + `"data":{}}`:                     `time field "at" is missing`,
		head + `"time":"x","data":{}}`:          `time field "at" is not readable: not an RFC 3339 time`,
		head + `"time":5,"data":{"at":"noon"}}`: `time field "at" is not readable: not an RFC 3339 time`,
	} {
		_, _, err := decodeOne(t, NewDecoder([]*Layout{{Schema: s}}, Options{}), record)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", record, err, want)
		}
	}
}
