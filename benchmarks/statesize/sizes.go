package statesize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// Size is what one key costs, in bytes.
type Size struct {
	Kind     string
	Key      float64 // of the record on disk, with the name of the rule
	Value    float64 // the record itself, with its frame
	Resident float64 // heap in use
}

// frame is what the store writes before each value: see package state.
const frame = 5

// Measure measures a kind over so many keys.
func Measure(ctx context.Context, k Kind, keys int) (Size, error) {
	size := Size{Kind: k.Name}
	if err := size.disk(ctx, k, keys); err != nil {
		return size, fmt.Errorf("%s: %w", k.Name, err)
	}
	if err := size.resident(ctx, k, keys); err != nil {
		return size, fmt.Errorf("%s: %w", k.Name, err)
	}
	return size, nil
}

// disk counts the records that a store gets.
func (s *Size) disk(ctx context.Context, k Kind, keys int) error {
	store := lasting{state.NewMemory()}
	if _, err := run(ctx, k, keys, store); err != nil {
		return err
	}
	records := 0
	for _, t := range []state.Table{state.TableKeys, state.TableSilences, state.TableDedup} {
		err := store.Scan(ctx, t, nil, nil, func(key, value []byte) error {
			s.Key += float64(1 + len(key))
			s.Value += float64(frame + len(value))
			records++
			return nil
		})
		if err != nil {
			return err
		}
	}
	if records != keys {
		return fmt.Errorf("%d records of %d keys", records, keys)
	}
	s.Key, s.Value = s.Key/float64(keys), s.Value/float64(keys)
	return nil
}

// resident takes the heap that an engine uses for keys, less that of one without any.
func (s *Size) resident(ctx context.Context, k Kind, keys int) error {
	before := heapInUse()
	empty, err := run(ctx, k, 0, state.NewMemory())
	if err != nil {
		return err
	}
	base := heapInUse()
	full, err := run(ctx, k, keys, state.NewMemory())
	if err != nil {
		return err
	}
	s.Resident = (float64(heapInUse()) - 2*float64(base) + float64(before)) / float64(keys)
	runtime.KeepAlive(empty)
	runtime.KeepAlive(full)
	return nil
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what had a finaliser, and what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// run lets an engine take the events of a kind.
func run(ctx context.Context, k Kind, keys int, store engine.Store) (*engine.Engine, error) {
	set, err := compile(k.text())
	if err != nil {
		return nil, err
	}
	e, err := engine.New(ctx, engine.Options{
		Set: set, Store: store, Outbox: nowhere{}, Shards: 1,
		Inputs: []engine.Input{{Source: &stream{kind: k, keys: keys, left: keys * len(k.Steps)}}},
	})
	if err != nil {
		return nil, err
	}
	return e, e.Run(ctx)
}

func compile(text string) (*plan.Set, error) {
	set, messages := lang.Compile([]*source.File{{Name: "measured.cep", Text: text}})
	if messages.HasErrors() {
		return nil, messages.Err()
	}
	return set, nil
}

// lasting is a store in memory that counts as one on disk.
type lasting struct{ *state.Memory }

// Durable implements [engine.Store].
func (lasting) Durable() bool { return true }

// nowhere is an outbox that takes no alert: they are no part of what is measured.
type nowhere struct{}

// Append implements [engine.Outbox].
func (nowhere) Append(*state.Batch, []byte) uint64 { return 0 }

// Acknowledge implements [engine.Outbox].
func (nowhere) Acknowledge(*state.Batch, map[string]uint64) {}

// Last implements [engine.Outbox].
func (nowhere) Last() uint64 { return 0 }

// stream gives the events of a kind, step by step, of each key in turn.
type stream struct {
	kind       Kind
	keys, left int
	at         int
	line       []byte
}

// errResume says that generated events begin anew in each process.
var errResume = errors.New("generated events cannot be resumed")

// Partition implements [engine.Source].
func (s *stream) Partition() event.Partition { return event.Partition{Source: "generated"} }

// Resume implements [engine.Source].
func (s *stream) Resume(context.Context, int64, []byte) error { return errResume }

// Next implements [engine.Source].
func (s *stream) Next(_ context.Context, into *event.Batch) error {
	const batch = 1000
	for range min(batch, s.left) {
		s.line = s.kind.appendEvent(s.line[:0], s.at%s.keys, s.at/s.keys, s.at)
		into.Add(0, int64(s.at), 0, s.line)
		s.at++
		s.left--
	}
	if s.left == 0 {
		return io.EOF
	}
	return nil
}

// Position implements [engine.Source].
func (s *stream) Position() int64 { return int64(s.at) }

// Fingerprint implements [engine.Source].
func (s *stream) Fingerprint() []byte { return nil }
