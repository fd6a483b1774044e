package engine

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

var _ machine.EventCodec = (*eventCodec)(nil)

var aValue = rapid.SampledFrom([]string{
	`1`, `0`, `-0`, `-1`, `12.50`, `0.05`, `-0.5`, `00`, `.5`, `5.`, `1e5`, `123456789012345678`, `1234567890123456789`, `9.999999999999999999`,
	`true`, `null`, `""`, `"a"`, `"pay"`, `"a\"b"`, `"\\"`, `"é"`, `[1,2]`, `{"n":1}`, ` 7 `, `"a:b"`, `"x" `, "\"\u0001\"",
	`"a text of more than sixty-four bytes, which is written in full each time it comes"`,
})

// TestPiecesMakeTheSameText: any JSON, and anything else, taken apart and put together is
// what it was, whatever came before it.
func TestPiecesMakeTheSameText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := make([]string, rapid.IntRange(1, 4).Draw(t, "texts"))
		for i := range texts {
			texts[i] = drawText(t)
		}
		var before pieces
		for i, text := range texts {
			var p pieces
			if !p.take([]byte(text), "pay") {
				if !bytes.Contains([]byte(text), []byte{hole}) {
					t.Fatalf("%q is not taken apart", text)
				}
				before = pieces{}
				continue
			}
			sh := newShape(1, "pay", string(p.text))
			if values, ok := sh.split(nil, []byte(text)); ok && !reflect.DeepEqual(values, p.values) {
				t.Fatalf("%q split into %q, taken apart into %q", text, values, p.values)
			}
			var values [][]byte
			if i > 0 && string(before.text) == sh.text {
				values = before.values
			}
			var b []byte
			for n, v := range p.values {
				var was []byte
				if values != nil {
					was = values[n]
				}
				b = appendValue(b, v, was)
			}
			if got, ok := sh.fill(nil, b, values); !ok || string(got) != text {
				t.Fatalf("%q is put together as %q, %v", text, got, ok)
			}
			before = p
		}
	})
}

func drawText(t *rapid.T) string {
	if rapid.IntRange(0, 4).Draw(t, "any") == 0 {
		return string(rapid.SliceOf(rapid.SampledFrom([]byte(`{"a":1,b\ 2.-}`+"\x00"))).Draw(t, "bytes"))
	}
	text := `{"type":"pay"`
	for i := range rapid.IntRange(0, 5).Draw(t, "fields") {
		text += fmt.Sprintf(`,"f%d":%s`, i, aValue.Draw(t, "value"))
	}
	return text + "}"
}

// FuzzEventRecord: bytes that are no event are an error; what is an event is written and
// read again as the same, and nothing is much longer than the bytes that say it.
func FuzzEventRecord(f *testing.F) {
	set := paySet(f)
	s := newShapes()
	c := newEventCodec(set, s)
	for _, text := range []string{`{"type":"pay","t":5,"x":"a"}`, `{"type":"pay","t":6,"x":"a"}`, "{\"type\":\"pay\",\"t\":1,\"x\":\"\\u0000\"} "} {
		ev := payEvent(f, c, text)
		f.Add(c.AppendEvent(nil, ev, nil, 0), false)
		f.Add(c.AppendEvent(nil, ev, ev, 1), true)
	}
	ev, err := c.decode("pay", 17, 5e9, []byte(`{"type":"pay","t":5,"x":"a"}`), beside{[]byte("k"), event.AppendHeader(nil, "h", []byte("v"))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.AppendEvent(nil, ev, nil, 0), false)
	f.Fuzz(func(t *testing.T, b []byte, follows bool) {
		c, other := newEventCodec(set, s), newEventCodec(set, s)
		var after *event.Event
		if follows {
			after = payEvent(t, other, `{"type":"pay","t":7,"x":"b"}`)
		}
		ev, err := c.ReadEvent(b, after, 3)
		if err != nil {
			return
		}
		if len(ev.JSON()) > 100*len(b)+maxShape {
			t.Fatalf("%d bytes are read as %d", len(b), len(ev.JSON()))
		}
		want := string(ev.JSON())
		again, err := newEventCodec(set, s).ReadEvent(other.AppendEvent(nil, ev, after, 9), after, 9)
		if err != nil || string(again.JSON()) != want || again.Time != ev.Time || again.At != ev.At || again.Offset != ev.Offset || again.Part != ev.Part {
			t.Fatalf("%+v is read again as %+v, %v", ev, again, err)
		}
		if !slices.Equal(metaTexts(set, ev), metaTexts(set, again)) {
			t.Fatalf("beside it was %q, and is %q", metaTexts(set, ev), metaTexts(set, again))
		}
	})
}

// metaTexts are an event's key and headers.
func metaTexts(set *plan.Set, ev *event.Event) []string {
	key, headers := ev.MetaOf(&set.Types[0].Layout, nil)
	return []string{fmt.Sprint(key == nil), string(key), string(headers)}
}

// payEvent decodes a text into an event of its own memory.
func payEvent(t interface{ Fatal(...any) }, c *eventCodec, text string) *event.Event {
	ev, err := c.decode("pay", 17, 5e9, []byte(text), beside{})
	if err != nil {
		t.Fatal(err)
	}
	own := *ev
	own.Text = bytes.Clone(ev.Text)
	return &own
}

func paySet(t interface{ Fatal(...any) }) *plan.Set {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: "event pay (time: t(s)) { t int x string }\nrule r { from pay emit { k: meta.key, h: meta.headers.h } }"}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	return set
}

// TestShapesAreBounded: a stream whose records all look different fills no store.
func TestShapesAreBounded(t *testing.T) {
	s := newShapes()
	var p pieces
	for i := range 100 {
		p.take(fmt.Appendf(nil, `{"f%d":1}`, i), "pay")
		s.of("pay", p.text)
	}
	p.take([]byte(`{"`+string(bytes.Repeat([]byte("x"), maxShape))+`":1}`), "pay")
	if s.of("other", p.text) != nil || len(s.list) != shapesPerType {
		t.Errorf("%d shapes of a type, want %d", len(s.list), shapesPerType)
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	c := newEventCodec(paySet(b), newShapes())
	ev := payEvent(b, c, `{"type":"pay","t":1700000000,"x":"c1000000","amount":512.34,"country":"AR","merchant":"m123"}`)
	after := payEvent(b, c, `{"type":"pay","t":1700000001,"x":"c1000000","amount":12.34,"country":"GB","merchant":"m125"}`)
	var text []byte
	for _, last := range []*event.Event{nil, after} {
		b.Run(fmt.Sprintf("follows=%v", last != nil), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text = c.AppendEvent(text[:0], ev, last, 1_700_000_000e9)
			}
		})
	}
}
