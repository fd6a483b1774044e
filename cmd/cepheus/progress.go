package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sources/file"
)

// progressEvery is the least time between two states of the progress line.
const progressEvery = 200 * time.Millisecond

// counted is a source that says how far it is to other goroutines.
type counted struct {
	*file.Source
	at   atomic.Int64 // bytes, decompressed
	size int64        // of the whole input; 0: not known
}

// newCounted knows the size of a plain file alone: of compressed input and of pipes
// nobody does.
func newCounted(s *file.Source, path string) *counted {
	c := &counted{Source: s}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !compressed(path) {
		c.size = info.Size()
	}
	return c
}

// compressed reports whether a file begins as gzip or zstd do.
func compressed(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && (magic == [2]byte{0x1f, 0x8b} || magic == [2]byte{0x28, 0xb5})
}

// Next reads on and notes the position.
func (c *counted) Next(ctx context.Context, into *event.Batch) error {
	err := c.Source.Next(ctx, into)
	c.at.Store(c.Position())
	return err
}

// progress draws one line on a terminal again and again; on anything else nothing.
type progress struct {
	to     io.Writer
	on     bool
	inputs []*counted
	now    func() time.Time
	last   time.Time
}

func newProgress(w *world, inputs []*counted) *progress {
	f, ok := w.stderr.(*os.File)
	return &progress{to: w.stderr, on: ok && term.IsTerminal(int(f.Fd())), inputs: inputs, now: w.now}
}

// show draws the line where it is time to.
func (p *progress) show(s *engine.Stats) {
	if !p.on || p.now().Sub(p.last) < progressEvery {
		return
	}
	p.last = p.now()
	fmt.Fprintf(p.to, "\r\x1b[K%s%d events, %d alerts", p.bar(), s.Events, s.Alerts)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.on && !p.last.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// bar is the share of the inputs that is read, empty where a size is not known.
func (p *progress) bar() string {
	const width = 30
	var at, size int64
	for _, in := range p.inputs {
		if in.size == 0 {
			return ""
		}
		at, size = at+in.at.Load(), size+in.size
	}
	done := int(width * min(at, size) / size)
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = ' '
		if i < done {
			bar[i] = '='
		}
	}
	return fmt.Sprintf("[%s] %3d %%  ", bar, 100*min(at, size)/size)
}
