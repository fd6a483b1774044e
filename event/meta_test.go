package event

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// metaLayout has a field, the key and three headers.
func metaLayout() *Layout {
	l := layoutOf(device(), "s")
	for _, path := range [][]string{KeyPath(), HeaderPath("a"), HeaderPath("b"), HeaderPath("")} {
		l.Add(path, Type{Kind: String, Optional: true})
	}
	return l
}

// pair is a header.
type pair struct{ name, value string }

// The twin of takeMeta goes over a list of pairs.
func metaOf(key []byte, pairs []pair) map[string]string {
	m := map[string]string{}
	put := func(path string, text []byte) {
		delete(m, path)
		if text != nil && utf8.Valid(text) {
			m[path] = "string " + string(AppendJSON(nil, OfString(string(text))))
		}
	}
	put(".key", key)
	for _, p := range pairs {
		if p.name == "a" || p.name == "b" || p.name == "" {
			put(".headers."+p.name, nullable(p.value))
		}
	}
	return m
}

// nullable is a text, "null" standing for none.
func nullable(s string) []byte {
	if s == "null" {
		return nil
	}
	return []byte(s)
}

// TestKeysAndHeaders compares what events say of random keys and headers with the twin, in
// every form of record, by mould and by tape; and that they are written and read again.
func TestKeysAndHeaders(t *testing.T) {
	texts := rapid.SampledFrom([]string{"null", "", "x", "é\n", "\xff", "a longer text than sixteen bytes"})
	pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pair {
		return pair{rapid.SampledFrom([]string{"a", "b", "", "c"}).Draw(t, "name"), texts.Draw(t, "value")}
	}), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		l := metaLayout()
		o := Options{Format: rapid.SampledFrom([]Format{FormatJSON, FormatCSV}).Draw(t, "format")}
		d, a := NewDecoder([]*Layout{l}, o), &Arena{}
		b := &Batch{Header: [][]byte{[]byte("type,s")}}
		var want []map[string]string
		for i := range rapid.IntRange(1, 30).Draw(t, "records") {
			record := fmt.Sprintf(`{"type":"device","s":%q}`, []string{"v", "v\n"}[i%2])
			if o.Format == FormatCSV {
				record = "device,v"
			}
			b.Add(0, int64(i), 0, []byte(record))
			w := map[string]string{}
			if rapid.Bool().Draw(t, "beside") {
				key, pairs := nullable(texts.Draw(t, "key")), pairs.Draw(t, "headers")
				var headers []byte
				for _, p := range pairs {
					headers = AppendHeader(headers, p.name, nullable(p.value))
				}
				b.AddMeta(key, headers)
				w = metaOf(key, pairs)
			}
			want = append(want, w)
		}
		for i := range b.Records {
			if out, err := d.Decode(b, i, a); out != Decoded {
				t.Fatalf("record %d: %v", i, err)
			}
			e := &a.Events[i]
			got := textual(e, l)
			delete(got, "s")
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Fatalf("record %d (-want +got):\n%s", i, diff)
			}
			again := &Batch{Header: b.Header}
			r := b.Records[i]
			again.Add(0, 0, 0, b.Text[r.Start:r.End])
			again.AddMeta(e.MetaOf(l, nil))
			var other Arena
			if out, err := d.Decode(again, 0, &other); out != Decoded {
				t.Fatal(err)
			}
			if got = textual(&other.Events[0], l); got["s"] == "" {
				t.Fatal("the field is gone")
			}
			delete(got, "s")
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Fatalf("record %d, again (-want +got):\n%s", i, diff)
			}
		}
	})
}

// FuzzHeaders: bytes that are no headers are none, and nothing beyond them is read.
func FuzzHeaders(f *testing.F) {
	f.Add(AppendHeader(AppendHeader(nil, "a", []byte("x")), "b", nil))
	f.Add([]byte{2, 'a', 200, 200, 200, 200, 200, 200, 200, 200, 200, 1})
	f.Fuzz(func(t *testing.T, headers []byte) {
		l := metaLayout()
		b, a := &Batch{}, &Arena{}
		b.Add(0, 0, 0, []byte(`{"type":"device","s":"v"}`))
		b.AddMeta(nil, headers)
		if out, err := NewDecoder([]*Layout{l}, Options{}).Decode(b, 0, a); out != Decoded {
			t.Fatal(err)
		}
		textual(&a.Events[0], l)
	})
}

// TestNoRuleReadsMeta: where no slot asks for it, what is beside a record costs nothing.
func TestNoRuleReadsMeta(t *testing.T) {
	l := layoutOf(device(), "s")
	d, b, a := NewDecoder([]*Layout{l}, Options{}), &Batch{}, &Arena{}
	b.Add(0, 0, 0, []byte(`{"type":"device","s":"v"}`))
	b.AddMeta([]byte("k"), AppendHeader(nil, "a", []byte("x")))
	for range 20 {
		a.Reset()
		if out, err := d.Decode(b, 0, a); out != Decoded {
			t.Fatal(err)
		}
		if e := &a.Events[0]; len(e.Text) != int(e.Raw) {
			t.Fatalf("the event has %d bytes beside its record", len(e.Text)-int(e.Raw))
		}
	}
}
