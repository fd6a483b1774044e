package trial

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestATrialEndsWhereItWouldRememberTooMuch: a rule that keeps every event is stopped.
func TestATrialEndsWhereItWouldRememberTooMuch(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: "event e (time: at(s)) { at int  who string }\n" +
		"rule hoards {\n by who\n match a: e -> b: e[who == \"nobody\"]\n within 1d\n}\n"}})
	if set == nil {
		t.Fatal(errs)
	}
	run := func(ctx context.Context, most int64) error {
		in := &Records{Name: "p"}
		for i := range 20_000 {
			in.Texts = append(in.Texts, fmt.Appendf(nil, `{"type":"e","at":%d,"who":"w%d"}`, i/1000, i))
		}
		_, err := RunWithin(ctx, most, engine.Options{Set: set, Inputs: []engine.Input{{Source: in}}, Shards: 1, RoundEvents: 1024}, func(*event.Alert) {})
		return err
	}
	large := (*MemoryError)(nil)
	if err := run(t.Context(), 1<<20); !errors.As(err, &large) {
		t.Errorf("1 MiB: %v", err)
	}
	if err := run(t.Context(), 1<<30); err != nil {
		t.Errorf("1 GiB: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(gone, 1<<30); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
