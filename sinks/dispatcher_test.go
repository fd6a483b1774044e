package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outbox is a plain one: rows[i] has number first+i.
type outbox struct {
	mu        sync.Mutex
	first     uint64
	rows      []string
	before    int // how many rows were there when it was opened
	delivered map[string]uint64
	err       error
}

func newOutbox(n int) *outbox {
	o := &outbox{first: 1, delivered: map[string]uint64{}}
	o.add(n)
	o.before = n
	return o
}

// add appends n rows and returns the number of the last.
func (o *outbox) add(n int) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		o.rows = append(o.rows, fmt.Sprintf("alert %d", o.first+uint64(len(o.rows))))
	}
	return o.first + uint64(len(o.rows)) - 1
}

func (o *outbox) Rows(_ context.Context, after uint64, visit func(uint64, []byte) error) error {
	o.mu.Lock()
	rows, first, err := o.rows, o.first, o.err
	o.mu.Unlock()
	shared := []byte{}
	for i, r := range rows {
		if row := first + uint64(i); row > after && err == nil {
			shared = append(shared[:0], r...) // as a store does: valid until visit returns
			err = visit(row, shared)
		}
	}
	return err
}

func (o *outbox) Appended() (n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows[o.before:] {
		n += uint64(len(r))
	}
	return n
}

func (o *outbox) Delivered(sink string) (uint64, error) { return o.delivered[sink], o.err }

// sink remembers what was flushed. Before each delivery it asks gate, if there is one.
type sink struct {
	mu      sync.Mutex
	taken   []string
	flushed []string
	gate    func(rows []Row) error
	flush   error
	most    int // rows taken at once; 0: all
}

func (s *sink) Deliver(_ context.Context, rows []Row) (int, error) {
	if s.gate != nil {
		if err := s.gate(rows); err != nil {
			return 0, err
		}
	}
	if s.most > 0 {
		rows = rows[:min(s.most, len(rows))]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		s.taken = append(s.taken, fmt.Sprintf("%d:%s", r.Number, r.Alert))
	}
	return len(rows), nil
}

func (s *sink) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = append([]string(nil), s.taken...)
	return s.flush
}

func (s *sink) Close() error { return nil }

func (s *sink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushed
}

func wantRows(from, to int) (rows []string) {
	for i := from; i <= to; i++ {
		rows = append(rows, fmt.Sprintf("%d:alert %d", i, i))
	}
	return rows
}

func dispatcher(t testing.TB, box Outbox, o Options, targets ...Target) *Dispatcher {
	t.Helper()
	d, err := NewDispatcher(box, targets, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEachSinkGetsRowsInOrderFromItsOwnPosition(t *testing.T) {
	box := newOutbox(25)
	box.delivered = map[string]uint64{"b": 20}
	a, b := &sink{}, &sink{}
	d := dispatcher(t, box, Options{MaxRound: 3}, Target{Name: "a", Sink: a}, Target{Name: "b", Sink: b})
	d.Drain()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantRows(1, 25), a.got()); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRows(21, 25), b.got()); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"a": 25, "b": 25}, d.Acks()); diff != "" {
		t.Errorf("acks (-want +got):\n%s", diff)
	}
}

func TestRowsCommittedWhileRunningAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, s := newOutbox(0), &sink{}
		d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: s})
		result := make(chan error, 1)
		go func() { result <- d.Run(t.Context()) }()
		for n := 1; n <= 5; n++ {
			if err := d.Committed(t.Context(), box.add(2)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if diff := cmp.Diff(wantRows(1, 2*n), s.got()); diff != "" {
				t.Errorf("after commit %d (-want +got):\n%s", n, diff)
			}
		}
		d.Drain()
		if err := <-result; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := d.Committed(t.Context(), 11); !errors.Is(err, ErrStopped) {
			t.Errorf("commit after the end: %v", err)
		}
	})
}

func TestSlowSinkHoldsBackTheEngineAndNotTheOtherSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, fast := newOutbox(0), &sink{}
		step := make(chan struct{})
		slow := &sink{gate: func([]Row) error { <-step; return nil }}
		d := dispatcher(t, box, Options{MaxRound: 1}, Target{Name: "fast", Sink: fast}, Target{Name: "slow", Sink: slow, Delivery: Delivery{MaxRows: 10}})
		result, room := make(chan error, 1), make(chan error, 1)
		go func() { result <- d.Run(t.Context()) }()
		go func() { room <- d.Committed(t.Context(), box.add(12)) }()
		for delivered := range 2 {
			synctest.Wait()
			select {
			case err := <-room:
				t.Fatalf("room for 12 rows with %d delivered and a backlog of 10: %v", delivered, err)
			default:
			}
			if got := len(fast.got()); got != 12 {
				t.Fatalf("fast sink got %d rows beside the slow one", got)
			}
			step <- struct{}{}
		}
		if err := <-room; err != nil {
			t.Error(err)
		}
		close(step)
		d.Drain()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(wantRows(1, 12), slow.got()); diff != "" {
			t.Errorf("slow (-want +got):\n%s", diff)
		}
	})
}

// TestASlowSinkAtItsBoundIsFullAllAlong: it takes a row a second, and each that it takes makes
// room for a commit. It is full from the first that waits until less waits for a while.
func TestASlowSinkAtItsBoundIsFullAllAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox(0)
		slow := &sink{gate: func([]Row) error { time.Sleep(time.Second); return nil }}
		d := dispatcher(t, box, Options{MaxRound: 1}, Target{Name: "slow", Sink: slow, Delivery: Delivery{MaxRows: 8, Batch: 1}})
		result := make(chan error, 1)
		go func() { result <- d.Run(t.Context()) }()
		commit := func(n int) {
			if err := d.Committed(t.Context(), box.add(n)); err != nil {
				t.Error(err)
			}
		}
		if commit(8); len(d.Full()) > 0 {
			t.Error("as much as its bound waits, and it is full")
		}
		committing := make(chan struct{})
		go func() {
			for range 20 {
				commit(1)
				time.Sleep(300 * time.Millisecond) // an epoch, during which there is room
			}
			close(committing)
		}()
		time.Sleep(time.Millisecond)
		for since := time.Duration(0); since < 18*time.Second; since += 50 * time.Millisecond {
			if len(d.Full()) == 0 {
				t.Fatalf("%v after the first commit that waited it is not full", since)
			}
			time.Sleep(50 * time.Millisecond)
		}
		<-committing
		eight := time.Now() // rows wait, one goes a second, and two are a quarter
		for len(d.Full()) > 0 && time.Since(eight) < time.Minute {
			time.Sleep(50 * time.Millisecond)
		}
		if after := time.Since(eight); after < calm || after > calm+3*time.Second {
			t.Errorf("full until %v after the last commit", after)
		}
		d.Drain()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestCommittedHeedsItsContext(t *testing.T) {
	d := dispatcher(t, newOutbox(5), Options{}, Target{Name: "s", Sink: &sink{}, Delivery: Delivery{MaxRows: 1}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Committed(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFailingSinkEndsRunAndIsNotAcknowledged(t *testing.T) {
	boom := errors.New("boom")
	for name, bad := range map[string]*sink{
		"deliver": {gate: func(rows []Row) error {
			if rows[0].Number > 3 {
				return boom
			}
			return nil
		}},
		"flush": {flush: boom},
	} {
		t.Run(name, func(t *testing.T) {
			box := newOutbox(6)
			d := dispatcher(t, box, Options{MaxRound: 3}, Target{Name: "good", Sink: &sink{}}, Target{Name: "bad", Sink: bad})
			err := d.Run(t.Context())
			var failed *Error
			if !errors.As(err, &failed) || failed.Sink != "bad" || !errors.Is(err, boom) {
				t.Fatalf("run: %v", err)
			}
			if err := d.Committed(t.Context(), 6); !errors.Is(err, boom) {
				t.Errorf("committed: %v", err)
			}
			want := map[string]uint64{"deliver": 3, "flush": 0}[name]
			if got := d.Acks()["bad"]; got != want {
				t.Errorf("acknowledged %d, want %d", got, want)
			}
		})
	}
}

func TestEndedContextStopsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: &sink{}})
		result := make(chan error, 1)
		go func() { result <- d.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOutboxErrorIsTold(t *testing.T) {
	box := newOutbox(1)
	d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: &sink{}})
	box.err = errors.New("corrupt")
	if err := d.Run(t.Context()); !errors.Is(err, box.err) || !strings.Contains(err.Error(), "read outbox") {
		t.Errorf("run: %v", err)
	}
	if _, err := NewDispatcher(box, []Target{{Name: "s", Sink: &sink{}}}, Options{}); !errors.Is(err, box.err) {
		t.Errorf("new: %v", err)
	}
}

func TestWrongTargets(t *testing.T) {
	for name, targets := range map[string][]Target{
		"none": nil, "empty name": {{Sink: &sink{}}}, "twice": {{Name: "a", Sink: &sink{}}, {Name: "a", Sink: &sink{}}},
	} {
		if _, err := NewDispatcher(newOutbox(0), targets, Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewDispatcher(newOutbox(0), []Target{{Name: "a", Sink: &sink{}, Delivery: Delivery{MaxRows: -1}}}, Options{}); err == nil {
		t.Error("a negative bound was accepted")
	}
}

// TestNewSinkStartsAtWhatIsLeft: the rows below are gone, and it still counts as being
// where the others are.
func TestNewSinkStartsAtWhatIsLeft(t *testing.T) {
	box := &outbox{first: 101, delivered: map[string]uint64{}}
	s := &sink{}
	d := dispatcher(t, box, Options{}, Target{Name: "new", Sink: s, Delivery: Delivery{MaxRows: 5}})
	result := make(chan error, 1)
	go func() { result <- d.Run(t.Context()) }()
	if err := d.Committed(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	d.Drain()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if got := d.Acks()["new"]; got != 100 || len(s.got()) != 0 {
		t.Errorf("position %d, rows %v", got, s.got())
	}
}

func TestRoundEndsAtItsBytes(t *testing.T) {
	box, s := newOutbox(0), &sink{}
	for range 3 {
		box.rows = append(box.rows, strings.Repeat("x", roundBytes/2))
	}
	var rounds []int
	s.gate = func(rows []Row) error { rounds = append(rounds, len(rows)); return nil }
	d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: s})
	d.Drain()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 1}, rounds); diff != "" {
		t.Error(diff)
	}
}

// TestAnyInterleavingDeliversAll adds rows in random lots to random sinks.
func TestAnyInterleavingDeliversAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		box := newOutbox(rapid.IntRange(0, 5).Draw(r, "before"))
		names, all := rapid.IntRange(1, 3).Draw(r, "sinks"), []*sink{}
		var targets []Target
		to := Delivery{MaxRows: rapid.IntRange(1, 5).Draw(r, "backlog"), Batch: rapid.IntRange(0, 3).Draw(r, "batch")}
		for i := range names {
			all = append(all, &sink{})
			targets = append(targets, Target{Name: fmt.Sprint(i), Sink: all[i], Delivery: to})
		}
		o := Options{MaxRound: rapid.IntRange(1, 4).Draw(r, "round")}
		d := dispatcher(t, box, o, targets...)
		result := make(chan error, 1)
		go func() { result <- d.Run(context.Background()) }()
		last := box.add(0)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 9).Draw(r, "lots") {
			last = box.add(n)
			if err := d.Committed(context.Background(), last); err != nil {
				r.Fatal(err)
			}
		}
		d.Drain()
		if err := <-result; err != nil {
			r.Fatal(err)
		}
		for i, s := range all {
			if diff := cmp.Diff(wantRows(1, int(last)), s.got()); diff != "" {
				r.Errorf("sink %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

func TestRoundsReuseTheirMemory(t *testing.T) {
	var r round
	alert := bytes.Repeat([]byte("x"), 300)
	fill := func() {
		r.reset()
		for i := range 100 {
			r.add(uint64(i), alert)
		}
		r.rows()
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

func TestSinkThatTakesLessGetsTheRestAgain(t *testing.T) {
	s := &sink{most: 2}
	d := dispatcher(t, newOutbox(7), Options{MaxRound: 5}, Target{Name: "s", Sink: s})
	d.Drain()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantRows(1, 7), s.got()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// picky refuses some rows for good, after those before them.
type picky struct {
	sink
	refuses map[uint64]bool
}

func (p *picky) Deliver(ctx context.Context, rows []Row) (int, error) {
	for i, r := range rows {
		if p.refuses[r.Number] {
			return i, fmt.Errorf("post: %w", &RejectedError{Err: errors.New("too large")})
		}
		p.sink.Deliver(ctx, []Row{r})
	}
	return len(rows), nil
}

func TestRefusedRowsAreKeptAndDeliveryGoesOn(t *testing.T) {
	s := &picky{refuses: map[uint64]bool{1: true, 4: true, 5: true, 9: true}}
	var kept []string
	keep := func(sink string, row Row, why error) error {
		kept = append(kept, fmt.Sprintf("%s %d:%s %v", sink, row.Number, row.Alert, why))
		return nil
	}
	d := dispatcher(t, newOutbox(9), Options{MaxRound: 4, Rejected: keep}, Target{Name: "s", Sink: s})
	d.Drain()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := wantRows(1, 9)
	if diff := cmp.Diff([]string{all[1], all[2], all[5], all[6], all[7]}, s.got()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var want []string
	for _, i := range []int{0, 3, 4, 8} {
		want = append(want, "s "+all[i]+" too large")
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestRefusedRowThatNobodyKeepsEndsRun(t *testing.T) {
	full := errors.New("full")
	for name, keep := range map[string]func(string, Row, error) error{
		"nobody": nil, "nowhere to": func(string, Row, error) error { return full },
	} {
		s := &picky{refuses: map[uint64]bool{4: true}}
		d := dispatcher(t, newOutbox(9), Options{Rejected: keep}, Target{Name: "s", Sink: s})
		err := d.Run(t.Context())
		if rejected := (*RejectedError)(nil); keep == nil && !errors.As(err, &rejected) || keep != nil && !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if got := d.Acks()["s"]; got != 3 {
			t.Errorf("%s: acknowledged %d, want 3: what was taken before", name, got)
		}
	}
}
