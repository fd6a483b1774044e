package event

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// keyPart generates one part of a key.
func keyPart() *rapid.Generator[Value] {
	text := rapid.StringOf(rapid.RuneFrom([]rune{0, 1, 'a', 'b', 0xff, '世'}))
	return rapid.OneOf(
		rapid.Just(Value{}), rapid.Map(rapid.Bool(), OfBool), rapid.Map(rapid.Int64(), OfInt), rapid.Map(rapid.Float64(), OfFloat), rapid.Map(text, OfString),
		rapid.Map(rapid.Int64(), func(n int64) Value { return OfKind(Time, n) }), rapid.Map(rapid.Int64Range(-9, 9), func(n int64) Value { return OfKind(Duration, n) }),
		rapid.Map(text, func(s string) Value { return Value{Kind: IP, S: s} }),
	)
}

func TestKeysBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(keyPart(), 0, 5).Draw(t, "parts")
		var key []byte
		for _, p := range parts {
			key = AppendKey(key, p)
		}
		back, err := ParseKey(nil, key)
		if err != nil || len(back) != len(parts) {
			t.Fatalf("%x: %v, %v", key, back, err)
		}
		for i := range parts {
			if plainText(back[i]) != plainText(parts[i]) {
				t.Fatalf("part %d is %s, was %s", i, plainText(back[i]), plainText(parts[i]))
			}
		}
	})
}

func TestKeysOfOneKindAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, tail := keyPart().Draw(t, "a"), keyPart().Draw(t, "b"), keyPart().Draw(t, "tail")
		if a.Kind != b.Kind {
			return
		}
		got := bytes.Compare(AppendKey(AppendKey(nil, a), tail), AppendKey(AppendKey(nil, b), tail))
		if want := plainCompare(a, b); got != want {
			t.Fatalf("%s against %s: %d, want %d", plainText(a), plainText(b), got, want)
		}
	})
}

func plainCompare(a, b Value) int {
	switch a.Kind {
	case Float:
		return cmp.Compare(a.Float()+0, b.Float()+0)
	case String, IP:
		return strings.Compare(a.S, b.S)
	}
	return cmp.Compare(a.Int(), b.Int())
}

func TestZeroIsOneKey(t *testing.T) {
	if !bytes.Equal(AppendKey(nil, OfFloat(0)), AppendKey(nil, OfFloat(math.Copysign(0, -1)))) {
		t.Error("0 and -0 differ")
	}
}

// The bytes of keys and their hashes are in state directories.
func TestKeysAreStable(t *testing.T) {
	var key []byte
	for _, v := range []Value{{}, OfBool(true), OfInt(-2), OfFloat(1.5), OfKind(Time, 3), OfKind(Duration, 4), OfString("a\x00b"), {Kind: IP, S: "::1"}, {Kind: List, C: &Compound{Elems: []Value{OfInt(1)}}}} {
		key = AppendKey(key, v)
	}
	const want = "00" + "02" + "037ffffffffffffffe" + "04bff8000000000000" + "058000000000000003" + "068000000000000004" + "076100ff620000" + "083a3a310000" + "095b315d0000"
	if got := hex.EncodeToString(key); got != want {
		t.Errorf("key %s\nwant %s", got, want)
	}
	for n, want := range map[int]uint64{7: 0x83ba492f01dac0b, 8: 0x44f55dd6ac95711c, 16: 0xd7e36a3dfffdfdaa, 17: 0xc29b238266ffd805, 32: 0x31ba98ba46ddea2f, 33: 0x5e153985e2f51473} {
		if got := KeyHash(key[:n]); got != want {
			t.Errorf("hash of %d bytes %#x", n, got)
		}
	}
	if got := Hash(nil); got != 0xef46db3751d8e999 { // XXH64 of nothing, from its specification
		t.Errorf("hash %#x", got)
	}
	if got := Hash([]byte("cepheus")); got != 0x17c7a4dab289157f {
		t.Errorf("hash %#x", got)
	}
}

// TestTextsAreKeysOfEveryLength compares the quick way of a text with one that knows
// nothing of words: texts of every length, with zeros, and with and without room.
func TestTextsAreKeysOfEveryLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching("[a-c\x00]{0,80}").Draw(t, "text"))
		want := []byte{tagString}
		for _, c := range text {
			if want = append(want, c); c == 0 {
				want = append(want, 0xff)
			}
		}
		want = append(want, 0, 0)
		room := make([]byte, 1, 1+rapid.IntRange(0, 200).Draw(t, "room"))
		if got := AppendTextKey(room, text)[1:]; !bytes.Equal(got, want) {
			t.Fatalf("%q: %x, want %x", text, got, want)
		}
	})
}

// TestKeyHashesAreSpread: the hashes of keys that hardly differ differ in what chooses slots
// and places.
func TestKeyHashesAreSpread(t *testing.T) {
	var slot, place [256]int
	const n = 64 << 10
	for i := range n {
		h := KeyHash(AppendKey(nil, OfString(fmt.Sprintf("c%06d", i))))
		slot[h&255]++
		place[h>>8&255]++
	}
	for i := range slot {
		if slot[i] < n/256/2 || slot[i] > n/256*2 || place[i] < n/256/2 || place[i] > n/256*2 {
			t.Fatalf("%d keys of slot %d, %d of place %d; want some %d", slot[i], i, place[i], i, n/256)
		}
	}
}

func TestSlotsMakeTheSameKeys(t *testing.T) {
	l := deviceLayout()
	d := NewDecoder([]*Layout{l}, Options{Type: "device"})
	for _, record := range []string{
		`{"s":"a\u0000b","i":-5,"f":-0.0,"b":true,"t":"2026-01-02T03:04:05Z","d":"90m","ip":"::FFFF:10.1.2.3","a":[1,"y"],"l":[1,2]}`, `{"a":"text","s":""}`, `{"a":5}`,
	} {
		_, e, _ := decodeOne(t, d, record)
		for i, s := range l.Slots {
			if got, want := e.AppendKey(nil, l, i), AppendKey(nil, e.Value(l, i)); !bytes.Equal(got, want) {
				t.Errorf("%s %v: %x, want %x", record, s.Path, got, want)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("\x07a\x00\xffb\x00\x00\x03\x80\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("\x07a\x00"))
	f.Fuzz(func(t *testing.T, key []byte) {
		parts, err := ParseKey(nil, key)
		if err != nil || bytes.ContainsRune(key, rune(tagJSON)) || bytes.IndexByte(key, tagFloat) >= 0 {
			return // JSON and floats have several forms that read alike
		}
		var back []byte
		for _, p := range parts {
			back = AppendKey(back, p)
		}
		if !bytes.Equal(back, key) {
			t.Fatalf("%x reads as %v, which is %x", key, parts, back)
		}
	})
}

func TestKeysAllocateNothing(t *testing.T) {
	l := deviceLayout()
	_, e, _ := decodeOne(t, NewDecoder([]*Layout{l}, Options{Type: "device"}), `{"s":"card","i":5,"f":1.5}`)
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		Hash(e.AppendKey(e.AppendKey(e.AppendKey(buf, l, 0), l, 1), l, 2))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkKeyHash(b *testing.B) {
	l := deviceLayout()
	_, e, _ := decodeOne(b, NewDecoder([]*Layout{l}, Options{Type: "device"}), `{"s":"c000123"}`)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		Hash(e.AppendKey(buf, l, 0))
	}
}

// TestTextKeyHashIsThatOfTheKey compares the hash that is taken without the key with that
// of the key, over texts of every length, zeros in some.
func TestTextKeyHashIsThatOfTheKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 40).Draw(t, "text")
		zero := rapid.IntRange(-40, len(text)-1).Draw(t, "zero")
		if zero >= 0 {
			text[zero] = 0
		}
		want := KeyHash(AppendTextKey(nil, text))
		if zero >= 0 || len(text) < 5 || len(text) > 28 {
			want = 0
		}
		if got := TextKeyHash(text); got != want {
			t.Fatalf("TextKeyHash(%q) = %x, want %x", text, got, want)
		}
	})
}

// TestDecoderLeavesHashesOfKeys: each keyed text has its hash behind the values, by the
// scanner and by moulds, and in an array that held something else before.
func TestDecoderLeavesHashesOfKeys(t *testing.T) {
	l := layoutOf(device(), "s", "i")
	l.Keyed = []int{0}
	rapid.Check(t, func(t *rapid.T) {
		d, b, a := NewDecoder([]*Layout{l}, Options{Type: "device"}), &Batch{}, &Arena{}
		var want []uint64
		for i := range rapid.IntRange(1, 30).Draw(t, "records") {
			text := rapid.SampledFrom([]string{"", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh", "abcdefghijklmnop", "ab\x00cde", "日本語", "a\\b\"cde"}).Draw(t, "s")
			want = append(want, TextKeyHash([]byte(text)))
			record := AppendJSON(nil, OfString(text))
			if rapid.IntRange(0, 9).Draw(t, "nil") == 0 {
				record, want[i] = []byte("null"), 0
			}
			b.Add(0, int64(i), 0, slices.Concat([]byte(`{"i":1,"s":`), record, []byte("}")))
		}
		for range 2 {
			a.Reset()
			for i := range b.Records {
				if out, err := d.Decode(b, i, a); out != Decoded {
					t.Fatalf("record %d: %v", i, err)
				}
				e := &a.Events[i]
				if got := e.Slots[l.HashAt(0)]; len(e.Slots) != l.Width() || got != want[i] {
					t.Fatalf("hash of %s is %x, want %x", e.JSON(), got, want[i])
				}
			}
		}
	})
}

// TestTextKeyWordsAreThoseOfTheKey compares them with the key.
func TestTextKeyWordsAreThoseOfTheKey(t *testing.T) {
	for n := range 20 {
		text := []byte("abcdefghijklmnopqrstuvwxyz")[:n]
		key := append(AppendTextKey(nil, text), 0, 0, 0, 0)
		first, last, at := TextKeyWords(text)
		if n < 5 || n > 15 {
			if at >= 0 {
				t.Errorf("of %d bytes there are words", n)
			}
			continue
		}
		if first != binary.LittleEndian.Uint64(key) || last != binary.LittleEndian.Uint64(key[at:]) || n+1 > max(8, at+8) {
			t.Errorf("of %d bytes: %x, and %x at %d", n, first, last, at)
		}
	}
}
