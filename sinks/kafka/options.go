package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go/compress"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// Options of a [Sink]. Brokers and Topic must be there; the other zero values are good.
type Options struct {
	Name    string   // of the sink, for messages; default "kafka"
	Brokers []string // host:port of some brokers; they name the others
	Topic   string   // must exist

	TLS  *wire.TLS  // default: not encrypted
	SASL *wire.SASL // default: no login

	// Compression is none, gzip, snappy, lz4 (the default) or zstd.
	Compression string
	// BatchBytes bounds a batch before compression, but for a single alert that is longer;
	// default 512 KiB. Where the topic takes less, the sink finds out.
	BatchBytes int

	// Transactional makes the rows of a Deliver one transaction; see the package's comment.
	Transactional bool
	// TransactionalID is the application's, and this sink's, alone: who opens a sink under it
	// shuts out whoever used it before. It is the name of the group of the position too.
	TransactionalID string
	// TransactionTimeout is how long a transaction of a process that is gone holds readers of
	// committed records up, unless a new process comes; default 1 m, bounded by the brokers
	// (transaction.max.timeout.ms).
	TransactionTimeout time.Duration
	// State names the state directory whose rows are delivered, and LastRow is the last row
	// that it holds or held. Needed with Transactional.
	State   string
	LastRow uint64
	// Adopt takes the transactional id over from another state directory: the position that
	// it has left is passed by.
	Adopt bool

	// Timeout is how long a broker may take to answer; default 10 s.
	Timeout time.Duration
	// StartTimeout bounds Open while brokers do not answer; default 15 s.
	StartTimeout time.Duration

	Log *slog.Logger     // default: nothing is logged
	Now func() time.Time // wall clock, for the time stamps of records; default time.Now
}

func (o *Options) validate() error {
	switch {
	case len(o.Brokers) == 0:
		return errors.New("kafka: no brokers; name at least one as host:port in brokers")
	case o.Topic == "":
		return errors.New("kafka: no topic; name it in topic")
	case o.BatchBytes < 0 || o.TransactionTimeout < 0 || o.Timeout < 0 || o.StartTimeout < 0:
		return errors.New("kafka: sizes and times: none may be negative")
	case o.Transactional && o.TransactionalID == "":
		return errors.New("kafka: transactional needs an id of this application and sink alone; name it in transactional_id")
	case o.Transactional && o.State == "":
		return errors.New("kafka: transactional needs a state directory: without one a new process cannot go on where the last one was")
	}
	o.setDefaults()
	if _, err := o.codec(); err != nil {
		return err
	}
	return nil
}

func (o *Options) setDefaults() {
	o.Name, o.Compression = cmp.Or(o.Name, "kafka"), cmp.Or(o.Compression, "lz4")
	o.BatchBytes = cmp.Or(o.BatchBytes, 512<<10)
	o.TransactionTimeout = cmp.Or(o.TransactionTimeout, time.Minute)
	o.Timeout, o.StartTimeout = cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.StartTimeout, 15*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// codec returns the number of the compression.
func (o *Options) codec() (compress.Compression, error) {
	for c := compress.None; c <= compress.Zstd; c++ {
		if name := c.String(); name == o.Compression || c == compress.None && o.Compression == "none" {
			return c, nil
		}
	}
	return 0, fmt.Errorf("kafka: compression %q: one of none, gzip, snappy, lz4, zstd", o.Compression)
}

func (o *Options) access() *wire.Access {
	return &wire.Access{Brokers: o.Brokers, TLS: o.TLS, SASL: o.SASL, Timeout: o.Timeout}
}
