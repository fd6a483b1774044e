package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

const paymentRules = `event pay (time: at(ms)) { at int  card string  n int }
rule each { from pay emit { n: n } }
rule third { from pay by card window sliding 30d having count() == 3 }
`

// TestEngineDoesNotTakeFailedFetchesForIdleness has the fetches of a partition at its end
// fail for longer than an idle partition needs to move time on.
func TestEngineDoesNotTakeFailedFetchesForIdleness(t *testing.T) {
	cluster, r := newFake(t)
	set, errs := lang.Compile([]*source.File{{Name: "pay.cep", Text: `event pay (time: at(ms)) { at int }
rule silence { match pay -> !pay for 1s }`}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	topic := r.topic(t, 1)
	r.values(t, topic, `{"type":"pay","at":1700000000000}`)
	var broken atomic.Bool
	proxied(t, cluster, func(_ *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error) {
		if broken.Load() {
			return nil, errors.New("gone")
		}
		time.Sleep(20 * time.Millisecond)
		return send(), nil
	})
	c := r.open(t, Options{}, topic)
	store := state.NewMemory()
	outbox, err := state.OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	e, err := engine.New(ctx, engine.Options{
		Set: set, Store: store, Outbox: outbox,
		Inputs:   []engine.Input{{Source: c.Sources()[0], Idle: 500 * time.Millisecond}},
		Progress: func(*engine.Stats) { broken.Store(true) }, // the record is through
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if s := e.Stats(); err != nil || s.Records != 1 || s.IdleSteps != 0 || s.Alerts != 0 {
		t.Errorf("%d records, %d idle steps, %d alerts, error %v", s.Records, s.IdleSteps, s.Alerts, err)
	}
}

// fieldsOf runs rules over a source until the first alert is there, and returns its fields.
func fieldsOf(t *testing.T, rules string, s *Source, decode event.Options) string {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: rules}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	first := &firstAlert{stop: stop}
	e, err := engine.New(ctx, engine.Options{Set: set, Store: state.NewMemory(), Outbox: first, Inputs: []engine.Input{{Source: s, Decode: decode}}})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(first.Fields)
}

// firstAlert is an outbox that ends the run at the first alert.
type firstAlert struct {
	stop   context.CancelFunc
	Fields json.RawMessage
}

func (f *firstAlert) Append(_ *state.Batch, alert []byte) uint64 {
	if f.Fields == nil {
		json.Unmarshal(alert, f)
	}
	f.stop()
	return 1
}

func (f *firstAlert) Acknowledge(*state.Batch, map[string]uint64) {}
func (f *firstAlert) Last() uint64                                { return 0 }

// behindEngine runs an engine over a topic that is written to, and starts it anew, with a
// new client, again and again; in the end every event has been through it once.
func behindEngine(t *testing.T, r *rig) {
	set, errs := lang.Compile([]*source.File{{Name: "pay.cep", Text: paymentRules}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	store, err := state.OpenBadger(t.TempDir(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	topic := r.topic(t, 3)
	const rounds, each = 4, 96
	for round := range rounds {
		var records []*kgo.Record
		for i := range each {
			n := round*each + i
			v := fmt.Appendf(nil, `{"type":"pay","at":%d,"card":"c%d","n":%d}`, 1_700_000_000_000+int64(n)*1000, n/4, n)
			records = append(records, &kgo.Record{Topic: topic, Partition: int32(n % 3), Value: v})
		}
		r.produce(t, records...)
		runUntil(t, r, set, store, topic, (round+1)*each)
	}
	all := map[string][]int{}
	for _, a := range alerts(t, store) {
		all[a.Rule] = append(all[a.Rule], a.Fields.N)
	}
	var want []int
	for n := range rounds * each {
		want = append(want, n)
	}
	slices.Sort(all["each"])
	if diff := cmp.Diff(want, all["each"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(all["third"]); n != rounds*each/4 {
		t.Errorf("%d cards with a third payment, want %d", n, rounds*each/4)
	}
}

// runUntil runs an engine until the alerts of so many records are committed.
func runUntil(t *testing.T, r *rig, set *plan.Set, store *state.Badger, topic string, records int) {
	t.Helper()
	c := r.open(t, Options{}, topic)
	defer c.Close()
	outbox, err := state.OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	o := engine.Options{Set: set, Store: store, Outbox: outbox, CommitEvery: 20 * time.Millisecond}
	for _, s := range c.Sources() {
		o.Inputs = append(o.Inputs, engine.Input{Source: s, Decode: event.Options{}, Idle: 50 * time.Millisecond})
	}
	o.Committed = func(context.Context, uint64) error {
		done := 0
		for _, a := range alerts(t, store) {
			if a.Rule == "each" {
				done++
			}
		}
		if done >= records {
			stop()
		}
		return nil
	}
	e, err := engine.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatalf("%d of %d alerts when time was over", len(alerts(t, store)), records)
	}
}

type alert struct {
	Rule   string
	Fields struct{ N int }
}

func alerts(t *testing.T, store *state.Badger) (all []alert) {
	t.Helper()
	err := store.Scan(context.Background(), state.TableOutbox, nil, nil, func(_, value []byte) error {
		var a alert
		err := json.Unmarshal(value, &a)
		all = append(all, a)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}
