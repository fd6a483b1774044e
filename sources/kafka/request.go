package kafka

import (
	"io"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// The APIs that we speak ourselves, and the greatest versions of them that we know.
const (
	apiFetch, maxFetch             = 1, 13
	apiListOffsets, maxListOffsets = 2, 5
)

// listExchange asks the leader of a partition for an offset.
type listExchange struct {
	version   int16
	topic     string
	partition int32
	time      int64 // ms; or earliest, latest
	committed bool  // latest is then where the first undecided transaction begins

	code   int16
	offset int64 // -1: there is none
}

// Times that stand for the ends of a log.
const (
	latest   = -1
	earliest = -2
)

func (l *listExchange) API() int16 { return apiListOffsets }

func (l *listExchange) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{}
	e.Begin(apiListOffsets, l.version)
	e.Int32(-1)
	if l.version >= 2 {
		e.Int8(isolation(l.committed))
	}
	e.Array(1)
	e.Text(l.topic)
	e.Array(1)
	e.Int32(l.partition)
	if l.version >= 4 {
		e.Int32(-1)
	}
	e.Int64(l.time)
	d := wire.Ask(rw, e)
	l.read(d)
	return d.Close()
}

func (l *listExchange) read(d *wire.Decoder) {
	if l.version >= 2 {
		d.Int32() // throttle
	}
	l.offset = -1
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		_ = d.Text()
		for k := d.Array(); k > 0 && d.Err == nil; k-- {
			d.Int32()
			l.code = d.Int16()
			d.Int64() // time of that record
			l.offset = d.Int64()
			if l.version >= 4 {
				d.Int32()
			}
		}
	}
}

func isolation(committed bool) int8 {
	if committed {
		return 1
	}
	return 0
}

// fetchExchange is one fetch from one broker.
type fetchExchange struct {
	version int16
	wait    int32 // ms
	size    int32 // of the response, bytes
	asks    []ask

	code  int16
	gives []give
}

// ask is what is asked of a partition, and memory for what comes.
type ask struct {
	source *Source
	offset int64
	size   int32
	memory []byte
	era    int
}

// give is what came of a partition.
type give struct {
	ask          *ask
	code         int16
	end, decided int64 // high watermark and last stable offset
	start        int64 // of the log
	aborted      []abortedTxn
	records      []byte
}

// abortedTxn is a transaction whose records, from first to its marker, do not count.
type abortedTxn struct{ producer, first int64 }

func (f *fetchExchange) API() int16 { return apiFetch }

func (f *fetchExchange) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{Flexible: f.version >= 12}
	e.Begin(apiFetch, f.version)
	f.ask(e)
	d := wire.Ask(rw, e)
	f.read(d)
	return d.Close()
}

func (f *fetchExchange) ask(e *wire.Encoder) {
	e.Int32(-1)
	e.Int32(f.wait)
	e.Int32(1)
	e.Int32(f.size)
	e.Int8(isolation(true))
	if f.version >= 7 {
		e.Int32(0)
		e.Int32(-1) // no session
	}
	e.Array(len(f.asks))
	for i := range f.asks {
		f.askPartition(e, &f.asks[i])
	}
	if f.version >= 7 {
		e.Array(0)
	}
	if f.version >= 11 {
		e.Text("") // rack
	}
	e.Tags()
}

func (f *fetchExchange) askPartition(e *wire.Encoder, a *ask) {
	if f.version >= 13 {
		e.UUID(a.source.id)
	} else {
		e.Text(a.source.topic)
	}
	e.Array(1)
	e.Int32(a.source.number)
	if f.version >= 9 {
		e.Int32(-1) // leader's epoch
	}
	e.Int64(a.offset)
	if f.version >= 12 {
		e.Int32(-1) // epoch of the last record fetched
	}
	if f.version >= 5 {
		e.Int64(-1)
	}
	e.Int32(a.size)
	e.Tags() // of the partition
	e.Tags() // of the topic
}

func (f *fetchExchange) read(d *wire.Decoder) {
	d.Int32() // throttle
	if f.version >= 7 {
		f.code = d.Int16()
		d.Int32() // session
	}
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		var topic string
		var id wire.TopicID
		if f.version >= 13 {
			id = d.UUID()
		} else {
			topic = d.Text()
		}
		for k := d.Array(); k > 0 && d.Err == nil; k-- {
			f.gives = append(f.gives, f.readPartition(d, topic, id))
		}
		d.Tags()
	}
	d.Tags()
}

func (f *fetchExchange) readPartition(d *wire.Decoder, topic string, id wire.TopicID) give {
	g := give{ask: f.askOf(topic, id, d.Int32()), code: d.Int16(), end: d.Int64(), decided: d.Int64(), start: -1}
	if f.version >= 5 {
		g.start = d.Int64()
	}
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		g.aborted = append(g.aborted, abortedTxn{d.Int64(), d.Int64()})
		d.Tags()
	}
	if f.version >= 11 {
		d.Int32() // replica to read from
	}
	if g.ask == nil {
		d.Fail()
		return g
	}
	g.records = d.Bytes(g.ask.memory)
	d.Tags()
	return g
}

func (f *fetchExchange) askOf(topic string, id wire.TopicID, number int32) *ask {
	for i := range f.asks {
		s := f.asks[i].source
		if s.number == number && (f.version >= 13 && s.id == id || f.version < 13 && s.topic == topic) {
			return &f.asks[i]
		}
	}
	return nil
}
