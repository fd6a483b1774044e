package api

import (
	"context"

	"github.com/cepheus-cep/cepheus/engine"
)

// Durably is a source that is told how far it is committed: a Queue of sources/http.
type Durably interface {
	engine.Source
	Durable(position int64)
}

// Tell tells a source how far it is committed, as a store has it; a store in memory has
// nothing of it. It is to be called after each commit, from engine.Options.Committed.
func Tell(ctx context.Context, store engine.Store, q Durably) error {
	stored, err := engine.StoredPositions(ctx, store)
	if err != nil {
		return err
	}
	name := string(q.Partition().AppendName(nil))
	for _, at := range stored {
		if at.Name == name {
			q.Durable(at.Offset)
		}
	}
	return nil
}
