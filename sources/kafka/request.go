package kafka

import (
	"encoding/hex"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// The APIs that we speak ourselves, and the greatest versions of them that we know.
const (
	apiFetch, maxFetch             = 1, 13
	apiListOffsets, maxListOffsets = 2, 5
	apiMetadata, maxMetadata       = 3, 12
)

// topicID is what a cluster knows a topic by: one that is made again has another. It is
// zero where the brokers are too old to tell.
type topicID [16]byte

func (id topicID) String() string { return hex.EncodeToString(id[:]) }

// onWire is a request that writes itself and reads its response from the connection. It
// becomes a message of the transport, which gives connections, TLS and logins: the
// transport's own messages lose what the source must know (where a batch ends whose last
// records were compacted away, the ids of topics) and copy the records twice.
type onWire interface {
	api() int16
	exchange(rw io.ReadWriter) error
}

// routed is a request on its way to a broker; negative: to any of those named at the start.
type routed struct {
	onWire
	broker int32
}

// ApiKey is of protocol.Message.
func (r routed) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.api()) } //nolint:staticcheck // the library's name

// Broker is of protocol.BrokerMessage.
func (r routed) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: r.broker}, nil
}

// Required is of protocol.RawExchanger.
func (r routed) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (r routed) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	return r, r.exchange(rw)
}

// metadataExchange asks for topics and their leaders.
type metadataExchange struct {
	version int16
	topics  []string // nil: all

	brokers []brokerInfo
	found   []topicInfo
}

type brokerInfo struct {
	id   int32
	host string
	port int32
}

type topicInfo struct {
	name     string
	id       topicID
	code     int16
	internal bool
	parts    []partInfo
}

type partInfo struct {
	number, leader int32
	code           int16
}

func (m *metadataExchange) api() int16 { return apiMetadata }

func (m *metadataExchange) exchange(rw io.ReadWriter) error {
	e := &encoder{flexible: m.version >= 9}
	e.begin(apiMetadata, m.version)
	m.ask(e)
	d := exchangeOn(rw, e)
	m.read(d)
	return d.close()
}

func (m *metadataExchange) ask(e *encoder) {
	if m.topics == nil {
		e.array(-1)
	} else {
		e.array(len(m.topics))
	}
	for _, t := range m.topics {
		if m.version >= 10 {
			e.uuid(topicID{})
		}
		e.string(t)
		e.tags()
	}
	if m.version >= 4 {
		e.int8(0) // no topic is to be made
	}
	if m.version >= 8 && m.version <= 10 {
		e.int8(0) // authorized operations of the cluster
	}
	if m.version >= 8 {
		e.int8(0) // and of the topics
	}
	e.tags()
}

func (m *metadataExchange) read(d *decoder) {
	d.int32() // throttle
	for n := d.array(); n > 0 && d.err == nil; n-- {
		m.brokers = append(m.brokers, brokerInfo{d.int32(), d.string(), d.int32()})
		_ = d.string() // rack
		d.tags()
	}
	_ = d.string() // cluster
	d.int32()      // controller
	for n := d.array(); n > 0 && d.err == nil; n-- {
		m.found = append(m.found, m.readTopic(d))
	}
	if m.version >= 8 && m.version <= 10 {
		d.int32()
	}
	d.tags()
}

func (m *metadataExchange) readTopic(d *decoder) topicInfo {
	t := topicInfo{code: d.int16(), name: d.string()}
	if m.version >= 10 {
		t.id = d.uuid()
	}
	t.internal = d.bool()
	for n := d.array(); n > 0 && d.err == nil; n-- {
		t.parts = append(t.parts, m.readPartition(d))
	}
	if m.version >= 8 {
		d.int32()
	}
	d.tags()
	return t
}

func (m *metadataExchange) readPartition(d *decoder) partInfo {
	p := partInfo{code: d.int16(), number: d.int32(), leader: d.int32()}
	if m.version >= 7 {
		d.int32() // leader's epoch
	}
	lists := 2 // replicas, those in sync
	if m.version >= 5 {
		lists++ // those away
	}
	for ; lists > 0; lists-- {
		d.skip(4 * d.array())
	}
	d.tags()
	return p
}

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

func (l *listExchange) api() int16 { return apiListOffsets }

func (l *listExchange) exchange(rw io.ReadWriter) error {
	e := &encoder{}
	e.begin(apiListOffsets, l.version)
	e.int32(-1)
	if l.version >= 2 {
		e.int8(isolation(l.committed))
	}
	e.array(1)
	e.string(l.topic)
	e.array(1)
	e.int32(l.partition)
	if l.version >= 4 {
		e.int32(-1)
	}
	e.int64(l.time)
	d := exchangeOn(rw, e)
	l.read(d)
	return d.close()
}

func (l *listExchange) read(d *decoder) {
	if l.version >= 2 {
		d.int32() // throttle
	}
	l.offset = -1
	for n := d.array(); n > 0 && d.err == nil; n-- {
		_ = d.string()
		for k := d.array(); k > 0 && d.err == nil; k-- {
			d.int32()
			l.code = d.int16()
			d.int64() // time of that record
			l.offset = d.int64()
			if l.version >= 4 {
				d.int32()
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

func (f *fetchExchange) api() int16 { return apiFetch }

func (f *fetchExchange) exchange(rw io.ReadWriter) error {
	e := &encoder{flexible: f.version >= 12}
	e.begin(apiFetch, f.version)
	f.ask(e)
	d := exchangeOn(rw, e)
	f.read(d)
	return d.close()
}

func (f *fetchExchange) ask(e *encoder) {
	e.int32(-1)
	e.int32(f.wait)
	e.int32(1)
	e.int32(f.size)
	e.int8(isolation(true))
	if f.version >= 7 {
		e.int32(0)
		e.int32(-1) // no session
	}
	e.array(len(f.asks))
	for i := range f.asks {
		f.askPartition(e, &f.asks[i])
	}
	if f.version >= 7 {
		e.array(0)
	}
	if f.version >= 11 {
		e.string("") // rack
	}
	e.tags()
}

func (f *fetchExchange) askPartition(e *encoder, a *ask) {
	if f.version >= 13 {
		e.uuid(a.source.id)
	} else {
		e.string(a.source.topic)
	}
	e.array(1)
	e.int32(a.source.number)
	if f.version >= 9 {
		e.int32(-1) // leader's epoch
	}
	e.int64(a.offset)
	if f.version >= 12 {
		e.int32(-1) // epoch of the last record fetched
	}
	if f.version >= 5 {
		e.int64(-1)
	}
	e.int32(a.size)
	e.tags() // of the partition
	e.tags() // of the topic
}

func (f *fetchExchange) read(d *decoder) {
	d.int32() // throttle
	if f.version >= 7 {
		f.code = d.int16()
		d.int32() // session
	}
	for n := d.array(); n > 0 && d.err == nil; n-- {
		var topic string
		var id topicID
		if f.version >= 13 {
			id = d.uuid()
		} else {
			topic = d.string()
		}
		for k := d.array(); k > 0 && d.err == nil; k-- {
			f.gives = append(f.gives, f.readPartition(d, topic, id))
		}
		d.tags()
	}
	d.tags()
}

func (f *fetchExchange) readPartition(d *decoder, topic string, id topicID) give {
	g := give{ask: f.askOf(topic, id, d.int32()), code: d.int16(), end: d.int64(), decided: d.int64(), start: -1}
	if f.version >= 5 {
		g.start = d.int64()
	}
	for n := d.array(); n > 0 && d.err == nil; n-- {
		g.aborted = append(g.aborted, abortedTxn{d.int64(), d.int64()})
		d.tags()
	}
	if f.version >= 11 {
		d.int32() // replica to read from
	}
	if g.ask == nil {
		d.fail()
		return g
	}
	g.records = d.bytes(g.ask.memory)
	d.tags()
	return g
}

func (f *fetchExchange) askOf(topic string, id topicID, number int32) *ask {
	for i := range f.asks {
		s := f.asks[i].source
		if s.number == number && (f.version >= 13 && s.id == id || f.version < 13 && s.topic == topic) {
			return &f.asks[i]
		}
	}
	return nil
}
