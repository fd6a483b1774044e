package statesoak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Soak is a long stream by many keys, each of which is alive most of the time.
type Soak struct {
	Watcher
	Dir    string // for files that are removed by whoever made it
	Events int    // that count: two windows full come before them
	Keys   int
	Cache  string
}

// Stops are starts and stops over what a soak has left, in seconds.
type Stops struct {
	First  float64 // start to the alert of the first event
	Idle   float64 // SIGTERM to the end, with nothing to do
	Loaded float64 // SIGTERM to the end, in the middle of a stream
	Crash  float64 // start after SIGKILL in the middle of a stream, to the alert of the first event
}

// window is that of the rule, in milliseconds, which are as many events: each key has some
// in it, and the stream is some windows long.
func (s *Soak) window() int { return s.Events * 36 / 100 }

// before is how many events come before those that count: one window full, so that as many keys
// are alive as will be at the last, and another, until the rows of the first keys come up, of which
// nothing is left. From then on each event has to do with a second key.
func (s *Soak) before() int { return 2 * s.window() }

// total is how many events the first stream has.
func (s *Soak) total() int { return s.before() + s.Events }

// Parts cuts the events that count into parts.
func (s *Soak) Parts(r *Ran, parts int) []Part {
	return r.Parts(s.total(), float64(s.before())/float64(s.total()), parts)
}

// At is where in the first stream a sample was taken, in events.
func (s *Soak) At(sample *Sample) float64 { return sample.Share * float64(s.total()) }

func (s *Soak) rules() string  { return filepath.Join(s.Dir, "rules") }
func (s *Soak) state() string  { return filepath.Join(s.Dir, "state") }
func (s *Soak) events() string { return filepath.Join(s.Dir, "events.jsonl") }
func (s *Soak) more() string   { return filepath.Join(s.Dir, "more.jsonl") }

const ruleText = `event payment (time: ts(ms)) { ts int  card string  amount float  country string  merchant string }
rule often { from payment by card window sliding %dms having count() >= %d emit { ts: ts, n: count() } }
rule probe { from payment where amount < 0 emit { ts: ts } }
`

// Rules are one that remembers, and one that alerts at once where it is asked to.
func (s *Soak) Rules() string { return fmt.Sprintf(ruleText, s.window(), 15+4*s.window()/s.Keys) }

// Run writes the streams and runs over the first.
func (s *Soak) Run(ctx context.Context) (*Ran, error) {
	if err := os.MkdirAll(s.rules(), 0o700); err != nil {
		return nil, err
	}
	stream := NewStream(s.Keys, true)
	err := errors.Join(os.WriteFile(filepath.Join(s.rules(), "soak.cep"), []byte(s.Rules()), 0o600),
		stream.Write(s.events(), s.total()), stream.Write(s.more(), s.Events/2))
	if err != nil {
		return nil, err
	}
	return s.Watcher.Run(ctx, s.rules(), s.events(), s.state(), "--cache", s.Cache)
}

// Stops starts and stops over the state that Run has left.
func (s *Soak) Stops(ctx context.Context) (r Stops, err error) {
	if r.First, r.Idle, err = s.probe(ctx); err != nil {
		return r, err
	}
	if r.Loaded, err = s.interrupt(ctx, syscall.SIGTERM); err != nil {
		return r, err
	}
	if _, err = s.interrupt(ctx, syscall.SIGKILL); err != nil {
		return r, err
	}
	r.Crash, _, err = s.probe(ctx)
	return r, err
}

// probe starts a process, gives it an event that alerts, and stops it when the alert is there.
func (s *Soak) probe(ctx context.Context) (first, stop float64, err error) {
	in, give, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	alerts, out, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, give.Close(), alerts.Close()) }()
	p := s.command(ctx, "-", "--commit", "1ms")
	p.Stdin, p.Stdout = in, out
	err = errors.Join(p.begin(), in.Close(), out.Close())
	if err != nil {
		return 0, 0, err
	}
	event := NewStream(1, false).Next()
	event.TS, event.Amount = event.TS+int64(4*s.Events), -1
	if _, err := give.Write(event.Append(nil)); err != nil {
		return 0, 0, err
	}
	if _, err := bufio.NewReader(alerts).ReadBytes('\n'); err != nil {
		return 0, 0, errors.Join(err, p.end())
	}
	first = time.Since(p.began).Seconds()
	stop, err = p.stop(syscall.SIGTERM)
	return first, stop, err
}

// interrupt starts a process over the second stream and sends it a signal in the middle.
func (s *Soak) interrupt(ctx context.Context, signal syscall.Signal) (seconds float64, err error) {
	p := s.command(ctx, s.more())
	if err := p.begin(); err != nil {
		return 0, err
	}
	from := readOf(p.Process.Pid, s.more())
	for time.Since(p.began) < time.Minute && readOf(p.Process.Pid, s.more()) < from+int64(s.Events)*8 {
		time.Sleep(20 * time.Millisecond)
	}
	return p.stop(signal)
}

func (s *Soak) command(ctx context.Context, input string, flags ...string) *process {
	return s.Watcher.command(ctx, s.rules(), input, s.state(), append(flags, "--cache", s.Cache)...)
}

// stop sends a signal and waits for the end, which it is the reason of.
func (p *process) stop(signal syscall.Signal) (seconds float64, err error) {
	began := time.Now()
	if err := p.Process.Signal(signal); err != nil {
		return 0, errors.Join(err, p.end())
	}
	if err = p.end(); signal == syscall.SIGKILL {
		err = nil
	}
	return time.Since(began).Seconds(), err
}
