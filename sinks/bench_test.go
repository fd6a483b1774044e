package sinks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

// taking takes all.
type taking struct{}

func (taking) Deliver(_ context.Context, rows []sinks.Row) (int, error) { return len(rows), nil }
func (taking) Flush(context.Context) error                              { return nil }
func (taking) Close() error                                             { return nil }
func (taking) Concurrent() bool                                         { return true }

// BenchmarkDispatcher: what an alert of 600 bytes costs from an outbox in memory to a sink
// that takes all at once.
func BenchmarkDispatcher(b *testing.B) {
	for _, lanes := range []int{1, 4} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			const n = 100_000
			box := encoded{sinktest.Alerts(n), nil}
			for _, a := range box.Outbox {
				box.rows = append(box.rows, []byte(a))
			}
			b.ReportAllocs()
			for b.Loop() {
				d, err := sinks.NewDispatcher(box, []sinks.Target{{Name: "s", Sink: taking{}, Delivery: sinks.Delivery{Concurrency: lanes}}}, sinks.Options{})
				if err != nil {
					b.Fatal(err)
				}
				d.Drain()
				if err := d.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/alert")
		})
	}
}

// encoded is an outbox that copies nothing.
type encoded struct {
	sinktest.Outbox
	rows [][]byte
}

func (e encoded) Rows(_ context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	for i := int(after); i < len(e.rows); i++ {
		if err := visit(uint64(i+1), e.rows[i]); err != nil {
			return err
		}
	}
	return nil
}
