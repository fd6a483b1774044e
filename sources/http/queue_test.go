package http

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

var _ engine.Source = (*Queue)(nil)

func texts(all ...string) (records [][]byte) {
	for _, s := range all {
		records = append(records, []byte(s))
	}
	return records
}

// begun is a queue that the engine has begun to read.
func begun(t testing.TB, o Options) *Queue {
	q := New(o)
	var b event.Batch
	if err := q.Next(t.Context(), &b); err != nil || !b.AtEnd || len(b.Records) != 0 {
		t.Fatalf("the first Next of an empty queue: %v, %+v", err, b)
	}
	return q
}

func TestNothingIsTakenBeforeTheEngineReads(t *testing.T) {
	q := New(Options{})
	var full *FullError
	if _, err := q.Push(texts("a")); !errors.As(err, &full) || !full.Early {
		t.Errorf("error %v, want an early FullError", err)
	}
}

func TestAPushIsWholeOrNothing(t *testing.T) {
	q := begun(t, Options{Records: 3, Bytes: 10})
	if end, err := q.Push(texts("a", "b")); end != 2 || err != nil {
		t.Errorf("end %d, error %v", end, err)
	}
	var full *FullError
	if _, err := q.Push(texts("c", "d")); !errors.As(err, &full) || full.Records != 2 {
		t.Errorf("error %v, want a FullError over 2", err)
	}
	if _, err := q.Push(texts("123456789")); !errors.As(err, &full) {
		t.Errorf("error %v, want a FullError", err)
	}
	if _, err := q.Push(texts("a", "b", "c", "d")); !errors.Is(err, ErrTooMany) {
		t.Errorf("error %v, want ErrTooMany", err)
	}
	if n, size := q.Waiting(); n != 2 || size != 2 {
		t.Errorf("%d records, %d bytes wait, want 2 and 2", n, size)
	}
}

func TestPositionsGoOn(t *testing.T) {
	q := New(Options{})
	if err := q.Resume(t.Context(), 100, nil); err != nil {
		t.Fatal(err)
	}
	var b event.Batch
	if err := q.Next(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	end, err := q.Push(texts("a"))
	if err != nil || end != 101 {
		t.Fatalf("end %d, error %v", end, err)
	}
	b.Reset()
	if err := q.Next(t.Context(), &b); err != nil || b.Records[0].Offset != 100 || !b.AtEnd || q.Position() != 101 {
		t.Errorf("error %v, batch %+v, position %d", err, b, q.Position())
	}
}

func TestWaitingForCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := begun(t, Options{})
		end, err := q.Push(texts("a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := q.Wait(t.Context(), end); err != nil {
				t.Error(err)
			}
		})
		q.Durable(1)
		synctest.Wait()
		q.Durable(2)
		wg.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Wait(short, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
		wg.Go(func() {
			if err := q.Wait(t.Context(), 3); !errors.Is(err, ErrEnded) {
				t.Errorf("error %v, want ErrEnded", err)
			}
		})
		synctest.Wait()
		_ = q.Close()
		wg.Wait()
	})
}

func TestTheEnd(t *testing.T) {
	q := begun(t, Options{})
	if _, err := q.Push(texts("a")); err != nil {
		t.Fatal(err)
	}
	q.End()
	if _, err := q.Push(texts("b")); !errors.Is(err, ErrEnded) {
		t.Errorf("error %v, want ErrEnded", err)
	}
	var b event.Batch
	if err := q.Next(t.Context(), &b); err != nil || len(b.Records) != 1 {
		t.Errorf("error %v, %d records, want what waits", err, len(b.Records))
	}
	if err := q.Next(t.Context(), &b); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want io.EOF", err)
	}
}

// Whatever is pushed is read in order, once, at positions that follow one another.
func TestWhatIsPushedIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := begun(t, Options{Records: 10_000})
		var pushed, read []string
		var b event.Batch
		take := func() {
			for n, _ := q.Waiting(); n > 0; n, _ = q.Waiting() {
				b.Reset()
				if err := q.Next(t.Context(), &b); err != nil {
					rt.Fatal(err)
				}
				for _, r := range b.Records {
					if int(r.Offset) != len(read) {
						rt.Fatalf("offset %d, want %d", r.Offset, len(read))
					}
					read = append(read, string(b.Text[r.Start:r.End]))
				}
			}
		}
		for range rapid.IntRange(1, 20).Draw(rt, "pushes") {
			some := rapid.SliceOfN(rapid.StringN(1, 5, 20), 0, 300).Draw(rt, "records")
			if _, err := q.Push(texts(some...)); err != nil {
				rt.Fatal(err)
			}
			pushed = append(pushed, some...)
			if rapid.Bool().Draw(rt, "read") {
				take()
			}
		}
		take()
		if len(read) != len(pushed) {
			rt.Fatalf("%d read, %d pushed", len(read), len(pushed))
		}
		for i := range read {
			if read[i] != pushed[i] {
				rt.Fatalf("record %d is %q, want %q", i, read[i], pushed[i])
			}
		}
	})
}
