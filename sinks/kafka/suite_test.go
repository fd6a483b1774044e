package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cepheus-cep/cepheus/internal/wire"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOnFakeBroker(t *testing.T) {
	_, r := newFake(t, 3)
	suite(t, r)
}

func TestOnRealBroker(t *testing.T) {
	k := servers.StartKafka(t, 1)
	suite(t, newRig(t, k.Plain()))
	t.Run("logins", func(t *testing.T) { logins(t, k) })
	t.Run("the broker dies", func(t *testing.T) { brokerDies(t, k) })
}

func suite(t *testing.T, r *rig) {
	for name, test := range map[string]func(*testing.T, *rig){
		"records":                          records,
		"batches":                          batches,
		"alerts that are traced":           traced,
		"an alert too long is refused":     refused,
		"a crash at every request":         crashes,
		"answers are lost":                 lostAnswers,
		"attempts are cut short":           cutShort,
		"attempts without an answer":       unanswered,
		"others follow ones in doubt":      othersFollow,
		"a right is taken away":            rightTaken,
		"the newer process goes on":        fencing,
		"another state is refused":         otherState,
		"a copy of a state is refused":     oldCopy,
		"a transaction takes too long":     tooLong,
		"a clean end leaves nothing open":  cleanEnd,
		"settings are found at the start":  settings,
		"nothing is delivered, then a lot": claimAlone,
	} {
		t.Run(name, func(t *testing.T) { test(t, r) })
	}
}

// records looks at what a record holds, and where it lies.
func records(t *testing.T, r *rig) {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := r.topic(t, 4)
		o := r.options(topic)
		o.Compression = codec
		s := open(t, o)
		rows := rowsTo(40)
		rows = append(rows,
			sinks.Row{Number: 41, Alert: []byte(`{"id":"i","rule":"no_key","severity":"low","key":{}}`)},
			sinks.Row{Number: 42, Alert: []byte(`{"id":"i","rule":"two","severity":"low","key":{"a":"x","b":2}}`)},
			sinks.Row{Number: 43, Alert: []byte(`{"id":"i","rule":"number","severity":"low","key":{"a":17}}`)})
		if n, err := s.Deliver(t.Context(), rows); n != len(rows) || err != nil {
			t.Fatal(n, err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := r.read(t, topic)
		isExactly(t, got, rows)
		keys := map[string]string{"no_key": "", "two": `{"a":"x","b":2}`, "number": "17"}
		for _, g := range got {
			h := map[string]string{}
			for _, kv := range g.Headers {
				h[kv.Key] = string(kv.Value)
			}
			if want, special := keys[h["rule"]]; special && string(g.Key) != want || h["id"] == "" || h["severity"] == "" {
				t.Errorf("%s: key %q headers %v", g.Value, g.Key, h)
			}
			if p := kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(g, 4); g.Key != nil && p != int(g.Partition) {
				t.Errorf("key %s is in partition %d, other producers put it into %d", g.Key, g.Partition, p)
			}
			if time.Since(g.Timestamp) > time.Minute {
				t.Errorf("record of %s", g.Timestamp)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// traced wants each record to name the trace of its alert, and of no other, where there is one.
func traced(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		topic := r.topic(t, 3)
		o := r.transactional(topic)
		o.Transactional = transactional
		s, rows := open(t, o), rowsTo(40)
		even := func(alert []byte) string {
			if id := string(headOf(alert).id); (id[len(id)-1]-'0')%2 == 0 {
				return "00-of-" + id
			}
			return ""
		}
		if n, err := s.Deliver(sinks.WithAlertTraces(t.Context(), even), rows[:30]); n != 30 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := s.Deliver(t.Context(), rows[30:]); n != 10 || err != nil {
			t.Fatal(n, err)
		}
		got := r.read(t, topic)
		isExactly(t, got, rows)
		count := 0
		for _, g := range got {
			is, want := "", ""
			for _, h := range g.Headers {
				if h.Key == "traceparent" {
					is, count = string(h.Value), count+1
				}
			}
			if want = even(g.Value); is != want && is != "" {
				t.Errorf("%s has the trace %q, want %q", g.Value, is, want)
			}
		}
		if count != 15 {
			t.Errorf("%d records name a trace, want 15", count)
		}
	}
}

// batches writes many batches a partition.
func batches(t *testing.T, r *rig) {
	topic := r.topic(t, 3)
	o := r.options(topic)
	o.BatchBytes = 500
	s := open(t, o)
	rows := rowsTo(300)
	if err := deliverFrom(t.Context(), s, rows[:200], 100); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Deliver(t.Context(), rows[200:]); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	isExactly(t, r.read(t, topic), rows)
}

// refused wants long alerts refused, one after the other, and all others once.
func refused(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		topic := r.topic(t, 3, "max.message.bytes", "3000")
		o := r.transactional(topic)
		o.Transactional, o.Compression = transactional, "none"
		s := open(t, o)
		rows := rowsTo(120)
		var want []sinks.Row
		long := map[int]bool{0: true, 17: true, 18: true, 60: true, 119: true}
		for i := range rows {
			if long[i] {
				rows[i].Alert = append(rows[i].Alert[:len(rows[i].Alert)-1], `,"x":"`+strings.Repeat("x", 5000)+`"}`...)
			} else {
				want = append(want, rows[i])
			}
		}
		for i := 0; i < len(rows); {
			n, err := s.Deliver(t.Context(), rows[i:])
			if i += n; err == nil {
				continue
			}
			if !errors.As(err, new(*sinks.RejectedError)) || !long[i] {
				t.Fatalf("row %d: %v", i, err)
			}
			delete(long, i)
			i++
		}
		if len(long) > 0 {
			t.Errorf("not refused: %v", long)
		}
		isExactly(t, r.read(t, topic), want)
	}
}

// crashes ends a process before and after every request that it sends; then another comes.
func crashes(t *testing.T, r *rig) {
	topic := r.topic(t, 2)
	rows := rowsTo(0)
	for n, whole := 1, false; !whole; n++ {
		rows = rowsTo(len(rows) + 10)
		at := 0
		o := r.transactional(topic)
		err := process(t.Context(), o, rows, func(send func() error) error {
			if at++; at == n {
				return errCrash
			}
			err := send()
			if at++; at == n {
				return errCrash
			}
			return err
		})
		if whole = err == nil; err != nil && !errors.Is(err, errCrash) {
			t.Fatalf("crash at %d: %v", n, err)
		}
	}
	isExactly(t, r.read(t, topic), rows)
}

// process is a sink from its start to its end, or to a crash: after one, nothing is sent.
func process(ctx context.Context, o Options, rows []sinks.Row, around func(send func() error) error) error {
	if err := o.validate(); err != nil {
		return err
	}
	s, err := newSink(o)
	if err != nil {
		return err
	}
	defer s.cluster.Close()
	ctx, crash := context.WithCancelCause(ctx)
	defer crash(nil)
	send := s.send
	gate := make(chan struct{}, 1)
	s.send = func(ctx context.Context, broker int32, q wire.Request) error {
		gate <- struct{}{}
		defer func() { <-gate }()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := around(func() error { return send(ctx, broker, q) })
		if errors.Is(err, errCrash) {
			crash(errCrash)
		}
		return err
	}
	if err = s.start(ctx); err == nil {
		s.opening = false
		err = deliverFrom(ctx, s, rows, 4)
	}
	if err != nil && context.Cause(ctx) == errCrash {
		return errCrash
	}
	return err
}

// lostAnswers loses requests and answers at random, and goes on.
func lostAnswers(t *testing.T, r *rig) {
	for range 4 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		topic := r.topic(t, 3)
		rows := rowsTo(100)
		lost := 0
		err := process(t.Context(), r.transactional(topic), rows, func(send func() error) error {
			switch chance.IntN(10) {
			case 0:
				lost++
				return errLost
			case 1:
				lost++
				return errors.Join(send(), errLost)
			}
			return send()
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d lost", lost)
		isExactly(t, r.read(t, topic), rows)
	}
}

// cutShort ends an attempt before and after every request that it sends, and hands its rows to
// the same sink again.
func cutShort(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		topic := r.topic(t, 2)
		o := r.transactional(topic)
		o.Transactional, o.BatchBytes = transactional, 600 // several requests
		s := open(t, o)
		send, at, limit := s.send, 0, 0
		var cut context.CancelFunc
		gate := make(chan struct{}, 1)
		step := func() {
			if at++; at == limit {
				cut()
			}
		}
		s.send = func(ctx context.Context, broker int32, q wire.Request) error {
			gate <- struct{}{}
			defer func() { <-gate }()
			if step(); ctx.Err() != nil {
				return ctx.Err()
			}
			err := send(ctx, broker, q)
			if step(); ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		rows := rowsTo(0)
		for whole := false; !whole; {
			rows = rowsTo(len(rows) + 10)
			at, limit = 0, limit+1
			var ctx context.Context
			ctx, cut = context.WithCancel(t.Context())
			n, err := s.Deliver(ctx, rows[len(rows)-10:])
			cut()
			if whole = at < limit; err != nil && !errors.As(err, new(*sinks.RetryError)) {
				t.Fatalf("cut at %d: %v", limit, err)
			}
			if err == nil && n == 10 {
				continue
			}
			if again, err := s.Deliver(t.Context(), rows[len(rows)-10+n:]); n+again != 10 || err != nil {
				t.Fatalf("after a cut at %d: %d and %d, %v", limit, n, again, err)
			}
		}
		t.Logf("%d cuts", limit-1)
		isExactly(t, r.read(t, topic), rows)
	}
}

// eitherWay opens a sink over a topic of its own, with transactions or without.
func eitherWay(t *testing.T, r *rig, transactional bool) (s *Sink, topic string) {
	t.Helper()
	topic = r.topic(t, 1)
	o := r.transactional(topic)
	o.Transactional = transactional
	return open(t, o), topic
}

// unanswered is of brokers that are away for longer than an attempt may take, however they
// are: the next attempt is made.
func unanswered(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		s, topic := eitherWay(t, r, transactional)
		send := s.send
		for _, silent := range []bool{false, true} {
			s.send = func(ctx context.Context, broker int32, q wire.Request) error {
				if silent {
					<-ctx.Done()
				}
				return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			n, err := s.Deliver(ctx, rowsTo(3))
			cancel()
			if !errors.As(err, new(*sinks.RetryError)) || n != 0 {
				t.Errorf("transactional %v, silent %v: %d, %v", transactional, silent, n, err)
			}
		}
		s.send = send
		if n, err := s.Deliver(t.Context(), rowsTo(3)); n != 3 || err != nil {
			t.Errorf("transactional %v, back: %d, %v", transactional, n, err)
		}
		isExactly(t, r.read(t, topic), rowsTo(3))
	}
}

// othersFollow hands over other rows, as many, after an attempt whose answer was lost: the
// dispatcher has given the first up. The broker must not take them for a repeat.
func othersFollow(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		s, topic := eitherWay(t, r, transactional)
		send := s.send
		s.send = func(ctx context.Context, broker int32, q wire.Request) error {
			err := send(ctx, broker, q)
			if _, ok := q.(*produce); ok && err == nil {
				err = errLost
			}
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if n, err := s.Deliver(ctx, rowsTo(3)); n != 0 || err == nil {
			t.Fatal(n, err)
		}
		cancel()
		s.send = send
		if n, err := s.Deliver(t.Context(), rowsTo(6)[3:]); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		got := r.read(t, topic)
		isExactly(t, got[max(0, len(got)-3):], rowsTo(6)[3:])
	}
}

// rightTaken is of a user who may not write any more: someone has to mend that.
func rightTaken(t *testing.T, r *rig) {
	for _, transactional := range []bool{false, true} {
		s, _ := eitherWay(t, r, transactional)
		send := s.send
		s.send = func(ctx context.Context, broker int32, q wire.Request) error {
			err := send(ctx, broker, q)
			if p, ok := q.(*produce); ok && err == nil {
				p.parts[0].code = int16(kafka.TopicAuthorizationFailed)
			}
			return err
		}
		if _, err := s.Deliver(t.Context(), rowsTo(1)); !errors.As(err, new(*sinks.FaultError)) || !strings.Contains(err.Error(), "may not write topic") {
			t.Errorf("transactional %v: %v", transactional, err)
		}
	}
}

var errLost = errors.New("connection lost")

// fencing starts a second process on a copy of the state while the first is in the middle of
// a transaction.
func fencing(t *testing.T, r *rig) {
	topic := r.topic(t, 2)
	rows, said := rowsTo(30), &journal{}
	first := open(t, r.transactional(topic))
	if n, err := first.Deliver(t.Context(), rows[:10]); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	var second *Sink
	first.step = func(name string) error {
		if name == "written" && second == nil {
			o := r.transactional(topic)
			o.Log = said.logger()
			second = open(t, o)
		}
		return nil
	}
	_, err := first.Deliver(t.Context(), rows[10:20])
	var fenced *FencedError
	if !errors.As(err, &fenced) || !strings.Contains(err.Error(), "another process has taken over") {
		t.Fatalf("the first: %v", err)
	}
	if !said.has("transactional id taken over") {
		t.Error("the second says nothing")
	}
	if at, _ := second.Position(); at != 10 {
		t.Errorf("the second goes on behind row %d", at)
	}
	if err := deliverFrom(t.Context(), second, rows, 10); err != nil {
		t.Fatal(err)
	}
	first.step = func(string) error { return nil }
	if _, err := first.Deliver(t.Context(), rows[10:20]); !errors.As(err, &fenced) {
		t.Fatalf("the first, again: %v", err)
	}
	isExactly(t, r.read(t, topic), rows)
}

// otherState does not let a process of another state come, and does not harm the one there.
func otherState(t *testing.T, r *rig) {
	topic := r.topic(t, 2)
	rows := rowsTo(20)
	first := open(t, r.transactional(topic))
	o := r.transactional(topic)
	o.State = "state-b"
	for range 2 { // before there is an alert, and after
		_, err := Open(t.Context(), o)
		if !errors.As(err, new(*StateError)) || !strings.Contains(err.Error(), "belongs to the state state-a and this is state-b") {
			t.Fatal(err)
		}
		at, _ := first.Position()
		if n, err := first.Deliver(t.Context(), rows[at:at+10]); n != 10 || err != nil {
			t.Fatal(n, err)
		}
	}
	o.Adopt = true
	second := open(t, o)
	if at, ok := second.Position(); at != 0 || !ok {
		t.Errorf("adopted at %d", at)
	}
	if _, err := first.Deliver(t.Context(), rows[:1]); !errors.As(err, new(*FencedError)) {
		t.Error(err)
	}
	isExactly(t, r.read(t, topic), rows)
}

// oldCopy is of a state that has gone back.
func oldCopy(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	if err := deliverFrom(t.Context(), open(t, r.transactional(topic)), rowsTo(20), 10); err != nil {
		t.Fatal(err)
	}
	o := r.transactional(topic)
	o.LastRow = 15
	if _, err := Open(t.Context(), o); !errors.As(err, new(*StateError)) || !strings.Contains(err.Error(), "old copy") {
		t.Fatal(err)
	}
}

// tooLong lets the brokers undo a transaction of a process that is still there.
func tooLong(t *testing.T, r *rig) {
	if testing.Short() {
		t.Skip("brokers look every 10 s for transactions that take too long")
	}
	topic := r.topic(t, 2)
	o := r.transactional(topic)
	o.TransactionTimeout = time.Second
	s := open(t, o)
	rows, waited := rowsTo(20), false
	s.step = func(name string) error {
		if name == "written" && !waited {
			waited = true
			time.Sleep(12 * time.Second) // brokers look every 10 s
		}
		return nil
	}
	if err := deliverFrom(t.Context(), s, rows, 10); err != nil {
		t.Fatal(err)
	}
	isExactly(t, r.read(t, topic), rows)
}

// cleanEnd closes a sink in the middle of a transaction: readers wait for nothing.
func cleanEnd(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	s := open(t, r.transactional(topic))
	s.step = func(name string) error {
		if name == "written" {
			return errCrash
		}
		return nil
	}
	if _, err := s.Deliver(t.Context(), rowsTo(3)); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	isExactly(t, r.read(t, topic), nil)
}

// TestBrokerThatHangsUpIsTriedAgain at the start, where it resets connections as one does
// that is being killed.
func TestBrokerThatHangsUpIsTriedAgain(t *testing.T) {
	cluster, r := newFake(t, 1)
	topic := r.topic(t, 1)
	for _, o := range []Options{r.options(topic), r.transactional(topic)} {
		o.Brokers = []string{servers.Reluctant(t, cluster.ListenAddrs()[0], 3)}
		open(t, o)
	}
	o := r.options(topic)
	o.Brokers, o.StartTimeout = []string{servers.Reluctant(t, cluster.ListenAddrs()[0], 1<<40)}, 300*time.Millisecond
	if _, err := Open(t.Context(), o); !errors.As(err, new(*StartError)) || !strings.Contains(err.Error(), "mend tls or sasl, or the port in brokers, tried for 300ms") {
		t.Errorf("one that always hangs up: %v", err)
	}
}

// settings must be found wrong at once.
func settings(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	for want, change := range map[string]func(*Options){
		`topic "nosuch" does not exist; mend topic`: func(o *Options) { o.Topic = "nosuch" },
		"mend brokers": func(o *Options) { o.Brokers, o.StartTimeout = []string{"localhost:1"}, 300*time.Millisecond },
		"compression":  func(o *Options) { o.Compression = "zip" },
		"needs an id":  func(o *Options) { o.TransactionalID = "" },
		"needs a state": func(o *Options) {
			o.State = ""
		},
	} {
		o := r.transactional(topic)
		change(&o)
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	first := open(t, r.transactional(topic))
	if err := Probe(t.Context(), r.transactional(topic)); err != nil {
		t.Error(err)
	}
	if n, err := first.Deliver(t.Context(), rowsTo(1)); n != 1 || err != nil {
		t.Errorf("after a probe: %d, %v", n, err)
	}
	other := r.transactional(topic)
	other.State = "state-b"
	if err := Probe(t.Context(), other); !errors.As(err, new(*StateError)) {
		t.Errorf("a probe for another state: %v", err)
	}
	for _, state := range []string{"", "state-a"} {
		other.State = state
		if err := Probe(t.Context(), other); err != nil {
			t.Errorf("a probe for state %q: %v", state, err)
		}
	}
	if n, err := first.Deliver(t.Context(), []sinks.Row{row(2)}); n != 1 || err != nil {
		t.Errorf("after more of them: %d, %v", n, err)
	}
	isExactly(t, r.read(t, topic), rowsTo(2))
}

// claimAlone opens again and again without an alert.
func claimAlone(t *testing.T, r *rig) {
	topic := r.topic(t, 8)
	for range 3 {
		s := open(t, r.transactional(topic))
		if at, ok := s.Position(); at != 0 || !ok {
			t.Fatal(at, ok)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rows := rowsTo(5000)
	if err := deliverFrom(t.Context(), open(t, r.transactional(topic)), rows, 1000); err != nil {
		t.Fatal(err)
	}
	isExactly(t, r.read(t, topic), rows)
}

// brokerDies kills the broker while rows are delivered, with transactions
// and without.
func brokerDies(t *testing.T, k *servers.Kafka) {
	r, said := newRig(t, k.Plain()), &journal{}
	for _, transactional := range []bool{true, false} {
		topic := r.topic(t, 3)
		o := r.transactional(topic)
		o.Transactional, o.Log = transactional, said.logger()
		s := open(t, o)
		rows := rowsTo(4000)
		delivered := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		go func() {
			delivered <- deliverSlowly(ctx, s, rows)
		}()
		time.Sleep(time.Second)
		k.Kill(t, 1)
		time.Sleep(2 * time.Second)
		k.Again(t, 1)
		if err := <-delivered; err != nil {
			t.Fatal(err)
		}
		isExactly(t, r.read(t, topic), rows)
		if !said.has("alerts wait for Kafka") || !said.has("alerts go to Kafka again") {
			t.Error("nothing is said of it")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func deliverSlowly(ctx context.Context, s *Sink, rows []sinks.Row) error {
	for i := 0; i < len(rows); {
		n, err := s.Deliver(ctx, rows[i:min(i+10, len(rows))])
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		i += n
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
