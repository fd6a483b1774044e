package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTimesBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64().Draw(t, "ns")
		text := string(AppendTime(nil, ns))
		if want := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); text != want {
			t.Fatalf("%d is %s, want %s", ns, text, want)
		}
		if back, err := ParseTime(text); err != nil || back != ns {
			t.Fatalf("%s reads as %d (%v), want %d", text, back, err, ns)
		}
		zone := time.FixedZone("", rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "zone")*60)
		text = time.Unix(0, ns).In(zone).Format(time.RFC3339Nano)
		if back, err := ParseTime(text); err != nil || back != ns {
			t.Fatalf("%s reads as %d (%v), want %d", text, back, err, ns)
		}
	})
}

func TestParseTimeErrors(t *testing.T) {
	for s, want := range map[string]error{
		"": ErrTimeSyntax, "2026-01-02": ErrTimeSyntax, "2026-01-02T03:04:05": ErrTimeSyntax, "2026-1-02T03:04:05Z": ErrTimeSyntax, "2026-01-02T03:04:05 Z": ErrTimeSyntax,
		"2026-01-02T24:00:00Z": ErrTimeSyntax, "2026-01-02T03:60:00Z": ErrTimeSyntax, "2026-01-02T03:04:60Z": ErrTimeSyntax, "2026-01-02T03:59:61Z": ErrTimeSyntax, "2026-01-02T03:04:05+24:00": ErrTimeSyntax,
		"2026-01-02T03:04:05+01": ErrTimeSyntax, "2026-00-02T03:04:05Z": ErrTimeSyntax, "2026-01-00T03:04:05Z": ErrTimeSyntax, "2026-04-31T03:04:05Z": ErrTimeSyntax,
		"0001-01-01T00:00:00Z": ErrTimeRange, "2262-04-11T23:47:16.854775808Z": ErrTimeRange, "1677-09-21T00:12:43.145224191Z": ErrTimeRange, "9999-12-31T23:59:59Z": ErrTimeRange,
	} {
		if n, err := ParseTime(s); err != want {
			t.Errorf("%q: %d, %v; want %v", s, n, err, want)
		}
	}
	if n, err := ParseTime("2016-12-31T23:59:60Z"); err != nil || n != 1483228800e9 {
		t.Errorf("a leap second: %d, %v", n, err)
	}
}

func TestEveryDayOfTheRange(t *testing.T) {
	for day := int64(-106751); day <= 106751; day++ {
		y, m, d := dateOf(day)
		want := time.Unix(day*secondsPerDay, 0).UTC()
		if wy, wm, wd := want.Date(); y != wy || m != int(wm) || d != wd || daysSinceEpoch(y, m, d) != day {
			t.Fatalf("day %d is %d-%d-%d (back %d), want %v", day, y, m, d, daysSinceEpoch(y, m, d), want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const h = int64(time.Hour)
	good := map[string]int64{
		"0": 0, "0s": 0, "250ms": 250e6, "10s": 10e9, "1h30m": h * 3 / 2, "7d": 7 * 24 * h, "2w": 14 * 24 * h, "1.5h": h * 3 / 2, "-1h30m": -h * 3 / 2, "+5s": 5e9,
		"300us": 300e3, "300µs": 300e3, "300μs": 300e3, "5ns": 5, ".5s": 5e8, "1.s": 1e9, "0.1234567891s": 123456789, "9223372036854775807ns": math.MaxInt64, "-9223372036854775808ns": math.MinInt64,
	}
	for s, want := range good {
		if n, err := ParseDuration(s); err != nil || n != want {
			t.Errorf("%q: %d, %v; want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "-", "5", "s", "1x", "1h x", "1 h", "h1", "1..5s", ".s", "1.2.3s", "9223372036854775808ns", "99999999999999999999s", "20000w", "1h20000w", "1e3s", "5S"} {
		if n, err := ParseDuration(s); err == nil {
			t.Errorf("%q reads as %d", s, n)
		}
	}
}

func TestDurationsBothWays(t *testing.T) {
	for ns, want := range map[int64]string{0: "0s", 1: "1ns", 90 * 60e9: "1h30m", 14 * 86400e9: "14d", 1500e6: "1s500ms", -26 * 3600e9: "-1d2h", 1001e3: "1ms1us"} {
		if got := string(AppendDuration(nil, ns)); got != want {
			t.Errorf("%d is %s, want %s", ns, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64().Draw(t, "ns")
		if back, err := ParseDuration(string(AppendDuration(nil, ns))); err != nil || back != ns {
			t.Fatalf("%d is %s, which reads as %d (%v)", ns, AppendDuration(nil, ns), back, err)
		}
		if ns, err := ParseDuration(time.Duration(ns).String()); err != nil || ns != int64(time.Duration(ns)) {
			t.Fatalf("%v reads as %d (%v)", time.Duration(ns), ns, err)
		}
	})
}

// anyValue generates values that JSON text gives back as they were.
func anyValue(depth int) *rapid.Generator[Value] {
	kinds := []*rapid.Generator[Value]{
		rapid.Just(Value{}), rapid.Map(rapid.Bool(), OfBool), rapid.Map(rapid.Int64(), OfInt), rapid.Map(rapid.String(), OfString),
		rapid.Map(rapid.Float64().Filter(func(f float64) bool { return f != math.Trunc(f) }), OfFloat),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(anyValue(depth-1), 0, 4), func(e []Value) Value { return Value{Kind: List, C: &Compound{Elems: e}} }),
			rapid.Map(rapid.SliceOfNDistinct(rapid.String(), 0, 40, rapid.ID[string]), func(names []string) Value {
				c := &Compound{Names: names}
				for i := range names {
					c.Elems = append(c.Elems, OfInt(int64(i)))
				}
				return Value{Kind: Record, C: c}
			}))
	}
	return rapid.OneOf(kinds...)
}

// plainText writes values in a form that tells kinds apart, to compare them by.
func plainText(v Value) string { return strconv.Itoa(int(v.Kind)) + string(AppendJSON(nil, v)) }

func TestJSONBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		text := AppendJSON([]byte("x"), v)[1:]
		if !json.Valid(text) {
			t.Fatalf("%s is not JSON", text)
		}
		if back := ParseJSON(text); plainText(back) != plainText(v) {
			t.Fatalf("%s reads as %s", plainText(v), plainText(back))
		}
		var plain any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&plain); err != nil || !agreesAny(v, plain) {
			t.Fatalf("%s: encoding/json reads %v (%v)", text, plain, err)
		}
	})
}

// The last of two members counts, in a record of any size, and in the first's place.
func TestParseJSONTakesTheLast(t *testing.T) {
	for _, n := range []int{2, 15, 16, 17, 100} {
		text := "{"
		for i := range 2 * n {
			text += fmt.Sprintf(`"k%d":%d,`, i%n, i)
		}
		v := ParseJSON([]byte(text[:len(text)-1] + "}"))
		if len(v.C.Names) != n || len(v.C.Elems) != n {
			t.Fatalf("%d members, want %d", len(v.C.Names), n)
		}
		for i, e := range v.C.Elems {
			if v.C.Names[i] != fmt.Sprintf("k%d", i) || e != OfInt(int64(n+i)) {
				t.Errorf("of %d: %s is %d", n, v.C.Names[i], e.Int())
			}
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for want, v := range map[string]Value{
		`null`: {}, `true`: OfBool(true), `900`: OfFloat(900), `0.1`: OfFloat(0.1), `0`: OfFloat(math.Copysign(0, -1)), `1e+21`: OfFloat(1e21), `1e-07`: OfFloat(1e-7),
		`100000000000000000000`: OfFloat(1e20), `"<a>&\u0001\u001f` + "\u2028\ufffd" + `"`: OfString("<a>&\x01\x1f\u2028\xff"), `"2026-01-02T03:04:35Z"`: OfKind(Time, 1767323075e9),
		`"1h30m"`: OfKind(Duration, 5400e9), `"10.0.0.1"`: {Kind: IP, S: "10.0.0.1"}, `[]`: {Kind: List}, `{}`: {Kind: Record},
	} {
		if got := string(AppendJSON(nil, v)); got != want {
			t.Errorf("%+v is %s, want %s", v, got, want)
		}
	}
}

func TestParseAs(t *testing.T) {
	of := func(k Kind) *Type { return &Type{Kind: List, Elem: &Type{Kind: k}} }
	record := &Type{Kind: Record, Fields: []Field{{"at", Type{Kind: Time}}, {"n", Type{Kind: Float}}}}
	tests := []struct {
		name, text string
		typ        *Type
		want       string
	}{
		{"ints among floats are floats", `[1,2.5]`, of(Float), `8[F1,F2.5]`},
		{"integral floats are ints", `[1.0,2e2]`, of(Int), `8[I1,I200]`},
		{"times", `["1970-01-01T00:00:00Z","x",5]`, of(Time), `8["1970-01-01T00:00:00Z",null,null]`},
		{"durations", `["90m"]`, of(Duration), `8["1h30m"]`},
		{"addresses", `["::ffff:1.2.3.4","A::","10.0.0.1","1.2.3"]`, of(IP), `8["1.2.3.4","a::","10.0.0.1",null]`},
		{"records", `{"n":1,"at":"1970-01-01T00:00:00Z","x":1}`, record, `9{"n":1,"at":"1970-01-01T00:00:00Z","x":1}`},
		{"not a list", `{}`, of(Int), `0null`},
		{"white space", ` [ 1 , 2 ] `, of(Int), `8[I1,I2]`},
		{"not JSON", `[1,`, of(Int), `0null`},
		{"text after it", `1 2`, &Type{Kind: Any}, `0null`},
		{"beyond int64", `9223372036854775808`, &Type{Kind: Any}, `39223372036854776000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := ParseAs([]byte(tt.text), tt.typ)
			got := plainText(v)
			if v.Kind == List && len(v.C.Elems) > 0 && (v.C.Elems[0].Kind == Int || v.C.Elems[0].Kind == Float) {
				got = "8["
				for i, e := range v.C.Elems {
					if i > 0 {
						got += ","
					}
					got += map[Kind]string{Int: "I", Float: "F"}[e.Kind] + string(AppendJSON(nil, e))
				}
				got += "]"
			}
			if got != tt.want {
				t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
			}
		})
	}
	n := ParseAs([]byte(`{"n":1,"x":1}`), record).C
	if n.Elems[0].Kind != Float || n.Elems[1].Kind != Int {
		t.Errorf("kinds %v and %v", n.Elems[0].Kind, n.Elems[1].Kind)
	}
}

func TestAlertIsJSON(t *testing.T) {
	a := Alert{
		ID: "f00", Rule: "card_testing", Version: "v1", Severity: "high", Title: `Small "charges"`, Tags: []string{"fraud", "card"},
		Key: []Named{{"card", OfString("c1")}, {"n", OfInt(5)}}, Time: 35e9, Start: 5e9, End: 35e9,
		Fields: []Named{{"charges", OfInt(3)}, {"text", Value{}}, {"mean", OfFloat(0.5)}}, Suppressed: 2, EventsTotal: 4,
		Events: []Evidence{{"small", 5e9, []byte("{\"a\":\r\n1}\n")}, {"", 35e9, []byte(`{}`)}},
	}
	const plain = `{"id":"f00","rule":"card_testing","version":"v1","severity":"high","title":"Small \"charges\"","tags":["fraud","card"],` +
		`"key":{"card":"c1","n":5},"time":"1970-01-01T00:00:35Z","start":"1970-01-01T00:00:05Z","end":"1970-01-01T00:00:35Z",` +
		`"fields":{"charges":3,"text":null,"mean":0.5},"suppressed":2,"events_total":4,` +
		`"events":[{"step":"small","time":"1970-01-01T00:00:05Z","event":{"a":  1}},{"time":"1970-01-01T00:00:35Z","event":{}}]}`
	if diff := cmp.Diff(plain, string(a.AppendJSON(nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a.Labels, a.Runbook, a.Window = []Label{{"team", "x"}}, "https://r", &Window{0, 60e9}
	a.Final, a.Approximate, a.Saturated = true, true, true
	var m map[string]any
	if err := json.Unmarshal(a.AppendJSON(nil), &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"labels": map[string]any{"team": "x"}, "runbook": "https://r", "final": true, "approximate": true, "saturated": true,
		"window": map[string]any{"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:01:00Z"},
	} {
		if diff := cmp.Diff(want, m[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEmptyAlertKeepsItsMembers(t *testing.T) {
	const want = `{"id":"","rule":"","version":"","severity":"","title":"","tags":[],"key":{},"time":"1970-01-01T00:00:00Z","start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:00:00Z","fields":{},"suppressed":0,"events_total":0,"events":[]}`
	if got := string((&Alert{}).AppendJSON(nil)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestAlertTimes compares the times of an alert, which are copied where they come again,
// with those of the time package.
func TestAlertTimes(t *testing.T) {
	moment := rapid.OneOf(rapid.SampledFrom([]int64{0, 1, -1, 1700000000123e6, 1700000000e9, 86400e9, 86400e9 - 1, -86400e9}), rapid.Int64(), rapid.Int64Range(1700000000e9, 1700000100e9))
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(moment, 5, 12).Draw(t, "times")
		a := Alert{Time: times[0], Start: times[1], End: times[2], Window: &Window{times[3], times[4]}}
		for i, ns := range times[5:] {
			a.Events = append(a.Events, Evidence{[]string{"", "a"}[i%2], ns, []byte(`{}`)})
		}
		got := string(a.AppendJSON([]byte("before")))
		for _, ns := range times {
			_, after, ok := strings.Cut(got, `Z"`)
			if want := `"` + time.Unix(0, ns).UTC().Format(time.RFC3339Nano) + `"`; !ok || !strings.HasSuffix(got[:len(got)-len(after)], want) {
				t.Fatalf("%v: want %s next in %s", times, want, got)
			}
			got = after
		}
	})
}

// TestPlainTwin compares the search by words with one by bytes.
func TestPlainTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching(`([a-z0-9 !#~]{0,20}["\\\x00\x1f\x7fé]?){0,3}`).Draw(t, "text"))
		i := rapid.IntRange(0, len(text)).Draw(t, "i")
		want := i
		for want < len(text) && text[want] != '"' && text[want] != '\\' && text[want] >= ' ' && text[want] < 0x80 {
			want++
		}
		if got := plain(text, i); got != want {
			t.Fatalf("%q from %d: %d, want %d", text, i, got, want)
		}
	})
}
