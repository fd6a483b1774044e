package wire

import "io"

// APIMetadata is the number of [Metadata], MaxMetadata the greatest version known.
const (
	APIMetadata = 3
	MaxMetadata = 12
)

// Metadata asks for topics and their leaders.
type Metadata struct {
	Version int16
	Topics  []string // nil: all

	Brokers []Broker
	Found   []Topic
}

// Broker is one of a cluster.
type Broker struct {
	ID   int32
	Host string
	Port int32
}

// Topic is what brokers say of one.
type Topic struct {
	Name     string
	ID       TopicID
	Code     int16 // of the error, 0: none
	Internal bool
	Parts    []Partition
}

// Partition is what brokers say of one; Leader is negative where it has none.
type Partition struct {
	Number, Leader int32
	Code           int16
}

// API is of [Request].
func (m *Metadata) API() int16 { return APIMetadata }

// Exchange is of [Request].
func (m *Metadata) Exchange(rw io.ReadWriter) error {
	e := &Encoder{Flexible: m.Version >= 9}
	e.Begin(APIMetadata, m.Version)
	m.ask(e)
	d := Ask(rw, e)
	m.read(d)
	return d.Close()
}

func (m *Metadata) ask(e *Encoder) {
	if m.Topics == nil {
		e.Array(-1)
	} else {
		e.Array(len(m.Topics))
	}
	for _, t := range m.Topics {
		if m.Version >= 10 {
			e.UUID(TopicID{})
		}
		e.Text(t)
		e.Tags()
	}
	if m.Version >= 4 {
		e.Int8(0) // no topic is to be made
	}
	if m.Version >= 8 && m.Version <= 10 {
		e.Int8(0) // authorized operations of the cluster
	}
	if m.Version >= 8 {
		e.Int8(0) // and of the topics
	}
	e.Tags()
}

func (m *Metadata) read(d *Decoder) {
	d.Int32() // throttle
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		m.Brokers = append(m.Brokers, Broker{d.Int32(), d.Text(), d.Int32()})
		_ = d.Text() // rack
		d.Tags()
	}
	_ = d.Text() // cluster
	d.Int32()    // controller
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		m.Found = append(m.Found, m.readTopic(d))
	}
	if m.Version >= 8 && m.Version <= 10 {
		d.Int32()
	}
	d.Tags()
}

func (m *Metadata) readTopic(d *Decoder) Topic {
	t := Topic{Code: d.Int16(), Name: d.Text()}
	if m.Version >= 10 {
		t.ID = d.UUID()
	}
	t.Internal = d.Bool()
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		t.Parts = append(t.Parts, m.readPartition(d))
	}
	if m.Version >= 8 {
		d.Int32()
	}
	d.Tags()
	return t
}

func (m *Metadata) readPartition(d *Decoder) Partition {
	p := Partition{Code: d.Int16(), Number: d.Int32(), Leader: d.Int32()}
	if m.Version >= 7 {
		d.Int32() // leader's epoch
	}
	lists := 2 // replicas, those in sync
	if m.Version >= 5 {
		lists++ // those away
	}
	for ; lists > 0; lists-- {
		d.Skip(4 * d.Array())
	}
	d.Tags()
	return p
}
