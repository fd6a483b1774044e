package sinks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// answering answers the n-th attempt, from 1, and remembers when each came.
type answering struct {
	sink
	answer func(n int, rows []Row) error
	at     []time.Duration
	t0     time.Time
	mu     sync.Mutex
}

func (a *answering) Concurrent() bool { return true }

func (a *answering) Deliver(ctx context.Context, rows []Row) (int, error) {
	a.mu.Lock()
	if a.t0.IsZero() {
		a.t0 = time.Now()
	}
	a.at = append(a.at, time.Since(a.t0))
	n := len(a.at)
	a.mu.Unlock()
	if err := a.answer(n, rows); err != nil {
		return 0, err
	}
	return a.sink.Deliver(ctx, rows)
}

func down(after time.Duration) error {
	return fmt.Errorf("post: %w", &RetryError{Err: errors.New("down"), After: after})
}

// TestWaitsDoubleUpToABound: each is between half and one and a half.
func TestWaitsDoubleUpToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(n int, _ []Row) error {
			if n < 8 {
				return down(0)
			}
			return nil
		}}
		d := dispatcher(t, newOutbox(3), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Backoff: time.Second, MaxBackoff: 10 * time.Second, Failures: -1}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, bound := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
			if wait := s.at[i+1] - s.at[i]; wait < bound*time.Second/2 || wait > bound*3*time.Second/2 {
				t.Errorf("wait %d: %s, want about %d s", i+1, wait, bound)
			}
		}
		if got := d.Stats()[0]; got.Delivered != 3 || got.Retries != 7 || got.Rows != 0 || got.LastError != "post: down" {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhatAReceiverAsksForIsHeededInBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := []time.Duration{7 * time.Second, 20 * time.Second, 24 * time.Hour}
		s := &answering{answer: func(n int, _ []Row) error {
			if n <= len(asked) {
				return down(asked[n-1])
			}
			return nil
		}}
		d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{MaxRetryAfter: time.Minute, Failures: 1}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{0, 7 * time.Second, 27 * time.Second, 87 * time.Second}, s.at); diff != "" {
			t.Errorf("attempts at (-want +got):\n%s", diff)
		}
	})
}

func TestBreakerOpensAndOneAttemptTriesWhetherToClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(n int, _ []Row) error {
			if n < 6 {
				return down(0)
			}
			return nil
		}}
		d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Backoff: time.Millisecond, MaxBackoff: time.Millisecond, Failures: 3, Open: time.Minute}})
		d.Drain()
		done := make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		time.Sleep(30 * time.Second)
		if got := d.Stats()[0]; got.Breaker != "open" || got.Rows != 1 || got.Oldest != 30*time.Second {
			t.Errorf("in trouble: %+v", got)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var minutes []int
		for _, at := range s.at {
			minutes = append(minutes, int(at.Round(time.Minute)/time.Minute))
		}
		if diff := cmp.Diff([]int{0, 0, 0, 1, 2, 3}, minutes); diff != "" {
			t.Errorf("minutes of the attempts (-want +got):\n%s", diff)
		}
		if got := d.Stats()[0].Breaker; got != "closed" {
			t.Errorf("breaker %s at the end", got)
		}
	})
}

func TestAttemptsAreBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &hanging{times: 2}
		d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Timeout: time.Second}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.Stats()[0]; got.Retries != 2 || !strings.HasPrefix(got.LastError, "no answer within 1s; look whether it is well") {
			t.Errorf("%+v", got)
		}
	})
}

// hanging never answers so many times.
type hanging struct {
	sink
	times int
}

func (h *hanging) Deliver(ctx context.Context, rows []Row) (int, error) {
	if h.times--; h.times >= 0 {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return h.sink.Deliver(ctx, rows)
}

func TestRateAndBatchesAreHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(_ int, rows []Row) error {
			if len(rows) > 5 {
				t.Errorf("%d rows at once", len(rows))
			}
			return nil
		}}
		d := dispatcher(t, newOutbox(50), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Rate: 10, Burst: 5}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last := s.at[len(s.at)-1]; last < 4400*time.Millisecond || last > 4600*time.Millisecond {
			t.Errorf("50 rows at 10 a second with 5 at once: the last came after %s", last)
		}
	})
}

// oneByOne takes one row at a time, whatever it is handed.
type oneByOne struct{ answering }

func (o *oneByOne) Deliver(ctx context.Context, rows []Row) (int, error) {
	return o.answering.Deliver(ctx, rows[:1])
}

// TestRateIsOfWhatIsTaken: a sink that is handed many rows and takes one is not slower than
// its rate, and does not get its first late.
func TestRateIsOfWhatIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &oneByOne{answering{answer: func(int, []Row) error { return nil }}}
		d := dispatcher(t, newOutbox(50), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Rate: 10, Burst: 5}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last := s.at[len(s.at)-1]; len(s.at) != 50 || s.at[0] != 0 || last < 4400*time.Millisecond || last > 4600*time.Millisecond {
			t.Errorf("50 rows at 10 a second one by one, in %d attempts: the last came after %s", len(s.at), last)
		}
	})
}

// TestRateHoldsAfterTrouble: what the rate let go for attempts that came to nothing is not
// added to what it lets go once the receiver is back.
func TestRateHoldsAfterTrouble(t *testing.T) {
	const second, burst = 10, 5
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(n int, _ []Row) error {
			if n == 1 {
				return down(10 * time.Second)
			}
			return nil
		}}
		d := dispatcher(t, newOutbox(50), Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Rate: second, Burst: burst}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last := s.at[len(s.at)-1] - 10*time.Second; last < 4400*time.Millisecond || last > 4600*time.Millisecond {
			t.Errorf("50 rows at %d a second with %d at once: the last came %s after the receiver was back", second, burst, last)
		}
	})
}

func TestRowsThatAreNotTakenForTooLongAreDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(_ int, rows []Row) error {
			if rows[0].Number <= 2 {
				return down(0)
			}
			return nil
		}}
		dead := map[uint64]string{}
		keep := func(_ string, row Row, why error) error { dead[row.Number] = why.Error(); return nil }
		d := dispatcher(t, newOutbox(4), Options{Rejected: keep}, Target{Name: "s", Sink: s, Delivery: Delivery{Batch: 1, MaxElapsed: time.Hour}})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(dead) != 2 || !strings.HasPrefix(dead[1], "not taken for 1h0m") || !strings.HasSuffix(dead[1], ": post: down") {
			t.Errorf("dead: %v", dead)
		}
		if diff := cmp.Diff(wantRows(3, 4), s.got()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestFaultStopsOrWaitsAsWanted(t *testing.T) {
	fault := func(n int, _ []Row) error {
		if n < 4 {
			return &FaultError{errors.New("wrong password")}
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: fault}
		d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: s})
		d.Drain()
		if err := d.Run(t.Context()); err != nil || len(s.got()) != 1 || time.Since(s.t0) != 90*time.Second {
			t.Errorf("waits: %v, %v after %v", err, s.got(), time.Since(s.t0))
		}
	})
	d := dispatcher(t, newOutbox(1), Options{}, Target{Name: "s", Sink: &answering{answer: fault}, Delivery: Delivery{StopOnFault: true}})
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "wrong password") {
		t.Errorf("stops: %v", err)
	}
}

// TestOldestAreDroppedBeyondTheBounds: the receiver is down while rows come.
func TestOldestAreDroppedBeyondTheBounds(t *testing.T) {
	for name, bound := range map[string]Delivery{
		"rows": {MaxRows: 10}, "bytes": {MaxBytes: int64(10*len("alert 91") + 1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := false
				s := &answering{answer: func(int, []Row) error {
					if up {
						return nil
					}
					return down(0)
				}}
				bound.DropOldest, bound.Batch = true, 3
				box := newOutbox(0)
				d := dispatcher(t, box, Options{MaxRound: 7}, Target{Name: "s", Sink: s, Delivery: bound})
				done := make(chan error, 1)
				go func() { done <- d.Run(t.Context()) }()
				for range 20 {
					if err := d.Committed(t.Context(), box.add(5)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if got := d.Stats()[0]; got.Dropped != 90 || got.Rows != 10 || d.Acks()["s"] != 90 {
					t.Errorf("while it is down: %+v, acknowledged %v", got, d.Acks())
				}
				up = true
				d.Drain()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wantRows(91, 100), s.got()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestBytesHoldBackTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := make(chan struct{})
		s := &sink{gate: func([]Row) error { <-step; return nil }}
		box := newOutbox(3)
		d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: s, Delivery: Delivery{Batch: 1, MaxBytes: int64(4 * len("alert 1"))}})
		done, room := make(chan error, 1), make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		go func() { room <- d.Committed(t.Context(), box.add(3)) }()
		for range 2 {
			synctest.Wait()
			select {
			case <-room:
				t.Fatal("room for six rows where there is room for four")
			default:
			}
			step <- struct{}{}
		}
		if err := <-room; err != nil {
			t.Fatal(err)
		}
		close(step)
		d.Drain()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// keyed is an outbox of alerts with keys.
func keyed(keys []int) *outbox {
	box := newOutbox(0)
	for i, k := range keys {
		box.rows = append(box.rows, fmt.Sprintf(`{"id":"%d","title":"\"key\":{","key":{"k":"%d"},"time":"2026-01-01T00:00:00Z"}`, i, k))
	}
	return box
}

// TestLanesKeepTheOrderOfEachKey, with a receiver that fails now and then, and refuses some.
func TestLanesKeepTheOrderOfEachKey(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		keys := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 60).Draw(r, "keys")
		fails := rapid.SliceOfN(rapid.IntRange(0, 5), 40, 40).Draw(r, "fails")
		box := keyed(keys)
		var dead []uint64
		var mu sync.Mutex
		s := &answering{answer: func(n int, rows []Row) error {
			switch {
			case n <= len(fails) && fails[n-1] == 0:
				return down(0)
			case slices.ContainsFunc(rows, func(r Row) bool { return r.Number%11 == 0 }):
				return &RejectedError{Err: errors.New("eleven"), Batch: len(rows) > 1}
			}
			return nil
		}}
		how := Delivery{Concurrency: rapid.IntRange(1, 4).Draw(r, "lanes"), Batch: rapid.IntRange(0, 4).Draw(r, "batch"), Backoff: time.Microsecond, MaxBackoff: time.Microsecond, Open: time.Microsecond}
		keep := func(_ string, row Row, _ error) error {
			mu.Lock()
			dead = append(dead, row.Number)
			mu.Unlock()
			return nil
		}
		d := dispatcher(t, box, Options{MaxRound: rapid.IntRange(1, 30).Draw(r, "round"), MaxAhead: rapid.IntRange(0, 9).Draw(r, "ahead"), Rejected: keep}, Target{Name: "s", Sink: s, Delivery: how})
		d.Drain()
		if err := d.Run(context.Background()); err != nil {
			r.Fatal(err)
		}
		want, got := map[int][]string{}, map[string][]string{}
		for i, k := range keys {
			if (i+1)%11 != 0 {
				want[k] = append(want[k], fmt.Sprintf("%d:%s", i+1, box.rows[i]))
			}
		}
		for _, row := range s.got() {
			_, key, _ := strings.Cut(row, `"key":{"k":"`)
			got[key[:1]] = append(got[key[:1]], row)
		}
		for k, rows := range want {
			if diff := cmp.Diff(rows, got[fmt.Sprint(k)]); diff != "" {
				r.Errorf("key %d (-want +got):\n%s", k, diff)
			}
		}
		if len(dead) != len(keys)/11 || d.Acks()["s"] != uint64(len(keys)) {
			r.Errorf("dead %v, acknowledged %v", dead, d.Acks())
		}
	})
}

// TestStuckKeyHoldsUpItsLaneAlone, over rounds, until as much is in memory as may be.
func TestStuckKeyHoldsUpItsLaneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := []int{0}
		for i := range 3999 { // which keys share a lane is drawn anew in each process: of 400, many do
			keys = append(keys, 1+i%400)
		}
		release := make(chan struct{})
		s := &answering{answer: func(_ int, rows []Row) error {
			if rows[0].Number == 1 {
				<-release
			}
			return nil
		}}
		d := dispatcher(t, keyed(keys), Options{MaxRound: 10, MaxAhead: 100}, Target{Name: "s", Sink: s, Delivery: Delivery{Concurrency: 4, Batch: 5, Timeout: time.Hour}})
		d.Drain()
		done := make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		time.Sleep(time.Minute)
		w := d.workers[0]
		d.mu.Lock()
		held := w.progress.open
		d.mu.Unlock()
		if got := len(s.got()); got < 100 || held < 100 || held > 110 || d.Acks()["s"] != 0 {
			t.Errorf("%d rows delivered beside one that is stuck, %d held, acknowledged %v", got, held, d.Acks())
		}
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := len(s.got()); got != len(keys) || d.Acks()["s"] != uint64(len(keys)) {
			t.Errorf("%d rows, acknowledged %v", got, d.Acks())
		}
	})
}

// TestOldestOfAnyLaneIsDropped: lanes that wait hear of it.
func TestOldestOfAnyLaneIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(int, []Row) error { return down(time.Hour) }}
		box := keyed(make([]int, 0))
		d := dispatcher(t, box, Options{MaxRound: 7}, Target{Name: "s", Sink: s, Delivery: Delivery{Concurrency: 3, AnyOrder: true, MaxRows: 10, DropOldest: true, MaxRetryAfter: time.Hour}})
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		for range 20 {
			if err := d.Committed(t.Context(), box.add(5)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := d.Stats()[0]; got.Dropped != 90 || got.Rows != 10 || d.Acks()["s"] != 90 {
			t.Errorf("%+v, acknowledged %v", got, d.Acks())
		}
		end()
		<-done
	})
}

func TestOneDeliveryAtATimeWhereTheSinkSaysNothing(t *testing.T) {
	_, err := NewDispatcher(newOutbox(0), []Target{{Name: "s", Sink: &sink{}, Delivery: Delivery{Concurrency: 2}}}, Options{})
	if err == nil {
		t.Error("two at a time were accepted")
	}
}

// TestProgressIsThatOfItsTwin compares with a set of what is done.
func TestProgressIsThatOfItsTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var p progress
		done, next, acked, size := map[uint64]bool{}, uint64(1), uint64(0), 0
		var open []int
		held := 0
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			if len(open) == 0 || rapid.Bool().Draw(r, "read") {
				open = append(open, p.next())
				p.read(next, int(next))
				held += int(next)
				next++
				continue
			}
			i := rapid.IntRange(0, len(open)-1).Draw(r, "which")
			at := open[i]
			open = slices.Delete(open, i, i+1)
			done[uint64(at+1)] = true
			held -= at + 1
			last, bytes := p.finish(at)
			before := acked
			for done[acked+1] {
				acked++
				size += int(acked)
				bytes -= int(acked)
			}
			if acked > before && last != acked || acked == before && last != 0 || bytes != 0 {
				r.Fatalf("acknowledged %d, want %d; bytes off by %d", last, acked, bytes)
			}
			if p.open != len(open) || p.openBytes != held {
				r.Fatalf("%d rows of %d bytes are open, want %d of %d", p.open, p.openBytes, len(open), held)
			}
		}
	})
}

func TestAgesAreBoundedAndNeverTooYoung(t *testing.T) {
	var a ages
	t0 := time.Unix(0, 0)
	for row := uint64(1); row <= 10_000; row++ {
		a.add(row, t0.Add(time.Duration(row)*time.Second))
	}
	if len(a.marks) > maxAges {
		t.Errorf("%d marks", len(a.marks))
	}
	for _, row := range []uint64{1, 5000, 9999, 10_000} {
		if at := a.of(row).Unix(); at > int64(row) || at < int64(row)-5000 {
			t.Errorf("row %d is of second %d", row, at)
		}
	}
}

// router groups by the last digit of a row's number, and skips some.
type router struct{ wait, interval time.Duration }

func (g router) Route(r Row) Decision {
	switch {
	case r.Number%5 == 0:
		return Decision{Skip: "route"}
	case r.Number%7 == 0:
		return Decision{}
	}
	return Decision{Group: fmt.Sprint("g", r.Number%2), Wait: g.wait, Interval: g.interval}
}

func TestGroupsAreToldTogetherAndPacedByTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		var told []string
		s := &sink{gate: func(rows []Row) error {
			var numbers []uint64
			for _, r := range rows {
				numbers = append(numbers, r.Number)
			}
			told = append(told, fmt.Sprint(int(time.Since(t0)/time.Second), rows[0].Group, numbers))
			return nil
		}}
		box := newOutbox(0)
		d := dispatcher(t, box, Options{MaxRound: 3}, Target{Name: "s", Sink: s, Delivery: Delivery{Batch: 1}, Router: router{12 * time.Second, time.Minute}})
		done := make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		for range 5 { // at 0, 5, 10, … s
			if err := d.Committed(t.Context(), box.add(4)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if acked := d.Acks()["s"]; acked > 0 && time.Since(t0) < 12*time.Second {
				t.Errorf("acknowledged %d before a group was told", acked)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(2 * time.Minute)
		if err := d.Committed(t.Context(), box.add(1)); err != nil { // 21
			t.Fatal(err)
		}
		if err := d.Committed(t.Context(), box.add(2)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.Drain()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []string{
			"5[7]", "12g0[2 4 6 8 12]", "12g1[1 3 9 11]", "15[14]",
			"72g0[16 18]", "72g1[13 17 19]", "145[21]", "145g0[22]", "145g1[23]",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := d.Stats()[0]; got.Skipped["route"] != 4 || got.Delivered != 19 || d.Acks()["s"] != 23 {
			t.Errorf("%+v, acknowledged %v", got, d.Acks())
		}
	})
}

// TestGroupsAreBoundedInMemory: thousands of rows wait for an hour.
func TestGroupsAreBoundedInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		box := newOutbox(groupRows * 3)
		d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: s, Router: router{time.Hour, time.Hour}})
		done := make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		synctest.Wait()
		if w := d.workers[0]; w.groups.rows > groupRows || len(s.got()) == 0 {
			t.Errorf("%d rows in memory, %d delivered", w.groups.rows, len(s.got()))
		}
		d.Drain()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := d.Stats()[0]; got.Delivered+got.Skipped["route"] != groupRows*3 {
			t.Errorf("%+v", got)
		}
	})
}

// TestGroupsAreCollectedAgainAfterACrash: what waited in memory is still in the outbox.
func TestGroupsAreCollectedAgainAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, s := newOutbox(9), &sink{}
		to := Target{Name: "s", Sink: s, Router: router{time.Hour, time.Hour}}
		ctx, crash := context.WithTimeout(t.Context(), time.Minute)
		defer crash()
		d := dispatcher(t, box, Options{}, to)
		if err := d.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || len(s.got()) != 1 {
			t.Fatalf("%v, %v", err, s.got())
		}
		box.delivered = d.Acks()
		d = dispatcher(t, box, Options{}, to)
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range []int{2, 4, 6, 8, 1, 3, 9} {
			got = append(got, fmt.Sprintf("%d:alert %d", i, i))
		}
		if diff := cmp.Diff(got, s.got()[2:]); diff != "" { // 7, which no group held, came twice
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// positioned knows how far it was delivered to.
type positioned struct {
	sink
	row uint64
}

func (p *positioned) Position() (uint64, bool) { return p.row, p.row > 0 }

func TestReceiverMayKnowBetterHowFarItIs(t *testing.T) {
	for row, first := range map[uint64]int{0: 3, 1: 3, 5: 6} {
		s := &positioned{row: row}
		box := newOutbox(8)
		box.delivered["s"] = 2
		d := dispatcher(t, box, Options{}, Target{Name: "s", Sink: s})
		d.Drain()
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantRows(first, 8), s.got()); diff != "" {
			t.Errorf("receiver at %d (-want +got):\n%s", row, diff)
		}
	}
}
