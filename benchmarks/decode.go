package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/cepheus-cep/cepheus/event"
)

// batchBytes is how much text one batch of the decode-only run holds.
const batchBytes = 256 << 10

// decodeOnly reads the file and decodes every record on as many goroutines as there
// are cores. It returns how many were decoded.
func decodeOnly(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	workers := runtime.GOMAXPROCS(0)
	full, empty := make(chan *event.Batch, workers), make(chan *event.Batch, 2*workers)
	for range 2 * workers {
		empty <- &event.Batch{}
	}
	decoded, errs := make([]int, workers), make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { decoded[i], errs[i] = decodeBatches(full, empty) })
	}
	err = splitLines(f, full, empty)
	close(full)
	wg.Wait()
	total := 0
	for i, n := range decoded {
		total += n
		if err == nil {
			err = errs[i]
		}
	}
	return total, err
}

// splitLines fills batches with whole lines.
func splitLines(r io.Reader, full chan<- *event.Batch, empty <-chan *event.Batch) error {
	var rest []byte
	offset := int64(0)
	for {
		b := <-empty
		b.Reset()
		b.Text = append(b.Text, rest...)
		n, err := io.ReadFull(r, grow(b, batchBytes))
		b.Text = b.Text[:len(rest)+n]
		end := bytes.LastIndexByte(b.Text, '\n') + 1
		rest = append(rest[:0], b.Text[end:]...)
		for start := 0; start < end; {
			line := bytes.IndexByte(b.Text[start:end], '\n')
			b.Records = append(b.Records, event.RecordRef{Start: uint32(start), End: uint32(start + line), Offset: offset + int64(start)})
			start += line + 1
		}
		offset += int64(end)
		full <- b
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow makes room for n bytes at the end of the batch's text and returns it.
func grow(b *event.Batch, n int) []byte {
	at := len(b.Text)
	if cap(b.Text) < at+n {
		b.Text = append(make([]byte, 0, at+2*n), b.Text...)
	}
	b.Text = b.Text[:at+n]
	return b.Text[at:]
}

func decodeBatches(full <-chan *event.Batch, empty chan<- *event.Batch) (n int, err error) {
	decoder := event.NewDecoder([]*event.Layout{paymentLayout()}, event.Options{})
	arena := &event.Arena{}
	for b := range full {
		arena.Reset()
		for i := range b.Records {
			outcome, decodeErr := decoder.Decode(b, i, arena)
			if outcome != event.Decoded && err == nil {
				err = fmt.Errorf("record at byte %d: outcome %d: %w", b.Records[i].Offset, outcome, decodeErr)
			}
			n++
		}
		empty <- b
	}
	return n, err
}

// paymentLayout has a slot for each of the four fields that rules could read.
func paymentLayout() *event.Layout {
	text, number := event.Type{Kind: event.String}, event.Type{Kind: event.Float}
	l := &event.Layout{Schema: &event.Schema{
		Name: "payment", TimeField: "ts", TimeUnit: event.Milli,
		Fields: []event.Field{{Name: "ts", Type: event.Type{Kind: event.Int}}, {Name: "card", Type: text}, {Name: "amount", Type: number}, {Name: "country", Type: text}, {Name: "merchant", Type: text}},
	}}
	for _, f := range l.Schema.Fields[1:] {
		l.Add([]string{f.Name}, f.Type)
	}
	return l
}
