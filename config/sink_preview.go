package config

import (
	"context"
	"errors"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/kafka"
)

// previewing is a kind that shows what it would send without being opened, which would
// make a file, or connect.
type previewing interface {
	preview(rows []sinks.Row) (text string, taken int, err error)
}

func (*StdoutSink) preview(rows []sinks.Row) (string, int, error) { return sinks.PreviewLines(rows) }

func (*FileSink) preview(rows []sinks.Row) (string, int, error) { return sinks.PreviewLines(rows) }

func (k *KafkaSink) preview(rows []sinks.Row) (string, int, error) {
	return kafka.Preview(k.Topic, rows)
}

// Preview shows, without secrets, all that the sink's receiver would get of the rows, and
// sends nothing: it calls visit with the text of each message, or with a row that would be
// refused and why.
func (s *Sink) Preview(ctx context.Context, w World, name string, rows []sinks.Row, visit func(text string, row sinks.Row, refused error) error) error {
	preview, done, err := s.previewer(ctx, w, name)
	if err != nil {
		return err
	}
	defer done()
	for most := len(rows); len(rows) > 0; {
		text, taken, err := preview(rows[:min(most, len(rows))])
		var rejected *sinks.RejectedError
		switch {
		case errors.As(err, &rejected) && rejected.Batch && most > 1:
			most /= 2 // as delivery does
			continue
		case errors.As(err, &rejected):
			taken = 1
		case err != nil:
			return err
		}
		if err := visit(text, rows[0], sinks.Refusal(err)); err != nil {
			return err
		}
		rows = rows[taken:]
	}
	return nil
}

// previewer returns what shows rows, and what ends it.
func (s *Sink) previewer(ctx context.Context, w World, name string) (preview func([]sinks.Row) (string, int, error), done func(), err error) {
	if k, ok := s.Kind().(previewing); ok {
		return k.preview, func() {}, nil
	}
	sink, err := s.Kind().Open(ctx, w, name, s)
	if err != nil {
		return nil, nil, err
	}
	p, ok := sink.(sinks.Previewer)
	if !ok {
		return nil, nil, errors.Join(errors.New("this kind of sink cannot show what it would send"), sink.Close())
	}
	return p.Preview, func() { sink.Close() }, nil
}

// Ask sends rows by one attempt, outside of a run, and returns what the receiver said.
func (s *Sink) Ask(ctx context.Context, w World, name string, rows []sinks.Row) (answer string, err error) {
	kind := s.Kind()
	if k, ok := kind.(*KafkaSink); ok {
		plain := *k
		plain.Transactional = false // it would shut a run out that uses the id
		kind = &plain
	}
	sink, err := kind.Open(ctx, w, name, s)
	if err != nil {
		return "", err
	}
	defer sink.Close()
	answer, _, err = sinks.Ask(ctx, sink, rows)
	return answer, err
}
