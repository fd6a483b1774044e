package file

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// feed gives the bytes of an input, decompressed.
type feed interface {
	// read fills a part of p and returns its length. With an error, which may be the
	// context's, it can also return bytes; io.EOF is never wrapped.
	read(ctx context.Context, p []byte) (int, error)
	// ready reports whether the next read will return at once.
	ready() bool
	close() error
}

// direct is the feed of a regular file.
type direct struct {
	file   *os.File
	stream io.Reader
}

func (d *direct) read(ctx context.Context, p []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return d.stream.Read(p)
}

func (d *direct) ready() bool  { return true }
func (d *direct) close() error { return d.file.Close() }

// What begins every gzip member, and every frame of zstd.
const (
	magic     = "\x1f\x8b"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// decompress returns in itself, or, where it begins as gzip or zstd do, what it holds.
func decompress(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 64<<10)
	first, err := b.Peek(len(magic)) // no more: a live input may have no more for now
	if err == nil && string(first) == zstdMagic[:len(magic)] {
		first, err = b.Peek(len(zstdMagic))
	}
	switch {
	case err != nil && err != io.EOF: //nolint:errorlint // a Reader's EOF is never wrapped
		return nil, err
	case string(first) == zstdMagic:
		// Read by the caller: no goroutine is started, and nothing need be closed.
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1))
		return &gunzip{z}, err
	case string(first) != magic:
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, gzipError(err)
	}
	return &gunzip{z}, nil
}

// gunzip is compressed input.
type gunzip struct{ z io.Reader }

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	return n, gzipError(err)
}

// gzipError says what a reader's error means for the input.
func gzipError(err error) error {
	switch {
	case err == nil || err == io.EOF: //nolint:errorlint // the clean end
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("compressed input is cut short: %w", err)
	default:
		return fmt.Errorf("compressed input is damaged: %w", err)
	}
}

// pump is the feed of what may block: one goroutine reads ahead by at most two chunks.
type pump struct {
	in     io.Reader
	chunks chan chunk
	free   chan []byte
	stop   chan struct{} // closed to end the goroutine
	done   chan struct{} // closed by it at its end
	now    chunk         // what read has not taken yet
}

type chunk struct {
	text []byte
	err  error
	buf  []byte // to be given back
}

const pumpSize = 64 << 10 // of a chunk, bytes

func startPump(in io.Reader) *pump {
	p := &pump{
		in: in, chunks: make(chan chunk, 1), free: make(chan []byte, 2),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	p.free <- make([]byte, pumpSize)
	p.free <- make([]byte, pumpSize)
	go p.run()
	return p
}

// run reads until an error, which is the last chunk, or until it is stopped.
func (p *pump) run() {
	defer close(p.done)
	in, err := decompress(p.in)
	for {
		var buf []byte
		select {
		case buf = <-p.free:
		case <-p.stop:
			return
		}
		c := chunk{err: err, buf: buf}
		if err == nil {
			var n int
			n, err = in.Read(buf)
			c.text, c.err = buf[:n], err
		}
		select {
		case p.chunks <- c:
		case <-p.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *pump) read(ctx context.Context, into []byte) (int, error) {
	for len(p.now.text) == 0 {
		if p.now.err != nil {
			return 0, p.now.err
		}
		select {
		case p.now = <-p.chunks:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if len(p.now.text) == 0 && p.now.err == nil {
			p.free <- p.now.buf
		}
	}
	n := copy(into, p.now.text)
	p.now.text = p.now.text[n:]
	if len(p.now.text) > 0 {
		return n, nil
	}
	if p.now.err == nil {
		p.free <- p.now.buf
	}
	return n, p.now.err
}

func (p *pump) ready() bool { return len(p.now.text) > 0 || p.now.err != nil || len(p.chunks) > 0 }

// close stops the goroutine and waits for it where its read can be interrupted.
func (p *pump) close() error {
	close(p.stop)
	interrupted, err := interrupt(p.in)
	if interrupted {
		<-p.done
	}
	return err
}

// interrupt makes a blocked Read of in return, closes in, and reports whether it could.
func interrupt(in io.Reader) (bool, error) {
	if f, ok := in.(*os.File); ok {
		can := f.SetReadDeadline(time.Unix(1, 0)) == nil // not for terminals, and what was opened blocking
		return can, f.Close()
	}
	if c, ok := in.(io.Closer); ok {
		return true, c.Close()
	}
	return false, nil
}
