package engine

import (
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

// BenchmarkRecent copies a batch of a thousand records of 100 bytes.
func BenchmarkRecent(b *testing.B) {
	r, from := NewRecent(16<<20), &reader{}
	var batch event.Batch
	for i := range 1000 {
		batch.Add(0, int64(i), 0, make([]byte, 100))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.add(from, &batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
