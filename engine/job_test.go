package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// crooked is a script one of whose records ends before it begins, as no source may say.
type crooked struct {
	*script
	nth int // of a batch
}

func (c *crooked) Next(ctx context.Context, into *event.Batch) error {
	err := c.script.Next(ctx, into)
	if len(into.Records) > c.nth {
		into.Records[c.nth].Start = into.Records[c.nth].End + 1
	}
	return err
}

// A panic while a batch is decoded ends the run with an error that names the record; what
// came in batches before it is committed, nothing of its own is.
func TestPanicOfAWorkerIsAnError(t *testing.T) {
	rules := compile(t, `event e (time: t(ms)) { t int  i int } rule r { from e emit { i: i } }`)
	s := &script{name: "p", portions: []portion{
		{Records: []string{rec("e", 0, 0)}},
		{Records: []string{rec("e", 1, 1), rec("e", 2, 2), rec("e", 3, 3)}},
		{Records: []string{rec("e", 4, 4)}},
	}}
	ear := &ear{}
	e, err := engine.New(t.Context(), engine.Options{
		Set: rules, Store: state.NewMemory(), Outbox: ear, Inputs: []engine.Input{{Source: &crooked{script: s, nth: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "decode and route the record of p at 2: broken invariant: ") {
		t.Errorf("got %v", err)
	}
	if len(ear.heard) != 1 || e.Stats().Records != 1 {
		t.Errorf("%d alerts, %d records; want those of the first batch", len(ear.heard), e.Stats().Records)
	}
}
