package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
)

const (
	carryWas = swapEvents + `rule r { by k match a: e[n == 1] -> b: e[n == 2] -> c: e[n == 3] within 1h }`
	carryIs  = swapEvents + `rule r { by k match a: e[n == 1] -> b: e[n == 5] -> c: e[n == 3] within 1h }`
)

// The report counts the runs that went on, and those that were past what is the same.
func TestSwapCountsRunsThatGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, rows := running(t, carryWas, engine.Options{Shards: 2})
		for i, n := range []int{1, 1, 2, 1} { // of keys 0, 1, 1, 2
			in.records <- swapRecord(i, []int{0, 1, 1, 2}[i], n)
		}
		synctest.Wait()
		r, err := e.Swap(t.Context(), compile(t, carryIs))
		if err != nil {
			t.Fatal(err)
		}
		c := r.Rules[0]
		if c.Fate != engine.InPart || c.Steps != 1 || c.RunsKept != 2 || c.RunsDropped != 1 || c.Keys != 3 {
			t.Errorf("%+v", c)
		}
		for k := range 3 {
			in.records <- swapRecord(10+2*k, k, 5)
			in.records <- swapRecord(11+2*k, k, 3)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(rows.list) != 2 {
			t.Errorf("alerts %q", rows.list)
		}
	})
}
