package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cepheus-cep/cepheus/state"
)

// StoredPosition is where reading of a partition goes on, as a store knows it.
type StoredPosition struct {
	Name        string // of the partition
	Offset      int64  // see Source.Position
	Fingerprint []byte // see Source.Fingerprint
}

// StoredPositions returns the positions of all partitions that a store knows, in the
// order of their names, whether a run has them as inputs or not.
func StoredPositions(ctx context.Context, s Store) ([]StoredPosition, error) {
	var all []StoredPosition
	err := s.Scan(ctx, state.TablePositions, nil, nil, func(key, value []byte) error {
		at, err := decodeStanding(key, value)
		if err != nil {
			return err
		}
		all = append(all, StoredPosition{Name: string(key), Offset: at.next, Fingerprint: at.mark})
		return nil
	})
	return all, err
}

// standing is where a partition stands: see the fields of partition.
type standing struct {
	next, greatest, at int64
	arrived            uint64
	mark               []byte
}

// decodeStanding reads what savePartition wrote for the partition of a name. It copies.
func decodeStanding(name, b []byte) (p standing, err error) {
	for _, n := range []*int64{&p.next, &p.greatest, &p.at} {
		used := 0
		if *n, used = binary.Varint(b); used <= 0 {
			return p, fmt.Errorf("%w: position of %s", errState, name)
		}
		b = b[used:]
	}
	arrived, used := binary.Uvarint(b)
	if used <= 0 {
		return p, fmt.Errorf("%w: position of %s", errState, name)
	}
	p.arrived, p.mark = arrived, bytes.Clone(b[used:])
	return p, nil
}
