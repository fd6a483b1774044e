package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// Warmer is an Applier that can give rules the past before they are in service.
type Warmer interface {
	Applier
	Warm(ctx context.Context, p engine.Past, progress func(engine.WarmStats)) (*engine.Warmup, error)
	SwapWarm(ctx context.Context, set *plan.Set, w *engine.Warmup) (engine.Report, error)
}

// Past says what rules are given before they are in service.
type Past struct {
	Files []string  // whose events before Until they are given
	Until time.Time // zero: what the engine has come to
	From  time.Time // Kafka topics are read again from there on; zero: they are not
}

func (p *Past) isEmpty() bool { return len(p.Files) == 0 && p.From.IsZero() }

// OpenPast opens what rules are given; the set says what is declared. What it returns is closed
// when it has been read, or is not needed any more.
type OpenPast func(ctx context.Context, p Past, set *plan.Set) (again, whole []engine.Input, closeAll func() error, err error)

// Errors of warming.
var (
	// ErrNoPast says that rules cannot be given the past in this run, or that none is named.
	ErrNoPast = errors.New("there is no past to give the rules")
	// ErrNoWarming says that there is no such warming, or that it has ended.
	ErrNoWarming = errors.New("there is no such warming under way")
)

// PastError says why the past that is named cannot be read.
type PastError struct{ Err error }

// Error says so.
func (e *PastError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PastError) Unwrap() error { return e.Err }

// WarmState is how far a warming has come.
type WarmState string

// The states of a warming. It is failed also where somebody has ended it.
const (
	IsWarming WarmState = "warming"
	IsWarm    WarmState = "warm" // its rules are in service
	HasFailed WarmState = "failed"
)

// Warming is a change whose rules are given the past first.
type Warming struct {
	Number       uint64 // from 1, in this run
	State        WarmState
	Author, Note string
	Past         Past
	Begun, Ended time.Time // zero: not yet
	Rules        []string  // that are warmed
	Missing      []string  // partitions of which they are given nothing that the engine reads until they are in service
	Stats        engine.WarmStats
	Waits        engine.Awaits // what it waits for; empty: nothing
	Tries        int           // how often the change came to nothing, for the rest of the past was not read in time
	Err          string        // why it has failed
	Result       *Result
}

// warms are the warmings of a run.
type warms struct {
	mu    sync.Mutex // leaf
	all   []*warming // the oldest first
	total uint64
	todo  chan *warming // one may wait
}

// warming is one under way; what is told of it is guarded by warms.mu.
type warming struct {
	told  Warming
	edit  Edit
	own   *engine.Warmup
	close func() error
	waits func() engine.Awaits    // nil: it is not made yet
	stop  context.CancelCauseFunc // nil: it is not run yet
	ended bool                    // somebody has asked for that
}

// warmingsKept is how many of those that have ended can be looked at.
const warmingsKept = 20

// Warmings are those under way and the last that have ended, the newest first.
func (s *Service) Warmings() []Warming {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	var out []Warming
	for _, w := range slices.Backward(s.warm.all) {
		if w.told.Waits = ""; w.told.State == IsWarming && w.waits != nil {
			w.told.Waits = w.waits()
		}
		out = append(out, w.told)
	}
	return out
}

// Warm begins to warm the rules of a change, which is made once they are: it returns at once,
// and RunWarmings does it. Those are warmed that would begin with nothing remembered. What
// can be wrong is as in Edit, and what the past can have: a [*PastError], [ErrNoPast],
// [engine.ErrNothingToWarm], or [engine.ErrWarming]: one goes on at a time.
func (s *Service) Warm(ctx context.Context, e Edit, p Past) (Warming, error) {
	if s.o.Past == nil || p.isEmpty() {
		return Warming{}, ErrNoPast
	}
	set, _, err := s.Check(e)
	if err != nil {
		return Warming{}, err
	}
	s.mu.Lock()
	warmer, ok := s.applier.(Warmer)
	s.mu.Unlock()
	if !ok {
		return Warming{}, ErrNoPast
	}
	w := &warming{edit: e, told: Warming{State: IsWarming, Author: e.Author, Note: e.Note, Past: p, Begun: s.o.Now().UTC()}}
	if err := s.enrol(w); err != nil {
		return Warming{}, err
	}
	if err := s.openPast(ctx, w, warmer, set); err != nil {
		s.disown(w)
		return Warming{}, err
	}
	told := s.tell(w, func(*Warming) {})
	s.warm.todo <- w // there is room: it is the only one under way
	return told, nil
}

// enrol numbers a warming, if no other is under way.
func (s *Service) enrol(w *warming) error {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	if n := len(s.warm.all); n > 0 && s.warm.all[n-1].told.State == IsWarming {
		return engine.ErrWarming
	}
	s.warm.total++
	w.told.Number = s.warm.total
	s.warm.all = append(s.warm.all, w)
	if len(s.warm.all) > warmingsKept {
		s.warm.all = s.warm.all[1:]
	}
	return nil
}

// disown forgets one that has not begun.
func (s *Service) disown(w *warming) {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	s.warm.total-- // it was the last: one goes on at a time
	s.warm.all = slices.DeleteFunc(s.warm.all, func(other *warming) bool { return other == w })
}

// tell changes what is told of a warming, and returns it.
func (s *Service) tell(w *warming, what func(*Warming)) Warming {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	what(&w.told)
	return w.told
}

// openPast opens the past and makes the engine beside the one that runs.
func (s *Service) openPast(ctx context.Context, w *warming, warmer Warmer, set *plan.Set) error {
	again, whole, closeAll, err := s.o.Past(ctx, w.told.Past, set)
	if err != nil {
		return &PastError{err}
	}
	feeders := trial.FeedersOf(set)
	past := engine.Past{
		Set: set, Again: again, Whole: whole, Until: untilOf(w.told.Past.Until),
		Only: func(set *plan.Set, names []string) *plan.Set { return feeders.Only(set, names, nil) },
	}
	w.close = closeAll
	w.own, err = warmer.Warm(ctx, past, func(now engine.WarmStats) { s.tell(w, func(t *Warming) { t.Stats = now }) })
	if err != nil {
		return errors.Join(err, closeAll())
	}
	s.tell(w, func(t *Warming) {
		w.waits = w.own.Awaits
		t.Rules = w.own.Rules()
		for _, p := range w.own.Missing() {
			t.Missing = append(t.Missing, string(p.AppendName(nil)))
		}
	})
	return nil
}

// EndWarming ends a warming: its change is not made.
func (s *Service) EndWarming(number uint64) error {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	for _, w := range s.warm.all {
		if w.told.Number == number && w.told.State == IsWarming {
			if w.ended = true; w.stop != nil {
				w.stop(errAsked)
			}
			return nil
		}
	}
	return fmt.Errorf("%d: %w", number, ErrNoWarming)
}

var (
	errAsked   = errors.New("it was ended by request")
	errNotRead = errors.New("the past could not be read")
	errMade    = errors.New("the change was made in the meantime, without the past")
)

// RunWarmings does what Warm has begun, until ctx ends.
func (s *Service) RunWarmings(ctx context.Context) {
	for {
		select {
		case w := <-s.warm.todo:
			s.runWarming(ctx, w)
		case <-ctx.Done():
			select {
			case w := <-s.warm.todo:
				s.runWarming(ctx, w)
			default:
			}
			return
		}
	}
}

// runWarming has rules given the past, and makes their change.
func (s *Service) runWarming(ctx context.Context, w *warming) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.warm.mu.Lock()
	if w.stop = stop; w.ended {
		stop(errAsked)
	}
	s.warm.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- w.own.Run(ctx) }()
	r, err := s.handOver(ctx, w)
	stop(err)
	reading := <-ended
	closing := w.close()
	switch {
	case errors.Is(err, errNotRead) && reading != nil:
		err = reading
	case errors.Is(err, context.Canceled):
		err = context.Cause(ctx)
	}
	s.tell(w, func(t *Warming) {
		t.Ended, t.State, t.Result = s.o.Now().UTC(), IsWarm, &r
		if err != nil {
			t.State, t.Err, t.Result = HasFailed, err.Error(), nil
		}
	})
	if err = errors.Join(err, closing); err != nil {
		s.o.Log.Error("rules were not warmed; what runs goes on", "warming", w.told.Number, "err", err)
	}
}

// handOvers is how often it is tried to put rules that are warm in service. While it is tried the
// engine takes no event, so that it is left alone in between for handOverRest times as long,
// and for handOverPause at least.
const (
	handOvers     = 10
	handOverRest  = 4
	handOverPause = time.Second
)

// handOver makes the change once its rules are warm.
func (s *Service) handOver(ctx context.Context, w *warming) (r Result, err error) {
	select {
	case <-w.own.Near():
	case <-w.own.Done():
		return r, errNotRead
	}
	for range handOvers {
		began := s.o.Now()
		if r, err = s.editWarm(ctx, w); !errors.Is(err, engine.ErrNotThere) {
			return r, err
		}
		s.tell(w, func(t *Warming) { t.Tries++ })
		select {
		case <-time.After(max(handOverPause, handOverRest*s.o.Now().Sub(began))):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
	return r, err
}

func (s *Service) editWarm(ctx context.Context, w *warming) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edits, err := s.edited(w.edit)
	if err != nil {
		return Result{}, err
	}
	e := w.edit
	e.warm = w.own
	r, err := s.change(ctx, s.folders, edits, e)
	if err == nil && !r.Changed {
		err = errMade
	}
	return r, err
}

// swap has the engine run another set.
func (s *Service) swap(ctx context.Context, set *plan.Set, e *Edit) (engine.Report, error) {
	if e.warm == nil {
		return s.applier.Swap(ctx, set)
	}
	return s.applier.(Warmer).SwapWarm(ctx, set, e.warm)
}

// untilOf is a time as the engine has it.
func untilOf(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}
