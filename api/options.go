package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/redact"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	"github.com/cepheus-cep/cepheus/sinks/route"
)

// Rules is the rule set in service: a [service.Service].
type Rules interface {
	Current() service.Version
	Files() []service.File
	FilesOf(number uint64) ([]service.File, error)
	Versions() []service.Version
	Set() *plan.Set
	Trouble() string
	Check(e service.Edit) (*plan.Set, source.Errors, error)
	Edit(ctx context.Context, e service.Edit) (service.Result, error)
	// Warm begins to warm the rules of a change, which is made once they are.
	Warm(ctx context.Context, e service.Edit, p service.Past) (service.Warming, error)
	Warmings() []service.Warming
	EndWarming(number uint64) error
	Rollback(ctx context.Context, number uint64, author string, expected uint64) (service.Result, error)
}

// Shadows are the alerts that shadow rules would have sent: a [service.Shadows].
type Shadows interface {
	Last(rule string, most int) []service.Shadow
}

// Sinks says how delivery stands: a [sinks.Dispatcher].
type Sinks interface {
	Stats() []sinks.Stats
}

// Events takes events in: a Queue of sources/http.
type Events interface {
	// PushWith queues all records or, with an error, none, and returns the position after the
	// last. An error that has a RetryAfter says that there is no room. Beside each are headers,
	// in the form of event.RecordMeta; nil: none.
	PushWith(records [][]byte, headers []byte) (end int64, err error)
	// Wait returns nil when all before end is committed.
	Wait(ctx context.Context, end int64) error
	// Waiting is how much is queued.
	Waiting() (records int, bytes int64)
}

// Letters are the dead letters: a [deadletter.Box].
type Letters interface {
	Letters(visit func(*deadletter.Stored) error) error
	Done(how string, ids ...string) error
}

// Silences keep alerts back: a [route.Silences].
type Silences interface {
	Add(s route.Silence, now time.Time) (id string, err error)
	End(id string) error
	Holding(now time.Time) []route.Silence
}

// Keys looks into what the running engine remembers of keys: an [engine.Engine].
type Keys interface {
	// Explain tells of the open runs and windows of a key of a rule. The parts of the key are as
	// alerts write them, in order, or each as NAME=VALUE. Errors are [engine.ErrNoRule], a
	// [engine.KeyError] and those of the run.
	Explain(ctx context.Context, rule string, key []string) (*engine.KeyView, error)
	// Row tells what a table holds of a key.
	Row(ctx context.Context, table string, key []string) (*engine.KeyView, error)
}

// SourceStats are those of one partition of a log.
type SourceStats struct {
	Source, Topic string
	Partition     int32
	Behind        int64  // records in the log that are not read, at most; below 0: not known
	Failures      uint64 // fetches that failed
	Lost          uint64 // records that were gone before they could be read, at most
	Damaged       uint64 // batches that were passed by
}

// Options of a Server. What is nil is not served: its routes answer with a problem that
// says so.
type Options struct {
	Rules    Rules
	Shadows  Shadows
	Totals   *Totals // of the engine
	Recent   *Recent // alerts
	Timings  *Timings
	Sinks    Sinks
	Events   Events
	Letters  Letters
	Silences Silences
	Keys     Keys
	Sources  func() []SourceStats // logs that are read

	// Traced says that the trace which a request for events is part of goes along with them.
	Traced bool
	// Durable says that what is committed outlives the process.
	Durable bool
	// Ready says why the process cannot do its work; nothing: it can. Default: it can.
	Ready func() []string
	// Reload reads the configuration again, and tells what has changed and what needs a
	// restart.
	Reload func(ctx context.Context) (told []string, err error)
	// Resend hands alerts to a sink again that it has refused, and returns those that it took;
	// it tells why it did not take the others. The error is about all those.
	Resend func(ctx context.Context, sink string, letters []*deadletter.Stored, tell func(*deadletter.Stored, error)) ([]*deadletter.Stored, error)

	// Redact takes people's data out of answers, where the engine has not done so. Nil: nobody's.
	Redact *redact.Redactor
	// Decode is how the records of a trial are read; the zero value reads JSON.
	Decode event.Options
	// Kept are the last records that the engine has read, for trials; nil: none are kept.
	Kept *engine.Recent
	// Files looks at the files of lists and tables in a trial; nil: as they were at load.
	Files engine.Files

	Listen   string // address and port; default 127.0.0.1:8080
	Tokens   []Token
	TLS      *TLS
	Insecure bool   // listen beyond this machine though anybody may ask
	Audit    string // path of the audit log; empty: what would be in it is logged
	Version  string // of the program

	Limits Limits
	Now    func() time.Time // wall clock; default time.Now
	Log    *slog.Logger     // default: nothing is logged
}

// Token is a bearer token that is known.
type Token struct {
	Name   string // in logs, and the author of changes
	Hash   string // bcrypt ($2…) or argon2id ($argon2id$…)
	Scopes []string
}

// TLS says with what connections are encrypted. The files are read again when they change.
type TLS struct {
	Cert, Key string // PEM files
	ClientCA  string // of those who sign the certificates of clients, which must have one; empty: no need
}

// Limits bound what clients can make the process do. The zero value is good.
type Limits struct {
	Body        int64         // bytes of a body; default 32 MiB, twice the texts of a set
	Bodies      int64         // bytes of all bodies that are read at once; default eight times Body
	Events      int           // events of a request; default 100,000
	Request     time.Duration // a request, its body included; default 30 s
	Head        time.Duration // the headers of a request; default 5 s
	Idle        time.Duration // an idle connection; default 60 s
	Connections int           // open at once: beyond it the one idle for longest is closed; default 1,000
	Streams     int           // open streams of alerts; default 100
	Rate        float64       // requests a second of a principal; default 1,000
	Burst       int           // of them at once; default twice a second's
	Trials      int           // at once; default 1
	TrialBytes  int64         // that the rules of a trial may remember; default 256 MiB
	Labels      int           // rules that have metrics of their own, the others are summed up; default 200
}

func (o *Options) fill() {
	o.Listen = or(o.Listen, "127.0.0.1:8080")
	o.Version = or(o.Version, "unknown")
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Totals == nil {
		o.Totals = NewTotals(o.Now)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits.fill()
}

func (l *Limits) fill() {
	l.Body = or(l.Body, 32<<20)
	l.Bodies = or(l.Bodies, 8*l.Body)
	l.Events = or(l.Events, 100_000)
	l.Request = or(l.Request, 30*time.Second)
	l.Head = or(l.Head, 5*time.Second)
	l.Idle = or(l.Idle, time.Minute)
	l.Connections = or(l.Connections, 1000)
	l.Streams = or(l.Streams, 100)
	l.Rate = or(l.Rate, 1000)
	l.Burst = or(l.Burst, max(1, int(2*l.Rate)))
	l.Trials = or(l.Trials, 1)
	l.TrialBytes = or(l.TrialBytes, 256<<20)
	l.Labels = or(l.Labels, 200)
}

// or is a value, or its default where it is zero.
func or[T comparable](value, byDefault T) T {
	var zero T
	if value == zero {
		return byDefault
	}
	return value
}
