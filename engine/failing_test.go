package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

var errDisk = errors.New("the disk is gone")

// failing is a store whose n-th commit, or n-th read of a key, fails after some time.
type failing struct {
	*state.Memory
	commits, gets int // until the one that fails; 0: none does
	takes         time.Duration
}

func (*failing) Durable() bool { return true }

func (f *failing) Commit(ctx context.Context, b *state.Batch) error {
	time.Sleep(f.takes)
	if f.commits--; f.commits == 0 {
		return errDisk
	}
	return f.Memory.Commit(ctx, b)
}

func (f *failing) Get(t state.Table, key, into []byte) ([]byte, bool, error) {
	if t == state.TableKeys {
		if f.gets--; f.gets == 0 {
			return nil, false, errDisk
		}
	}
	return f.Memory.Get(t, key, into)
}

// A store that fails ends the run at once, also while the engine waits for input that does
// not come, and with it all that the run has started.
func TestFailingStoreEndsTheRun(t *testing.T) {
	const rule = ab + `rule r { by i match x: a -> !b for 1h emit { i: x.i } }`
	for name, store := range map[string]*failing{
		"a commit beside a silence": {commits: 1, takes: 10 * second},
		"a later commit":            {commits: 4, takes: 3 * second},
		"a key that is read":        {gets: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store.Memory = state.NewMemory()
				s := &script{name: "p", stays: true}
				for i := range 20 {
					s.portions = append(s.portions, portion{Pause: 2 * second, Records: []string{rec("a", 100+float64(i), i/2*7), rec("b", 100+float64(i), 0)}})
				}
				began := time.Now()
				_, _, err := run(t.Context(), engine.Options{Store: store, Shards: 1, Cache: 1}, compile(t, rule), s)
				if !errors.Is(err, errDisk) || time.Since(began) > time.Minute {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}
