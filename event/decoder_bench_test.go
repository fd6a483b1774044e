package event

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// payment is the schema that benchmarks and most tests decode.
func payment() *Schema {
	opt := Type{Kind: String, Optional: true}
	return &Schema{
		Name: "payment", TimeField: "ts", TimeUnit: Milli,
		Fields: []Field{
			{"ts", Type{Kind: Time}},
			{"card", Type{Kind: String}},
			{"amount", Type{Kind: Float}},
			{"country", Type{Kind: String}},
			{"merchant", opt},
		},
	}
}

// layoutOf lays out the named top-level fields.
func layoutOf(s *Schema, names ...string) *Layout {
	l := &Layout{Schema: s}
	t := s.Type()
	for _, n := range names {
		l.Add([]string{n}, t.Field(n).Type)
	}
	return l
}

func payments(n int) *Batch {
	b := &Batch{}
	for i := range n {
		rec := fmt.Sprintf(`{"type":"payment","ts":%d,"card":"c%06d","amount":%d.%02d,"country":"DE","merchant":"m%03d"}`,
			1700000000000+i*37, i*7919%10000, i*31%1000, i%100, i%500)
		b.Add(0, int64(i), 0, []byte(rec))
	}
	return b
}

func BenchmarkDecode(b *testing.B) {
	for _, fields := range [][]string{{}, {"card", "amount"}, {"card", "amount", "country", "merchant"}} {
		b.Run(fmt.Sprintf("slots=%d", len(fields)), func(b *testing.B) {
			benchmarkDecode(b, payments(10_000), layoutOf(payment(), fields...), Options{})
		})
	}
}

func BenchmarkDecodeShapes(b *testing.B) {
	for name, record := range map[string]string{
		"text=rfc3339": `{"type":"device","t":"2026-01-02T03:04:05.123Z","s":"c000123","f":512.34,"i":7}`,
		"nested":       `{"type":"device","s":"c000123","r":{"x":1,"os":{"name":"linux","major":6}},"tags":["a","b",{"c":[1,2,3]}]}`,
		"spaces":       `{"type": "device", "t": "2026-01-02T03:04:05.123Z", "s": "c000123", "f": 512.34, "i": 7}`,
		"escapes":      `{"type":"device","s":"a \"quoted\" word\n","i":7,"f":1.5e3}`,
		"envelope":     `{"specversion":"1.0","id":"1","source":"/s","type":"com.x.device","time":"2026-01-02T03:04:05Z","data":{"s":"x","i":5}}`,
	} {
		b.Run(name, func(b *testing.B) {
			batch := &Batch{}
			for i := range 1000 {
				batch.Add(0, int64(i), 0, []byte(record))
			}
			benchmarkDecode(b, batch, deviceLayout(), Options{})
		})
	}
	b.Run("optional", func(b *testing.B) {
		batch := &Batch{}
		for i := range 1000 {
			record := `{"type":"device","s":"c000123","i":7,"f":512.34,"b":true,"o":"x"}`
			if i*7919%1000 < 300 { // in no pattern
				record = `{"type":"device","s":"c000123","f":512.34,"b":true,"o":"x"}`
			}
			batch.Add(0, int64(i), 0, []byte(record))
		}
		benchmarkDecode(b, batch, deviceLayout(), Options{})
	})
	b.Run("csv", func(b *testing.B) {
		batch := &Batch{Header: [][]byte{[]byte("type,ts,card,amount,country,merchant")}}
		for i := range 1000 {
			batch.Add(0, int64(i), 0, fmt.Appendf(nil, "payment,%d,c%06d,%d.%02d,DE,m%03d", 1700000000000+i, i, i, i%100, i%500))
		}
		benchmarkDecode(b, batch, layoutOf(payment(), "card", "amount", "country", "merchant"), Options{Format: FormatCSV})
	})
}

// benchmarkDecode decodes a batch again and again, a thousand events an arena. Beside the
// mean it reports what a record costs in the fastest of these thousands, which other work
// on the machine does not disturb.
func benchmarkDecode(b *testing.B, batch *Batch, l *Layout, o Options) {
	arena, d := &Arena{}, NewDecoder([]*Layout{l}, o)
	for i := range 1000 { // the arena grows before the clock starts
		d.Decode(batch, i%len(batch.Records), arena)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(batch.Text) / len(batch.Records)))
	best, start := time.Duration(math.MaxInt64), time.Now()
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			if i > 0 {
				best = min(best, time.Since(start))
			}
			arena.Reset()
			start = time.Now()
		}
		if out, err := d.Decode(batch, i%len(batch.Records), arena); out != Decoded {
			b.Fatal(out, err)
		}
	}
	if best < math.MaxInt64 {
		b.ReportMetric(float64(best.Nanoseconds())/1000, "least-ns/op")
	}
}

func BenchmarkAlert(b *testing.B) {
	record := []byte(`{"type":"payment","ts":1700000000123,"card":"c000123","amount":512.34,"country":"DE","merchant":"m042"}`)
	a := &Alert{
		ID: "0123456789abcdef0123456789abcdef", Rule: "sequence", Version: "1f2e3d4c5b6a", Severity: "medium",
		Key: []Named{{"card", OfString("c000123")}}, Time: 1700000000123e6, Start: 1700000000100e6, End: 1700000000123e6,
		Fields: []Named{{"first", OfFloat(12.34)}, {"second", OfFloat(951.07)}}, EventsTotal: 2,
		Events: []Evidence{{"a", 1700000000100e6, record}, {"b", 1700000000123e6, record}},
	}
	text := a.AppendJSON(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	best, start := time.Duration(math.MaxInt64), time.Now()
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			if i > 0 {
				best = min(best, time.Since(start))
			}
			start = time.Now()
		}
		text = a.AppendJSON(text[:0])
	}
	b.ReportMetric(float64(best.Nanoseconds())/1000, "least-ns/op")
}
