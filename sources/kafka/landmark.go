package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// Brokers older than 2.8, and some that only speak Kafka's protocol, tell no ids of topics.
// There a topic made again is known by a record: the last one that was handed on, whose
// time stamp must be what it was. It is looked at before anything more is taken, at a start
// over a stored position and after every failure.

// landmark is a record by which a log is known.
type landmark struct{ offset, time int64 } // time stamp in ms; offset -1: there is none

// Versions of fingerprints.
const (
	fingerprintVersion = 1 // of a topic's id
	landmarkVersion    = 2
)

func (l landmark) fingerprint() []byte {
	if l.offset < 0 {
		return nil
	}
	b := binary.BigEndian.AppendUint64([]byte{landmarkVersion}, uint64(l.offset))
	return binary.BigEndian.AppendUint64(b, uint64(l.time))
}

func landmarkOf(fingerprint []byte) (l landmark, ok bool) {
	if len(fingerprint) != len(landmark{}.fingerprint()) || fingerprint[0] != landmarkVersion {
		return l, false
	}
	return landmark{int64(binary.BigEndian.Uint64(fingerprint[1:])), int64(binary.BigEndian.Uint64(fingerprint[9:]))}, true
}

func (s *Source) hasID() bool { return s.id != (wire.TopicID{}) }

// pass notes the last record handed on.
func (s *Source) pass(offset, time int64) {
	if s.hasID() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark = landmark{offset, time}
}

// asksForProof is the landmark to look at before anything more is taken, if there is one.
func (s *Source) asksForProof() (l landmark, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark, s.doubtful && s.mark.offset >= 0
}

// prove looks at the landmark where it must be; false where nothing is to be taken.
func (l *lane) prove(ctx context.Context, s *Source) bool {
	was, ok := s.asksForProof()
	if !ok {
		return true
	}
	is, found, err := l.timeAt(ctx, s, was.offset)
	switch {
	case err != nil:
		s.lose(err)
		l.c.trouble()
		return false
	case found && is != was.time:
		s.fail(&ReplacedError{
			Partition: s.Partition(), Offset: was.offset + 1, By: fmt.Sprintf("the time stamp at offset %d", was.offset),
			Was: stamp(was.time), Is: stamp(is),
		})
		return false
	case !found:
		l.c.o.Log.Warn("the last record read is gone and the brokers tell no ids of topics: whether the topic was made again is not known", s.attrs(), slog.Int64("offset", was.offset))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtful = false
	return true
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// timeAt asks for the time stamp of the record at an offset.
func (l *lane) timeAt(ctx context.Context, s *Source, offset int64) (time int64, found bool, err error) {
	f := &fetchExchange{version: l.c.versions.fetch, size: wire.MaxResponse, asks: []ask{{source: s, offset: offset, size: int32(l.c.o.FetchBytes)}}}
	if err := l.c.send(ctx, l.broker, f); err != nil {
		return 0, false, err
	}
	for i := range f.gives {
		switch g := &f.gives[i]; kafka.Error(g.code) {
		case 0:
			return timeIn(g.records, offset)
		case kafka.OffsetOutOfRange:
			return 0, false, nil
		default:
			return 0, false, kafka.Error(g.code)
		}
	}
	return 0, false, errors.New("the broker's answer does not name the partition")
}

// timeIn looks for a record in the batches of a log.
func timeIn(batches []byte, offset int64) (time int64, found bool, err error) {
	for {
		f, rest, ok, err := nextFrame(batches)
		if !ok || f.base > offset {
			return 0, false, err
		}
		if f.next > offset {
			return timeInFrame(&f, offset)
		}
		batches = rest
	}
}

func timeInFrame(f *frame, offset int64) (time int64, found bool, err error) {
	text := f.body
	if f.compressed() {
		if text, err = f.inflate(nil); err != nil {
			return 0, false, err
		}
	}
	c, e := cursor{f: f, text: text, left: f.count}, entry{}
	for {
		ok, err := c.next(&e)
		if !ok || e.offset == offset {
			return e.time, ok, err
		}
	}
}
