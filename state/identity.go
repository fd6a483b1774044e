package state

import (
	"context"
	"fmt"
)

// metaIdentity is where TableMeta holds the state's name.
const metaIdentity = "identity"

// identityStore is what Identity needs of a store.
type identityStore interface {
	Get(t Table, key, into []byte) ([]byte, bool, error)
	Commit(ctx context.Context, b *Batch) error
}

// Identity returns the name that tells this state from all others, for receivers that keep
// what they have got of it. A state that has none yet is given fresh, in an epoch of its own.
// Backups have the name of what they were made of: a receiver must also see that a state does
// not go back.
func Identity(ctx context.Context, store identityStore, fresh string) (string, error) {
	name, ok, err := store.Get(TableMeta, []byte(metaIdentity), nil)
	if err != nil {
		return "", fmt.Errorf("read the name of the state: %w", err)
	}
	if ok {
		return string(name), nil
	}
	var b Batch
	b.Put(TableMeta, []byte(metaIdentity), []byte(fresh))
	if err := store.Commit(ctx, &b); err != nil {
		return "", fmt.Errorf("name the state: %w", err)
	}
	return fresh, nil
}
