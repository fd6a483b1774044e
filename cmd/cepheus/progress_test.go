package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
)

func TestProgressIsDrawnNowAndThenAndTakenAway(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	in := &counted{size: 200}
	p := &progress{to: &out, on: true, inputs: []*counted{in}, now: func() time.Time { return clock }}
	for i := range 10 {
		clock = clock.Add(progressEvery / 2)
		in.at.Store(int64(20 * (i + 1)))
		p.show(&engine.Stats{Events: uint64(i + 1), Alerts: 1})
	}
	p.clear()
	if got := strings.Count(out.String(), "events"); got != 5 {
		t.Errorf("drawn %d times in %v, want 5 times:\n%q", got, 5*progressEvery, out.String())
	}
	if last := "[===========================   ]  90 %  9 events, 1 alerts\r\x1b[K"; !strings.HasSuffix(out.String(), last) {
		t.Errorf("ends with %q, want %q", out.String(), last)
	}
}

func TestProgressWithoutSizeShowsNoBar(t *testing.T) {
	p := &progress{inputs: []*counted{{size: 10}, {}}}
	if got := p.bar(); got != "" {
		t.Errorf("bar %q though one input has no size", got)
	}
}

func TestProgressIsSilentWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&world{stderr: &out, now: time.Now}, nil)
	p.show(&engine.Stats{})
	p.clear()
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
}
