package service_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// late is an engine that never comes to the end of the past in the time that a change may take.
type late struct {
	*engine.Engine
	held time.Duration
}

func (l *late) SwapWarm(context.Context, *plan.Set, *engine.Warmup) (engine.Report, error) {
	time.Sleep(5 * time.Second)
	l.held += 5 * time.Second
	return engine.Report{}, engine.ErrNotThere
}

// TestAnEngineIsLeftAloneBetweenHandOvers: each that comes to nothing holds it up for as long as
// it may, so that most of the time none does, and the warming says what goes on.
func TestAnEngineIsLeftAloneBetweenHandOvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past := func(context.Context, service.Past, *plan.Set) (again, whole []engine.Input, closeAll func() error, err error) {
			in := &trial.Records{Name: "past", Texts: [][]byte{[]byte(`{"type":"e","at":0,"n":1}`)}}
			return nil, []engine.Input{{Source: in}}, func() error { return nil }, nil
		}
		var own late
		r := start(t, service.Options{Past: past}, nil)
		r.put(map[string]string{"a.cep": events + over("a", 10)})
		r.says(11, "a")
		own.Engine = r.engine
		r.Begin(&own)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go r.RunWarmings(ctx)
		w, err := r.Warm(ctx, service.Edit{Put: map[string]string{"b.cep": "rule b { from e window last 3 having count() == 3 }"}}, service.Past{Files: []string{"past"}})
		if err != nil {
			t.Fatal(err)
		}
		began, tries := time.Now(), 0
		for ; w.State == service.IsWarming; w = r.Warmings()[0] {
			if tries = max(tries, w.Tries); time.Since(began) > time.Hour {
				t.Fatalf("%+v", w)
			}
			time.Sleep(time.Second)
		}
		if share := own.held.Seconds() / time.Since(began).Seconds(); share > 0.25 {
			t.Errorf("of %v the engine was held up for %v", time.Since(began), own.held)
		}
		if w.State != service.HasFailed || tries < 9 || w.Tries != 10 || !strings.Contains(w.Err, "could not be read up to where the engine stands") {
			t.Errorf("tries %d, %+v", tries, w)
		}
	})
}
