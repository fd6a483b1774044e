package traces

import (
	"bytes"
	"context"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	api "go.opentelemetry.io/otel/trace"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

// mostContexts is how many contexts are kept: some 30 MB of them, with what finds them.
const mostContexts = 1 << 18

// contexts are those that came beside records, by the texts of these. The oldest go first.
type contexts struct {
	most int
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]kept
	order []uint64 // texts in the order of arrival, a ring from first on once it is full
	first int
}

// kept is a context and when its record arrived, in little room: each is remote and sampled.
type kept struct {
	trace   api.TraceID
	span    api.SpanID
	arrived int64 // wall clock, in nanoseconds
}

func keep(of api.SpanContext, arrived time.Time) kept {
	return kept{of.TraceID(), of.SpanID(), arrived.UnixNano()}
}

func (k *kept) context() api.SpanContext {
	return api.NewSpanContext(api.SpanContextConfig{TraceID: k.trace, SpanID: k.span, TraceFlags: api.FlagsSampled, Remote: true})
}

func newContexts(most int) *contexts {
	return &contexts{most: most, seed: maphash.MakeSeed(), known: map[uint64]kept{}}
}

// put keeps a context, under the lock.
func (c *contexts) put(text []byte, k kept) {
	at := c.hash(text)
	if _, known := c.known[at]; !known {
		c.place(at)
	}
	c.known[at] = k
}

// place gives a text a place in the order, that of the oldest where there is no other.
func (c *contexts) place(text uint64) {
	if len(c.order) < c.most {
		c.order = append(c.order, text)
		return
	}
	delete(c.known, c.order[c.first])
	c.order[c.first] = text
	c.first = (c.first + 1) % c.most
}

func (c *contexts) get(text []byte) (kept, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[c.hash(text)]
	return k, ok
}

// hash is of a record as one line, which is how alerts show it.
func (c *contexts) hash(text []byte) uint64 {
	text = bytes.TrimSpace(text)
	if bytes.ContainsAny(text, "\r\n") {
		text = bytes.Map(func(r rune) rune {
			if r == '\n' || r == '\r' {
				return ' '
			}
			return r
		}, text)
	}
	return maphash.Bytes(c.seed, text)
}

// Header is the name of the header, and of CloudEvents' attribute, that holds a context.
const Header = "traceparent"

// Source returns a source whose contexts are noted as it is read.
func (t *Tracer) Source(s engine.Source) engine.Source {
	if t == nil {
		return s
	}
	return &source{s, t}
}

type source struct {
	engine.Source
	t *Tracer
}

// Next notes the contexts beside the records that it appends, before the engine has them.
func (s *source) Next(ctx context.Context, into *event.Batch) error {
	from := len(into.Records)
	err := s.Source.Next(ctx, into)
	if len(into.Metas) > from {
		s.t.note(into, from)
	}
	return err
}

// note keeps the contexts of the records of a batch from one on.
func (t *Tracer) note(b *event.Batch, from int) {
	c, now := t.contexts, t.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := from; i < min(len(b.Metas), len(b.Records)); i++ {
		if of, ok := beside(b.Metas[i].Headers.Bytes(b.Text)); ok {
			r := &b.Records[i]
			c.put(b.Text[r.Start:r.End], keep(of, now))
		}
	}
}

// beside returns the context among headers.
func beside(headers []byte) (of api.SpanContext, ok bool) {
	event.EachHeader(headers, func(name, value []byte) {
		if string(name) == Header || string(name) == "ce_"+Header {
			of, ok = parse(value)
		}
	})
	return of, ok
}

// parse reads a context of a version that is known, which somebody has chosen to record: no
// other can be linked to.
func parse(text []byte) (api.SpanContext, bool) {
	const form = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if len(text) < len(form) || text[2] != '-' || text[35] != '-' || text[52] != '-' || string(text[:2]) == "ff" {
		return api.SpanContext{}, false
	}
	if known := string(text[:2]) == "00"; known && len(text) > len(form) || len(text) > len(form) && text[len(form)] != '-' {
		return api.SpanContext{}, false
	}
	var (
		version, flags [1]byte
		c              api.SpanContextConfig
	)
	for _, part := range [...]struct{ to, from []byte }{{version[:], text[:2]}, {c.TraceID[:], text[3:35]}, {c.SpanID[:], text[36:52]}, {flags[:], text[53:55]}} {
		if !small(part.from) {
			return api.SpanContext{}, false
		}
		if _, err := hex.Decode(part.to, part.from); err != nil {
			return api.SpanContext{}, false
		}
	}
	c.TraceFlags, c.Remote = api.TraceFlags(flags[0]&1), true
	of := api.NewSpanContext(c)
	return of, of.IsValid() && of.IsSampled()
}

// small reports whether there are no capitals, which W3C forbids.
func small(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c >= 'A' && c <= 'F' })
}
