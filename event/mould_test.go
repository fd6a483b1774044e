package event

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// mouldDecoders returns two decoders of the same layouts, of which one makes no moulds.
func mouldDecoders(o Options) (withMoulds, plain *Decoder, layouts []*Layout) {
	dev := device()
	dev.TimeField, dev.TimeUnit = "i", Milli
	timed := &Layout{Schema: dev}
	timed.Add([]string{"i"}, Type{Kind: Int})
	timed.Add([]string{"s"}, Type{Kind: String})
	named := payment()
	named.Name, named.IDField = "named", "card"
	layouts = []*Layout{
		deviceLayout(),
		layoutOf(payment(), "card", "amount", "country", "merchant"),
		layoutOf(named, "ts", "amount", "card"),
		layoutOf(payment()),
	}
	layouts[3].Schema.Name = "bare"
	dev.Name = "timed"
	layouts = append(layouts, timed)
	withMoulds, plain = NewDecoder(layouts, o), NewDecoder(layouts, o)
	plain.moulds.off = true
	return withMoulds, plain, layouts
}

// compareMoulds decodes a batch of records with moulds and without.
func compareMoulds(t rapid.TB, o Options, records [][]byte) {
	d, plain, layouts := mouldDecoders(o)
	b, a, want := &Batch{}, &Arena{}, &Arena{}
	for i, r := range records {
		b.Add(int32(i%3), int64(i), int64(i)*7, r)
	}
	b.Text = append(b.Text, `"}}"}0`...)
	for i, r := range records {
		out, err := d.Decode(b, i, a)
		wantOut, wantErr := plain.Decode(b, i, want)
		if out != wantOut || fmt.Sprint(err) != fmt.Sprint(wantErr) || len(a.Events) != len(want.Events) {
			t.Fatalf("%q: outcome %d (%v), without moulds %d (%v)", r, out, err, wantOut, wantErr)
		}
		if out == Decoded {
			compareEvents(t, layouts, r, &a.Events[len(a.Events)-1], &want.Events[len(want.Events)-1])
		}
	}
	if got, want := d.AppendMismatches(nil), plain.AppendMismatches(nil); !slices.Equal(got, want) {
		t.Fatalf("%q: mismatches %v, without moulds %v", records, got, want)
	}
	if got, want := d.Undeclared(), plain.Undeclared(); !slices.Equal(got, want) {
		t.Fatalf("%q: undeclared %v, without moulds %v", records, got, want)
	}
}

func compareEvents(t rapid.TB, layouts []*Layout, record []byte, e, want *Event) {
	got := *e
	got.Text, got.Slots = want.Text, want.Slots
	if !reflect.DeepEqual(got, *want) || !bytes.Equal(e.Text, want.Text) {
		t.Fatalf("%q: event %+v, without moulds %+v", record, *e, *want)
	}
	l := layouts[e.Type]
	if !slices.Equal(e.Slots[:l.Words()], want.Slots[:l.Words()]) {
		t.Fatalf("%q: slots %x, without moulds %x", record, e.Slots, want.Slots)
	}
	for i, s := range l.Slots {
		if e.Has(i) && e.Slots[l.Words()+i] != want.Slots[l.Words()+i] {
			t.Fatalf("%q: %v is %x, without moulds %x", record, s.Path, e.Slots[l.Words()+i], want.Slots[l.Words()+i])
		}
	}
}

// FuzzMould compares a decoder with moulds with one without on streams of records, one a line.
func FuzzMould(f *testing.F) {
	like := `{"type":"payment","ts":1700000000123,"card":"c000123","amount":512.34,"country":"DE","merchant":"m042"}`
	for _, other := range []string{
		like, `{"type":"payment","ts":1.7e12,"card":null,"amount":-0.0,"country":"D\u0045","merchant":"é"}`,
		strings.Replace(like, `,"amount":512.34`, "", 1), strings.Replace(like, `card`, "specversion", 1), like[:60], like + "}",
		`{"specversion":"1.0","id":"1","source":"/s","type":"payment","data":` + like + `}`,
		`{"type": "named", "ts": 12, "card": "", "amount": 5}`, `{"ts":12,"type":"bare"}`, `{"type":"other"}`,
	} {
		f.Add([]byte(strings.Join([]string{like, like, other, like, other, other, like}, "\n")), false)
		f.Add([]byte(strings.Join([]string{other, other, like, other, like}, "\n")), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, typed bool) {
		o := Options{}
		if typed {
			o.Type = "payment"
		}
		compareMoulds(t, o, bytes.Split(stream, []byte("\n")))
	})
}

// TestMouldsChangeNothing compares on streams of records that are written mostly alike.
func TestMouldsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Type: rapid.SampledFrom([]string{"", "", "payment", "device", "timed"}).Draw(t, "type")}
		forms := rapid.SliceOfN(rapid.Custom(drawMembers), 1, 4).Draw(t, "forms")
		var records [][]byte
		for range rapid.IntRange(1, 60).Draw(t, "records") {
			records = append(records, drawRecord(t, rapid.SampledFrom(forms).Draw(t, "form")))
		}
		compareMoulds(t, o, records)
	})
}

var (
	mouldTypes  = []string{`"payment"`, `"payment"`, `"named"`, `"device"`, `"timed"`, `"bare"`, `"other"`, `5`}
	mouldKeys   = []string{"ts", "card", "amount", "country", "merchant", "i", "f", "s", "b", "t", "r", "l", "ip", "other", "ca\\u0072d", "specversion", "id", "source", "type"}
	mouldValues = []string{
		`"c000123"`, `"DE"`, `""`, `"a much longer text than a word"`, `"é"`, `"a\n"`, `"2026-01-02T03:04:05.5Z"`, `"1.2.3.4"`,
		`0`, `5`, `12345678`, `123456789`, `1700000000123`, `123456789012345678`, `-3`, `1e3`, `01`, `1.`, `.5`, `5.0`,
		`512.34`, `0.5`, `1234.567`, `12345.678`, `1234567.1234567`, `12345678.5`, `0.12345678`, `-0.0`, `1.5e3`, `9223372036854775807`, `99999999999999999999`, `12345678901234567890`,
		`true`, `false`, `null`, `tru`, `{}`, `{"x":1,"os":{"name":"n"}}`, `[1,"x"]`, `[`, `"`, "\"\xff\"", "\"\x01\"", ``,
	}
)

// drawMembers draws the names, values and spaces of a record.
func drawMembers(t *rapid.T) []string {
	n := rapid.IntRange(0, 6).Draw(t, "members")
	space := rapid.SampledFrom([]string{"", "", " "}).Draw(t, "space")
	var members []string
	for range n {
		members = append(members, drawMember(t, space))
	}
	typ := `"type":` + space + rapid.SampledFrom(mouldTypes).Draw(t, "type")
	at := rapid.IntRange(0, n).Draw(t, "type at") * rapid.IntRange(0, 1).Draw(t, "type late")
	return slices.Insert(members, at, typ)
}

func drawMember(t *rapid.T, space string) string {
	return `"` + rapid.SampledFrom(mouldKeys).Draw(t, "key") + `":` + space + drawValue(t)
}

// drawValue draws a value that is well-formed more often than not.
func drawValue(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
		return rapid.SampledFrom(mouldValues).Draw(t, "value")
	}
	return rapid.SampledFrom([]string{`"c000123"`, `1700000000123`, `512.34`, `7`, `"DE"`, `null`, `true`}).Draw(t, "value")
}

// drawRecord draws a record of a form: mostly with other values only.
func drawRecord(t *rapid.T, form []string) []byte {
	members := slices.Clone(form)
	for i, m := range members {
		if !strings.HasPrefix(m, `"type"`) && rapid.IntRange(0, 3).Draw(t, "other value") == 0 {
			key, _, _ := strings.Cut(m, ":")
			members[i] = key + ":" + strings.Repeat(" ", strings.Count(m, ": ")) + drawValue(t)
		}
	}
	i := rapid.IntRange(0, len(members)-1).Draw(t, "i")
	switch rapid.IntRange(0, 15).Draw(t, "change") {
	case 0:
		members = slices.Delete(members, i, i+1)
	case 1:
		members = slices.Insert(members, i, drawMember(t, ""))
	case 2:
		members[0], members[i] = members[i], members[0]
	case 3:
		members = append(members, members[i])
	}
	record := []byte("{" + strings.Join(members, rapid.SampledFrom([]string{",", ",", ",", ", "}).Draw(t, "comma")) + "}")
	switch rapid.IntRange(0, 40).Draw(t, "damage") {
	case 0:
		return record[:rapid.IntRange(0, len(record)).Draw(t, "end")]
	case 1:
		record[rapid.IntRange(0, len(record)-1).Draw(t, "place")] = rapid.Byte().Draw(t, "byte")
	case 2:
		return append(record, ' ')
	}
	return record
}

// TestMouldNumbers compares the short ways with numbers with the long ones.
func TestMouldNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{1,9}(\.[0-9]{1,9})?|[0-9]{7,20}`).Draw(t, "number")
		behind := text + rapid.SampledFrom([]string{",", "}", " ", "e5", "E", ".5", "-", "x"}).Draw(t, "behind") + strings.Repeat("7", 17)
		s := scanner{text: []byte(behind)}
		end := s.number(0)
		n, _ := parseInt([]byte(text))
		if got, at := shortNatural([]byte(behind), 0); at >= 0 && (at != end || got != n || at != len(text)) {
			t.Fatalf("%s: natural %d up to %d; the scanner stops at %d", behind, got, at, end)
		}
		x, _ := parseFloat([]byte(text))
		if got, after, at := shortDecimal([]byte(behind), 0); at >= 0 && (at != end || float64(got)/pow10[after] != x) {
			t.Fatalf("%s: decimal %d / 10^%d up to %d; the scanner stops at %d", behind, got, after, at, end)
		}
	})
}

// TestMouldIsUsed makes sure that records that are alike go the short way, and that a
// mould nobody fits any more is replaced.
func TestMouldIsUsed(t *testing.T) {
	l := layoutOf(payment(), "card", "amount", "country", "merchant")
	d, a, b := NewDecoder([]*Layout{l}, Options{}), &Arena{}, payments(100)
	for i := range b.Records {
		d.Decode(b, i, a)
	}
	if d.moulds.scanned != 1 {
		t.Errorf("the scanner took %d of 100 records, want the first alone", d.moulds.scanned)
	}
	spaced := &Batch{}
	for i := range b.Records {
		r := &b.Records[i]
		spaced.Add(0, int64(i), 0, bytes.ReplaceAll(b.Text[r.Start:r.End], []byte(","), []byte(" , ")))
	}
	for i := range spaced.Records {
		d.Decode(spaced, i, a)
	}
	if mo := d.moulds.list[0]; len(d.moulds.list) != 1 || mo.misses != 0 || d.moulds.scanned > 20 || !mo.parts[0].before.at([]byte(`{"type":"payment" , "ts":1`), 0) {
		t.Errorf("of %d moulds the first begins with %s after %d misses and %d scanned records", len(d.moulds.list), mo.parts[0].before.text, mo.misses, d.moulds.scanned)
	}
}

// TestEventsPlaceIsUsedAgain makes sure that nothing of an earlier event stays in its place.
func TestEventsPlaceIsUsedAgain(t *testing.T) {
	a := &Arena{Events: []Event{{Type: 9, Part: 9, Raw: 9, Offset: 9, Time: 9, At: 9, ID: 9, Text: []byte("9"), Slots: []uint64{9}, Side: []Value{{}}}}}
	for i, f := 0, reflect.ValueOf(a.Events[0]); i < f.NumField(); i++ {
		if f.Field(i).IsZero() {
			t.Fatalf("field %s of the old event is not set: extend this test, and finish", f.Type().Field(i).Name)
		}
	}
	a.Reset()
	d := NewDecoder([]*Layout{{Schema: &Schema{Name: "x"}}}, Options{Type: "x"})
	b := &Batch{}
	b.Add(0, 0, 0, []byte(`{}`))
	d.Decode(b, 0, a)
	if want := (Event{Raw: 2, Text: []byte(`{}`)}); !reflect.DeepEqual(a.Events[0], want) {
		t.Errorf("event %+v, want %+v", a.Events[0], want)
	}
}
