package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// Format says how the values of records are written.
type Format uint8

// JSON is one JSON object a record; CloudEvents in structured mode are JSON as well, and
// those in binary mode are known by their headers. CSV is one row a record, whose columns
// Options.Columns names. Raw is any text: it becomes the field Options.RawField of an
// object.
const (
	JSON Format = iota
	CSV
	Raw
)

// Policy says what follows where reading cannot go on at the offset it stands at.
type Policy uint8

// Of the policies, the first is the default.
const (
	Earliest Policy = iota // go on with the oldest record that is left
	Latest                 // go on with what comes from now on
	Stop                   // end the run with an error
)

// Start says where a partition begins of which no position is stored.
type Start struct {
	From Policy    // Earliest or Latest
	At   time.Time // the first record of that time or later; not zero: it goes before From
}

// TLS says how connections are encrypted.
type TLS = wire.TLS

// SASL is a login.
type SASL = wire.SASL

// Options of a [Client]. Brokers and Topics or Pattern must be there; the other zero
// values are good.
type Options struct {
	Name    string   // of the source in the names of partitions; default "kafka"
	Brokers []string // host:port of some brokers; they name the others
	Topics  []string
	Pattern string // a regular expression that a topic's whole name matches; besides Topics
	Start   Start
	Group   string // offsets are published under it, see Client.Publish; default: they are not

	TLS  *TLS  // default: not encrypted
	SASL *SASL // default: no login

	Format   Format
	Columns  string // CSV: the header row
	RawField string // Raw: the field that the text becomes; default "text"

	// OutOfRange is for an offset whose record is gone, by retention or DeleteRecords. An
	// offset beyond the end of the log, which is a log that has lost records, ends the run
	// unless this is Latest.
	OutOfRange Policy
	// SkipDamaged passes by a batch whose checksum is wrong twice, counted and logged;
	// default: the run ends with an error.
	SkipDamaged bool
	// MaxRecord is the greatest length of a value in bytes; of a longer one the first bytes
	// are handed on, marked event.FaultTooLong. Default 64 MiB.
	MaxRecord int

	// Prefetch bounds what waits in memory for the engine, in bytes, all partitions
	// together; default 64 MiB. A partition holds at least one answer of a broker beyond it,
	// which is as long as its largest batch.
	Prefetch int
	// FetchBytes is how much is asked of a partition at once; default 512 KiB.
	FetchBytes int
	// Wait is how long a broker may hold a fetch for which there is nothing; default 500 ms.
	Wait time.Duration
	// Timeout is for one answer of a broker beyond Wait, and for a connection; default 10 s.
	Timeout time.Duration
	// StartTimeout is how long Open tries brokers that do not answer; default 15 s.
	StartTimeout time.Duration
	// Refresh is how often new topics and partitions are looked for; default 10 s.
	Refresh time.Duration
	// EachPartition fetches each partition by a request of its own; default: one request for
	// all of a broker.
	EachPartition bool

	Log *slog.Logger     // default: nothing is logged
	Now func() time.Time // wall clock; default time.Now
}

func (o *Options) validate() error {
	if len(o.Brokers) == 0 {
		return errors.New("kafka: no brokers; name at least one as host:port in brokers")
	}
	if len(o.Topics) == 0 && o.Pattern == "" {
		return errors.New("kafka: no topics; name them in topics")
	}
	if _, err := o.pattern(); err != nil {
		return err
	}
	if o.Format == CSV && o.Columns == "" {
		return errors.New("kafka: CSV records have no header row of their own; name the columns in columns")
	}
	if o.MaxRecord < 0 || o.Prefetch < 0 || o.FetchBytes < 0 || o.Wait < 0 || o.Timeout < 0 || o.StartTimeout < 0 || o.Refresh < 0 {
		return errors.New("kafka: sizes and times: none may be negative")
	}
	o.setDefaults()
	return nil
}

func (o *Options) setDefaults() {
	o.Name, o.RawField = cmp.Or(o.Name, "kafka"), cmp.Or(o.RawField, "text")
	o.MaxRecord, o.Prefetch = cmp.Or(o.MaxRecord, 64<<20), cmp.Or(o.Prefetch, 64<<20)
	o.FetchBytes = cmp.Or(o.FetchBytes, 512<<10)
	o.Wait, o.Timeout = cmp.Or(o.Wait, 500*time.Millisecond), cmp.Or(o.Timeout, 10*time.Second)
	o.StartTimeout, o.Refresh = cmp.Or(o.StartTimeout, 15*time.Second), cmp.Or(o.Refresh, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// pattern returns nil where there is none.
func (o *Options) pattern() (*regexp.Regexp, error) {
	if o.Pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile("^(?:" + o.Pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("kafka: the pattern of topics: %w", err)
	}
	return re, nil
}

// access is how the brokers are reached.
func (o *Options) access() *wire.Access {
	return &wire.Access{Brokers: o.Brokers, TLS: o.TLS, SASL: o.SASL, Timeout: o.Timeout}
}
