package kafka

import (
	"io"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// The requests of the sink. Versions are fixed where all brokers since Kafka 2.5 know them.
const (
	apiProduce         = 0 // 3 to 7
	apiOffsetFetch     = 9
	apiFindCoordinator = 10
	apiInitProducerID  = 22 // 1 to 4
	apiAddPartitions   = 24
	apiAddOffsets      = 25
	apiEndTxn          = 26
	apiTxnOffsetCommit = 28

	maxProduce        = 7
	maxInitProducerID = 4
	onlyOffsetFetch   = 7 // the first that waits for transactions in doubt
	onlyCoordinator   = 2
	onlyTxn           = 1
	onlyOffsetCommit  = 2
)

// exchange is a request that has one error code for all of it.
type exchange interface {
	wire.Request
	failed() int16
}

// outcome is the code of a response.
type outcome struct{ code int16 }

func (o *outcome) failed() int16 { return o.code }

// note keeps the first code that is not 0.
func (o *outcome) note(code int16) {
	if o.code == 0 {
		o.code = code
	}
}

// identity is what the brokers know a producer by.
type identity struct {
	id    int64
	epoch int16
}

// nobody is the identity of a producer that has none yet.
var nobody = identity{-1, -1}

// initProducer asks for an identity; with a transactional id it shuts out those before. A
// producer that has one, which the broker may have taken away for a transaction that took
// too long, gets the next, if no other was there in between.
type initProducer struct {
	outcome
	version       int16
	transactional string // empty: none
	timeout       int32  // ms
	was           identity

	is identity
}

func (q *initProducer) API() int16 { return apiInitProducerID }

func (q *initProducer) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{Flexible: q.version >= 2}
	e.Begin(apiInitProducerID, q.version)
	if q.transactional == "" {
		e.Null()
	} else {
		e.Text(q.transactional)
	}
	e.Int32(q.timeout)
	if q.version >= 3 {
		e.Int64(q.was.id)
		e.Int16(q.was.epoch)
	}
	e.Tags()
	d := wire.Ask(rw, e)
	d.Int32() // throttle
	q.code = d.Int16()
	q.is = identity{d.Int64(), d.Int16()}
	d.Tags()
	return d.Close()
}

// findCoordinator asks which broker is responsible for a group or a transactional id.
type findCoordinator struct {
	outcome
	key  string
	kind int8

	node int32
}

// Kinds of coordinators.
const (
	ofGroup       = 0
	ofTransaction = 1
)

func (q *findCoordinator) API() int16 { return apiFindCoordinator }

func (q *findCoordinator) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{}
	e.Begin(apiFindCoordinator, onlyCoordinator)
	e.Text(q.key)
	e.Int8(q.kind)
	d := wire.Ask(rw, e)
	d.Int32() // throttle
	q.code = d.Int16()
	_ = d.Text() // the error in words
	q.node = d.Int32()
	_ = d.Text()
	d.Int32()
	return d.Close()
}

// inTxn is what all requests within a transaction begin with.
type inTxn struct {
	outcome
	transactional string
	producer      identity
}

// begin writes the head of a request.
func (q *inTxn) begin(api, version int16) *wire.Encoder {
	e := &wire.Encoder{}
	e.Begin(api, version)
	e.Text(q.transactional)
	return e
}

func (q *inTxn) who(e *wire.Encoder) {
	e.Int64(q.producer.id)
	e.Int16(q.producer.epoch)
}

// addPartitions tells which partitions of the topic the transaction will write to.
type addPartitions struct {
	inTxn
	topic      string
	partitions []int32
}

func (q *addPartitions) API() int16 { return apiAddPartitions }

func (q *addPartitions) Exchange(rw io.ReadWriter) error {
	e := q.begin(apiAddPartitions, onlyTxn)
	q.who(e)
	e.Array(1)
	e.Text(q.topic)
	e.Array(len(q.partitions))
	for _, p := range q.partitions {
		e.Int32(p)
	}
	d := wire.Ask(rw, e)
	q.readCodes(d)
	return d.Close()
}

// readCodes reads a response with a code for each partition of some topics.
func (q *inTxn) readCodes(d *wire.Decoder) {
	d.Int32() // throttle
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		_ = d.Text()
		for k := d.Array(); k > 0 && d.Err == nil; k-- {
			d.Int32()
			q.note(d.Int16())
		}
	}
}

// addOffsets tells that offsets of a group will be part of the transaction.
type addOffsets struct {
	inTxn
	group string
}

func (q *addOffsets) API() int16 { return apiAddOffsets }

func (q *addOffsets) Exchange(rw io.ReadWriter) error {
	e := q.begin(apiAddOffsets, onlyTxn)
	q.who(e)
	e.Text(q.group)
	return q.ask(rw, e)
}

// ask is for responses that are a code alone.
func (q *inTxn) ask(rw io.ReadWriter, e *wire.Encoder) error {
	d := wire.Ask(rw, e)
	d.Int32() // throttle
	q.code = d.Int16()
	return d.Close()
}

// commitOffset puts an offset into the transaction.
type commitOffset struct {
	inTxn
	group, topic string
	offset       int64
	metadata     string
}

func (q *commitOffset) API() int16 { return apiTxnOffsetCommit }

func (q *commitOffset) Exchange(rw io.ReadWriter) error {
	e := q.begin(apiTxnOffsetCommit, onlyOffsetCommit)
	e.Text(q.group)
	q.who(e)
	e.Array(1)
	e.Text(q.topic)
	e.Array(1)
	e.Int32(positionPartition)
	e.Int64(q.offset)
	e.Int32(-1) // epoch of a leader
	e.Text(q.metadata)
	d := wire.Ask(rw, e)
	q.readCodes(d)
	return d.Close()
}

// endTxn commits a transaction, or undoes it.
type endTxn struct {
	inTxn
	commit bool
}

func (q *endTxn) API() int16 { return apiEndTxn }

func (q *endTxn) Exchange(rw io.ReadWriter) error {
	e := q.begin(apiEndTxn, onlyTxn)
	q.who(e)
	if q.commit {
		e.Int8(1)
	} else {
		e.Int8(0)
	}
	return q.ask(rw, e)
}

// fetchOffset reads what commitOffset has written.
type fetchOffset struct {
	outcome
	group, topic string
	stable       bool // a code says so where a transaction in doubt would change it

	offset   int64 // -1: there is none
	metadata string
}

// failed takes a group that is not there for one without an offset.
func (q *fetchOffset) failed() int16 {
	if kafka.Error(q.code) == kafka.GroupIdNotFound {
		return 0
	}
	return q.code
}

func (q *fetchOffset) API() int16 { return apiOffsetFetch }

func (q *fetchOffset) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{Flexible: true}
	e.Begin(apiOffsetFetch, onlyOffsetFetch)
	e.Text(q.group)
	e.Array(1)
	e.Text(q.topic)
	e.Array(1)
	e.Int32(positionPartition)
	e.Tags()
	if q.stable {
		e.Int8(1)
	} else {
		e.Int8(0)
	}
	e.Tags()
	d := wire.Ask(rw, e)
	q.read(d)
	return d.Close()
}

func (q *fetchOffset) read(d *wire.Decoder) {
	q.offset = -1
	d.Int32() // throttle
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		_ = d.Text()
		for k := d.Array(); k > 0 && d.Err == nil; k-- {
			d.Int32()
			q.offset = d.Int64()
			d.Int32() // epoch of a leader
			q.metadata = d.Text()
			q.note(d.Int16())
			d.Tags()
		}
		d.Tags()
	}
	q.note(d.Int16())
	d.Tags()
}

// produce writes a batch to each of some partitions of one leader. It owns what it holds: a
// request that we no longer wait for may still be under way.
type produce struct {
	version       int16
	transactional string // empty: none
	timeout       int32  // ms, for the replicas
	topic         string
	parts         []part
}

// part is what a produce has for a partition, and the answer.
type part struct {
	partition int32
	batch     []byte
	code      int16
	answered  bool
}

func (q *produce) API() int16 { return apiProduce }

func (q *produce) Exchange(rw io.ReadWriter) error {
	e := &wire.Encoder{}
	e.Begin(apiProduce, q.version)
	if q.transactional == "" {
		e.Null()
	} else {
		e.Text(q.transactional)
	}
	e.Int16(-1) // all replicas in sync
	e.Int32(q.timeout)
	e.Array(1)
	e.Text(q.topic)
	e.Array(len(q.parts))
	for i := range q.parts {
		e.Int32(q.parts[i].partition)
		e.Bytes(q.parts[i].batch)
	}
	d := wire.Ask(rw, e)
	q.read(d)
	return d.Close()
}

func (q *produce) read(d *wire.Decoder) {
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		_ = d.Text()
		for k := d.Array(); k > 0 && d.Err == nil; k-- {
			q.answer(d.Int32(), d.Int16())
			d.Int64() // offset
			d.Int64() // time
			if q.version >= 5 {
				d.Int64() // start of the log
			}
		}
	}
	d.Int32() // throttle
}

func (q *produce) answer(partition int32, code int16) {
	for i := range q.parts {
		if p := &q.parts[i]; p.partition == partition {
			p.code, p.answered = code, true
		}
	}
}
