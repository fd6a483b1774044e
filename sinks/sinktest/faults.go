package sinktest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Receiver is a server, and a sink for it, that Faults tries.
type Receiver struct {
	Name string // in the table
	Addr string // of the server
	Door *Door  // to it, where it must know its door; nil: each fault makes one
	Once bool   // it keeps ids itself, so that none may come again
	Most int    // alerts that it is sent at most, where it is slow by itself; 0: no bound

	// InProcess says that the server is in this process and keeps what it is sent, so that
	// memory is not that of the sink alone, and has no bound.
	InProcess bool

	// Patient says that the sink tries again itself for a while, which no one counts.
	Patient bool

	// Open returns a sink that reaches the server by another address.
	Open func(t testing.TB, addr string) sinks.Sink
	How  sinks.Delivery

	// IDs returns those of the alerts that the receiver has, as often as it has them.
	IDs func(t testing.TB) []string
}

// Long says that tests are to take as long, and as many alerts, as the proof of delivery.
func Long() bool { return os.Getenv("CEPHEUS_CRASH_LONG") != "" }

// fault is what happens to a receiver while alerts come.
type fault struct {
	name        string
	short, long time.Duration
	timeout     time.Duration // of an attempt
	fails       bool          // some attempts must have failed
	trouble     func(at time.Duration) trouble
}

func always(t trouble) func(time.Duration) trouble { return func(time.Duration) trouble { return t } }

func faults() []fault {
	return []fault{
		{"well", 300 * time.Millisecond, 10 * time.Second, 10 * time.Second, false, always(well)},
		{"down", 600 * time.Millisecond, 2 * time.Minute, 10 * time.Second, true, always(down)},
		{"flapping", 600 * time.Millisecond, time.Minute, 10 * time.Second, true, func(at time.Duration) trouble {
			return []trouble{down, well}[at/(50*time.Millisecond)%2]
		}},
		{"hanging", 600 * time.Millisecond, time.Minute, time.Second, true, always(hanging)},
		{"slow", 2500 * time.Millisecond, time.Minute, 30 * time.Second, false, always(slow)},
	}
}

// Faults delivers alerts, which come evenly, to a receiver that is in each kind of trouble
// meanwhile, and to another sink beside it. Nothing may be lost, nothing refused, nothing come
// again to a receiver that keeps ids; the other sink must have each alert in its turn, and
// memory must not grow with what waits. It prints a row of the table for each.
func Faults(t *testing.T, r Receiver) {
	if testing.Short() {
		t.Skip("seconds a fault")
	}
	for i, f := range faults() {
		t.Run(f.name, func(t *testing.T) { f.prove(t, r, i) })
	}
}

func (f fault) prove(t *testing.T, r Receiver, nth int) {
	n, span := r.alerts(), f.short
	if Long() {
		span = f.long
	}
	door := r.Door
	if door == nil {
		door = NewDoor(t, r.Addr)
	}
	box := &stream{first: uint64(nth+1) * 1_000_000, committed: make([]atomic.Int64, n+1)}
	beside := &beside{box: box, took: make([]time.Duration, 0, n)}
	to := sinks.Target{Name: r.Name, Sink: r.Open(t, door.Addr()), Delivery: r.delivery(n, f.timeout)}
	var dead atomic.Int64
	d, err := sinks.NewDispatcher(box, []sinks.Target{{Name: "beside", Sink: beside}, to}, sinks.Options{
		Rejected: func(_ string, row sinks.Row, why error) error {
			if dead.Add(1) == 1 {
				t.Errorf("alert %d is refused: %v", row.Number, why)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	memory := watchMemory(t)
	done := make(chan error, 1)
	go func() { done <- d.Run(t.Context()) }()
	door.during(span, f.trouble, func() { box.commit(t, d, n, span) })
	passed := time.Now()
	d.Drain()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	after := time.Since(passed)
	p99, peak := beside.p99(), memory() // before the receiver is read, which takes more
	all, different := box.own(t, r.IDs(t))
	Tell(t, r.Name, f.name, n, n-different, all-different, r.memory(peak), p99.Round(10*time.Microsecond).String(), after.Round(10*time.Millisecond).String())
	stats := d.Stats()[1]
	if different != n || r.Once && all != n || stats.Delivered != uint64(n) || f.fails && !r.Patient && stats.Retries == 0 {
		t.Errorf("%d alerts, %d different ones, of %d; %+v", all, different, n, stats)
	}
	if len(beside.took) != n || beside.outOfTurn != 0 {
		t.Errorf("the sink beside it has %d alerts, %d out of turn", len(beside.took), beside.outOfTurn)
	}
	if peak > mostMemory && !r.InProcess {
		t.Errorf("%d MiB of memory are in use more than before", peak>>20)
	}
}

// alerts is how many it is sent.
func (r Receiver) alerts() int {
	switch {
	case !Long():
		return 2000
	case r.Most > 0:
		return r.Most
	}
	return 100_000
}

// memory is a cell of the table.
func (r Receiver) memory(peak uint64) string {
	if r.InProcess {
		return "–"
	}
	return fmt.Sprintf("%d MiB", peak>>20)
}

// mostMemory is well below the 60 MB of 100,000 alerts that wait.
const mostMemory = 48 << 20

// delivery is one that gives nothing up, and soon sees that a receiver is back.
func (r Receiver) delivery(n int, timeout time.Duration) sinks.Delivery {
	how := r.How
	how.MaxRows, how.Timeout = 2*n, timeout
	how.Backoff, how.MaxBackoff, how.Open = 10*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond
	return how
}

// during has a server be in trouble for a while, in which something is done.
func (d *Door) during(span time.Duration, what func(at time.Duration) trouble, do func()) {
	begun := time.Now()
	d.set(what(0))
	stop := eachTime(10*time.Millisecond, func() {
		if now := what(min(time.Since(begun), span)); !d.is(now) {
			d.set(now)
		}
	})
	do()
	stop()
	d.set(well)
}

// stream is an outbox that holds no alert: it writes them when they are read. Its rows begin
// with 1, and their ids behind first.
type stream struct {
	first     uint64
	last      atomic.Uint64
	bytes     atomic.Uint64
	committed []atomic.Int64 // when each row was
}

// Rows is as of sinks.Outbox.
func (s *stream) Rows(_ context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	for row := after + 1; row <= s.last.Load(); row++ {
		if err := visit(row, []byte(Alert(int(s.first+row)))); err != nil {
			return err
		}
	}
	return nil
}

// Delivered is as of a sink never heard of.
func (s *stream) Delivered(string) (uint64, error) { return 0, nil }

// Appended is what was committed.
func (s *stream) Appended() uint64 { return s.bytes.Load() }

// commit commits n rows evenly over a time.
func (s *stream) commit(t *testing.T, d *sinks.Dispatcher, n int, span time.Duration) {
	t.Helper()
	begun := time.Now()
	for at := 0; at < n; time.Sleep(5 * time.Millisecond) {
		due := min(n, int(float64(n)*float64(time.Since(begun))/float64(span)))
		for ; at < due; at++ {
			s.bytes.Add(uint64(len(Alert(int(s.first) + at + 1))))
			s.committed[at+1].Store(time.Now().UnixNano())
		}
		s.last.Store(uint64(at))
		if err := d.Committed(t.Context(), uint64(at)); err != nil {
			t.Fatal(err)
		}
	}
}

// own counts the alerts of this outbox that a receiver has.
func (s *stream) own(t *testing.T, ids []string) (all, different int) {
	t.Helper()
	known := map[uint64]bool{}
	for _, text := range ids {
		id, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if id > s.first && id < s.first+uint64(len(s.committed)) {
			all++
			known[id] = true
		}
	}
	return all, len(known)
}

// beside is a sink that is well, and notes how long each row took to it.
type beside struct {
	box       *stream
	mu        sync.Mutex
	took      []time.Duration
	outOfTurn int
}

// Deliver takes all.
func (b *beside) Deliver(_ context.Context, rows []sinks.Row) (int, error) {
	now := time.Now().UnixNano()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rows {
		if r.Number != uint64(len(b.took))+1 {
			b.outOfTurn++
		}
		b.took = append(b.took, time.Duration(now-b.box.committed[r.Number].Load()))
	}
	return len(rows), nil
}

func (b *beside) Flush(context.Context) error { return nil }
func (b *beside) Close() error                { return nil }

func (b *beside) p99() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.took)
	return b.took[len(b.took)*99/100]
}

// watchMemory watches the memory of objects, dead ones that are not yet collected too, until
// it is asked for how much more than at first it was at most. It collects first: what the
// test took before, such as all that a receiver was found to have, would let as much of it
// again lie about, for the collector next comes when the heap is twice what then lived.
func watchMemory(t *testing.T) (most func() uint64) {
	t.Helper()
	runtime.GC()
	read := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	first, peak := read(), uint64(0)
	end := eachTime(20*time.Millisecond, func() { peak = max(peak, read()) })
	t.Cleanup(end)
	return func() uint64 {
		end()
		return max(peak, read(), first) - first
	}
}

// eachTime calls do at each of so many, until end is called, which waits for the last call; it
// may be called again.
func eachTime(every time.Duration, do func()) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				do()
			}
		}
	}()
	return sync.OnceFunc(func() { close(stop); <-stopped })
}

// Tell prints a row of the table of make faults: alerts, how many are lost and how many came
// again, and what else was measured.
func Tell(t testing.TB, sink, fault string, alerts, lost, again int, measured ...string) {
	t.Helper()
	row := fmt.Appendf(nil, "| %s | %s | %d | %d | %d |", sink, fault, alerts, lost, again)
	for i := range 3 {
		cell := "–"
		if i < len(measured) {
			cell = measured[i]
		}
		row = append(row, " "+cell+" |"...)
	}
	t.Log(string(row))
}
