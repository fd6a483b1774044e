package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowly is a store that takes its time to close.
type slowly struct {
	stateStore
	takes  time.Duration
	closed atomic.Bool
}

func (s *slowly) Close() error {
	time.Sleep(s.takes)
	s.closed.Store(true)
	return nil
}

// TestARunThatIsEndedDoesNotWaitForItsFiles, and one that ends by itself, or that a process
// outlives, does.
func TestARunThatIsEndedDoesNotWaitForItsFiles(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx        context.Context
		ends       bool
		takes      time.Duration
		waits, say bool
	}{
		"ended, soon closed":        {over, true, closeMost / 2, true, false},
		"ended":                     {over, true, 10 * closeMost, false, true},
		"ended, a process goes on":  {over, false, 10 * closeMost, true, false},
		"at the end of its sources": {t.Context(), true, 10 * closeMost, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				p := &pipeline{world: &world{ends: test.ends}, log: slog.New(slog.NewTextHandler(&said, nil))}
				store := &slowly{takes: test.takes}
				if err := p.close(test.ctx, store); err != nil {
					t.Fatal(err)
				}
				if got := store.closed.Load(); got != test.waits {
					t.Errorf("it waited: %t, want %t", got, test.waits)
				}
				if got := strings.Contains(said.String(), "the next start mends it"); got != test.say {
					t.Errorf("it said: %q", said.String())
				}
				time.Sleep(test.takes) // the process has not really ended
			})
		})
	}
}
