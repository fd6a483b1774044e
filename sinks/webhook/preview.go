package webhook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

var (
	_ sinks.Previewer = (*Sink)(nil)
	_ sinks.Answerer  = (*Sink)(nil)
)

// hidden stands for what may be secret.
const hidden = "…"

// Preview shows the request for the first rows. Path and query, the values of headers that
// were given, the signature and a format's key are hidden.
func (s *Sink) Preview(rows []sinks.Row) (text string, taken int, err error) {
	rows = rows[:s.batch(rows)]
	m, err := s.message(rows)
	if err != nil {
		return "", 0, s.meaning(err, len(rows))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s\n", s.o.Method, s.host(), s.path())
	for _, h := range s.headersShown(m) {
		fmt.Fprintf(&b, "%s: %s\n", h.name, h.value)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSuffix(hiding(secretsOf(s.o.Format)).Replace(m.body), "\n"))
	return b.String(), len(rows), nil
}

// path is what is shown of path and query.
func (s *Sink) path() string {
	if at := s.url.RequestURI(); at != "/" {
		return "/" + hidden
	}
	return "/"
}

func (s *Sink) headersShown(m message) (all []pair) {
	if s.url.User != nil {
		all = append(all, pair{"Authorization", hidden})
	}
	for _, name := range slices.Sorted(maps.Keys(s.o.Header)) {
		all = append(all, pair{name, hidden})
	}
	all = append(all, pair{"Content-Type", m.contentType}, pair{"Idempotency-Key", m.key})
	if s.o.Secret != "" {
		all = append(all, pair{SignatureHeader, "t=" + hidden + ",v1=" + hidden})
	}
	return all
}

// Ask sends the first rows in one request and returns the answer.
func (s *Sink) Ask(ctx context.Context, rows []sinks.Row) (answer string, taken int, err error) {
	rows = rows[:s.batch(rows)]
	m, err := s.message(rows)
	if err == nil {
		answer, err = s.attempt(ctx, m)
	}
	if err != nil {
		return "", 0, s.meaning(err, len(rows))
	}
	return answer, len(rows), nil
}
