package kafka

import (
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/internal/wire"
)

// BenchmarkHandOn is the cutting of a fetched answer, not compressed, into records, without a
// broker: ns a record.
func BenchmarkHandOn(b *testing.B) {
	const count = 4000
	var records []plainRecord
	for i := range count {
		records = append(records, plainRecord{Offset: int64(i), Time: 1_700_000_000_000, Key: []byte("card-12345"), Value: fmt.Appendf(nil, `{"type":"pay","at":1700000000000,"card":"c%05d","amount":%d,"pad":"0123456789012345678901234567"}`, i, i)})
	}
	answer := encode(records, 0)
	s := newSource(&Client{o: Options{MaxRecord: 1 << 20}}, &wire.Topic{Name: "t", ID: wire.TopicID{1}}, 0)
	var into event.Batch
	b.ReportAllocs()
	for b.Loop() {
		into.Reset()
		s.next, s.chunk = 0, chunk{records: answer, left: answer}
		if err := s.handOn(&into); err != nil || len(into.Records) != count {
			b.Fatal(len(into.Records), err)
		}
		into.Text = nil // it is the answer's
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/record")
}
