package sinktest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Outbox is one in memory: the alert at i has the number i+1.
type Outbox []string

// Rows is as of sinks.Outbox.
func (o Outbox) Rows(_ context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	for i := int(after); i < len(o); i++ {
		if err := visit(uint64(i+1), []byte(o[i])); err != nil {
			return err
		}
	}
	return nil
}

// Delivered is as of a sink never heard of.
func (o Outbox) Delivered(string) (uint64, error) { return 0, nil }

// Appended is as of an outbox just opened.
func (o Outbox) Appended() uint64 { return 0 }

// Alert is a whole alert, as the engine writes them, that differs by n.
func Alert(n int) string {
	return fmt.Sprintf(`{"id":"%032x","rule":"card_testing","version":"v1","severity":"high","title":"Card %d is <tested>","tags":["fraud","card"],`+
		`"labels":{"team":"payments"},"runbook":"https://wiki.example/card","key":{"card":"c%d"},"time":"2026-01-02T03:04:05.000Z",`+
		`"start":"2026-01-02T03:00:00.000Z","end":"2026-01-02T03:04:05.000Z","fields":{"charges":%d,"text":"a \"b\" & c"},"suppressed":0,"events_total":2,`+
		`"events":[{"step":"small","time":"2026-01-02T03:00:00.000Z","event":{"type":"Payment","amount":1.5}},{"step":"big","time":"2026-01-02T03:04:05.000Z","event":{"type":"Payment","amount":900}}]}`,
		n, n, n%7, n)
}

// Alerts are those of 1 to n.
func Alerts(n int) (all Outbox) {
	for i := 1; i <= n; i++ {
		all = append(all, Alert(i))
	}
	return all
}

// Rows are those alerts as a sink is handed them.
func Rows(n int) (rows []sinks.Row) {
	for i, alert := range Alerts(n) {
		rows = append(rows, sinks.Row{Number: uint64(i + 1), Alert: []byte(alert)})
	}
	return rows
}

// Result is what came of a delivery.
type Result struct {
	Err   error
	Dead  map[uint64]string // by row, why
	Stats sinks.Stats
}

// Deliver delivers all of the outbox to a sink, as quickly as it takes it: the first wait is
// a millisecond unless the delivery says more.
func Deliver(t testing.TB, to sinks.Sink, how sinks.Delivery, box Outbox) Result {
	t.Helper()
	return DeliverRouted(t, sinks.Target{Name: "sink", Sink: to, Delivery: how}, box)
}

// DeliverRouted is Deliver to a target with a router.
func DeliverRouted(t testing.TB, to sinks.Target, box Outbox) Result {
	t.Helper()
	if to.Backoff == 0 {
		to.Backoff, to.MaxBackoff = time.Millisecond, 8*time.Millisecond
	}
	if to.Open == 0 {
		to.Open = 10 * time.Millisecond
	}
	r := Result{Dead: map[uint64]string{}}
	var mu sync.Mutex
	d, err := sinks.NewDispatcher(box, []sinks.Target{to}, sinks.Options{
		Rejected: func(_ string, row sinks.Row, why error) error {
			mu.Lock()
			defer mu.Unlock()
			r.Dead[row.Number] = why.Error()
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Drain()
	r.Err = d.Run(t.Context())
	r.Stats = d.Stats()[0]
	return r
}
