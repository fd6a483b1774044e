package measure

import (
	"errors"
	"fmt"
	"math"

	"github.com/cepheus-cep/cepheus/benchmarks/workload"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// batchRecords is how many records one batch of a loaded stream holds.
const batchRecords = 1000

// stream is a loaded stream of events, outside of the heap.
type stream struct {
	text    []byte // of all records
	batches []loadedBatch
	times   []int64 // of each event, in nanoseconds
}

// loadedBatch is a part of the stream: its text begins where its first record does.
type loadedBatch struct {
	text    []byte
	records []event.RecordRef
	decoded []event.Event // nil in mode JSON
	common  event.Common  // of decoded
}

// load renders events and splits them into batches.
func load(events *workload.Events) (*stream, error) {
	n := events.Len()
	s := &stream{times: make([]int64, n)}
	records, err := offHeap[event.RecordRef](n)
	if err != nil {
		return nil, err
	}
	if s.text, err = render(events); err != nil {
		return nil, err
	}
	at := 0
	for from := 0; from < n; from += batchRecords {
		b := loadedBatch{records: records[from:min(from+batchRecords, n):min(from+batchRecords, n)]}
		start := at
		for i := range b.records {
			end := lineEnd(s.text, at)
			b.records[i] = event.RecordRef{Start: uint32(at - start), End: uint32(end - start), Offset: int64(at)}
			s.times[from+i] = events.TS(from+i) * 1e6
			at = end + 1
		}
		b.text = s.text[start:at:at]
		s.batches = append(s.batches, b)
	}
	return s, nil
}

// render writes the events as lines outside of the heap.
func render(events *workload.Events) ([]byte, error) {
	size, line := 0, []byte(nil)
	for i := range events.Len() {
		line = events.Append(line[:0], i)
		size += len(line)
	}
	text, err := offHeap[byte](size)
	if err != nil {
		return nil, err
	}
	text = text[:0]
	for i := range events.Len() {
		text = events.Append(text, i)
	}
	return text, nil
}

func lineEnd(text []byte, at int) int {
	for text[at] != '\n' {
		at++
	}
	return at
}

var errUndecoded = errors.New("a record of the workload cannot be decoded")

// decode makes the events of all batches by the layouts of a rule set, outside of the
// heap.
func (s *stream) decode(set *plan.Set) error {
	var layouts []*event.Layout
	words := 0
	for _, t := range set.Types {
		layouts = append(layouts, &t.Layout)
		words = max(words, t.Layout.Width())
	}
	events, err := offHeap[event.Event](len(s.times))
	if err != nil {
		return err
	}
	slots, err := offHeap[uint64](len(s.times) * words)
	if err != nil {
		return err
	}
	decoder, arena := event.NewDecoder(layouts, event.Options{}), &event.Arena{}
	for i := range s.batches {
		b := &s.batches[i]
		arena.Reset()
		if err := decodeBatch(decoder, b, arena); err != nil {
			return err
		}
		n := copy(events, arena.Events)
		for j := range events[:n] {
			k := copy(slots, events[j].Slots)
			events[j].Slots, slots = slots[:k:k], slots[k:]
		}
		b.decoded, events = events[:n:n], events[n:]
		if c := event.CommonOf(b.decoded); c.InOrder { // else the engine sets times, run after run
			b.common = c
		}
	}
	return nil
}

func decodeBatch(d *event.Decoder, b *loadedBatch, arena *event.Arena) error {
	batch := &event.Batch{Text: b.text, Records: b.records}
	for i := range b.records {
		outcome, err := d.Decode(batch, i, arena)
		if outcome != event.Decoded {
			return errors.Join(fmt.Errorf("%w: %s", errUndecoded, b.text[b.records[i].Start:b.records[i].End]), err)
		}
		if ev := &arena.Events[i]; len(ev.Text) != int(ev.Raw) {
			return fmt.Errorf("%w without text of its own on the heap: %s", errUndecoded, ev.JSON())
		}
	}
	return nil
}

// causeOf is the number of the first event whose time is not before t: of an alert of
// that time it is the event that completed it, or that passed its deadline. ok is false
// where only the end of the stream does.
func (s *stream) causeOf(t int64) (n int, ok bool) {
	low, high := 0, len(s.times)
	for low < high {
		if mid := int(uint(low+high) >> 1); s.times[mid] < t {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(s.times) && t < math.MaxInt64
}
