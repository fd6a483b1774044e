package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Options of a sink. URL must be given.
type Options struct {
	// URL is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS.
	URL string

	// Stream is its key. Default cepheus:alerts.
	Stream string

	// MaxLen is about how many entries the stream keeps; 0: all.
	MaxLen int64

	// Known is how many ids are kept to tell repeats by. Default 100,000.
	Known int
}

// Sink appends to one stream.
type Sink struct {
	o      Options
	client *redis.Client
	addr   string
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.Previewer = (*Sink)(nil)
)

// scriptAlerts bounds the alerts of one script: Redis does nothing else meanwhile.
const scriptAlerts = 500

// New returns a sink. Nothing is connected yet.
func New(o Options) (*Sink, error) {
	at, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("redis: the URL cannot be read; it is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS, with other characters than letters, digits and -._~ of a user or password escaped (%40 for @)")
	}
	if o.MaxLen < 0 || o.Known < 0 {
		return nil, fmt.Errorf("redis: negative bound: stream %d, known ids %d", o.MaxLen, o.Known)
	}
	if o.Stream == "" {
		o.Stream = "cepheus:alerts"
	}
	if o.Known == 0 {
		o.Known = 100_000
	}
	at.MaxRetries, at.DialerRetries, at.ContextTimeoutEnabled, at.ClientName = -1, 1, true, "cepheus" // who tries again is the dispatcher
	at.PoolSize = 4
	return &Sink{o: o, client: redis.NewClient(at), addr: at.Addr}, nil
}

// Name is what the sink is called in messages and in the state.
func (s *Sink) Name() string { return "redis://" + s.addr + "#" + s.o.Stream }

// known is the key of the set of ids, in the slot of the stream.
func (s *Sink) known() string {
	if open := strings.IndexByte(s.o.Stream, '{'); open >= 0 && strings.IndexByte(s.o.Stream[open:], '}') > 1 {
		return s.o.Stream + ":ids"
	}
	return "{" + s.o.Stream + "}:ids"
}

// script appends alerts that are not known. The score of an id is one more than the
// greatest, so that the oldest are forgotten first.
var script = redis.NewScript(`
local stream, known = KEYS[1], KEYS[2]
local maxlen, keep = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = redis.call('ZREVRANGE', known, 0, 0, 'WITHSCORES')
local score = tonumber(last[2] or '0')
for i = 3, #ARGV, 4 do
	score = score + 1
	if redis.call('ZADD', known, 'NX', score, ARGV[i]) == 1 then
		if maxlen > 0 then
			redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'id', ARGV[i], 'rule', ARGV[i+1], 'severity', ARGV[i+2], 'alert', ARGV[i+3])
		else
			redis.call('XADD', stream, '*', 'id', ARGV[i], 'rule', ARGV[i+1], 'severity', ARGV[i+2], 'alert', ARGV[i+3])
		end
	end
end
redis.call('ZREMRANGEBYRANK', known, 0, -keep-1)
return 1`)

// Deliver appends the first rows.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	alerts, err := sinks.ParseAlerts(rows[:min(len(rows), scriptAlerts)])
	if len(alerts) == 0 {
		return 0, err
	}
	args := []any{s.o.MaxLen, s.o.Known}
	for i, a := range alerts { // those before one that cannot be read go first
		args = append(args, a.ID, a.Rule, a.Severity, rows[i].Alert)
	}
	if err := script.Run(ctx, s.client, []string{s.o.Stream, s.known()}, args...).Err(); err != nil {
		return 0, s.meaning(err)
	}
	return len(alerts), nil
}

// Preview shows the entry of the first row.
func (s *Sink) Preview(rows []sinks.Row) (text string, taken int, err error) {
	a, err := sinks.ParseAlert(rows[0].Alert)
	if err != nil {
		return "", 0, err
	}
	return sinks.PreviewParts("XADD "+s.o.Stream+" *",
		sinks.PreviewPart{Name: "id", Value: a.ID}, sinks.PreviewPart{Name: "rule", Value: a.Rule},
		sinks.PreviewPart{Name: "severity", Value: a.Severity}, sinks.PreviewPart{Name: "alert", Value: string(rows[0].Alert)}), 1, nil
}

// passing are the first words of answers to which another follows.
var passing = []string{"LOADING", "BUSY", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "UNKILLABLE", "NOREPLICAS", "MOVED", "ASK"}

// meaning is what an error says. None is about an alert: Redis takes any bytes.
func (s *Sink) meaning(err error) error {
	if said := redis.Error(nil); !errors.As(err, &said) {
		return sinks.Unreached(s.addr, err)
	}
	told := fmt.Errorf("%s answered %w", s.addr, err)
	word, _, _ := strings.Cut(err.Error(), " ")
	if strings.HasPrefix(err.Error(), "ERR Error running script") || slices.Contains(passing, word) || slices.ContainsFunc(passing, func(p string) bool { return strings.HasPrefix(err.Error(), "ERR "+p) }) {
		return &sinks.RetryError{Err: told}
	}
	switch word {
	case "NOAUTH", "WRONGPASS":
		told = fmt.Errorf("%w; look at the user and password in the URL", told)
	case "NOPERM":
		told = fmt.Errorf("%w; give the user the rights to eval, xadd, zadd and zremrangebyrank on %s and %s", told, s.o.Stream, s.known())
	case "WRONGTYPE":
		told = fmt.Errorf("%w; %s is something else than a stream: name another", told, s.o.Stream)
	}
	return &sinks.FaultError{Err: told}
}

// Flush has nothing to do: what was taken was answered.
func (s *Sink) Flush(context.Context) error { return nil }

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }

// Probe connects, logs in, and changes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return s.meaning(err)
	}
	return nil
}
