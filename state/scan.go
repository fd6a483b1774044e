package state

import (
	"bytes"
	"context"

	"github.com/dgraph-io/badger/v4"
)

// Scan calls visit in ascending order of keys for the keys of t that begin with prefix
// and are not below from, as of the last commit before the call. Key and value are
// valid until visit returns and must not be changed. visit may read the store and
// commit to it, and must not close it. An error of visit ends the scan and is returned,
// except ErrStop.
//
// A scan of a table with many records takes over first what is pending.
func (s *Badger) Scan(ctx context.Context, t Table, prefix, from []byte, visit func(key, value []byte) error) error {
	v, err := s.view(ctx, append([]byte{byte(t)}, prefix...))
	if err != nil {
		return err
	}
	defer v.close()
	v.seek(append([]byte{byte(t)}, larger(prefix, from)...))
	for v.next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.visit(v, visit); err != nil {
			return unlessStop(err)
		}
	}
	return nil
}

func (s *Badger) visit(v *view, visit func(key, value []byte) error) error {
	return v.stored(func(key, stored []byte) error {
		value, err := unframe(s.dir, key, stored)
		if err != nil {
			return err
		}
		return visit(key[1:], value)
	})
}

// view walks what the store held when it was made, under a prefix of full keys: rows that
// are pending, newest layer first, over the tree. Commits and checkpoints after that do
// not disturb it: it pins the files it reads.
type view struct {
	prefix []byte
	layers [2][]row
	tree   *badger.Iterator
	close  func()

	found  []row // the layer that the current key is in; nil: it is in the tree
	behind bool  // the tree is to go on before the next key is looked for
}

// view returns a view of the last committed epoch.
func (s *Badger) view(ctx context.Context, prefix []byte) (v *view, err error) {
	v, settled, err := s.viewAsIs(prefix)
	if err != nil || settled {
		return v, err
	}
	err = s.settled(ctx, func() (err error) {
		v, err = s.viewOfTree(prefix)
		return err
	})
	return v, err
}

// viewAsIs returns a view where no write is pending in an indexed table of the prefix, and
// false else.
func (s *Badger) viewAsIs(prefix []byte) (v *view, settled bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := prefix[0]
	switch {
	case s.closed:
		return nil, false, ErrClosed
	case s.live.in[t] || s.frozen != nil && s.frozen.in[t]:
		return nil, false, nil
	}
	v = s.newView(prefix)
	v.layers[0] = s.live.small[t]
	if s.frozen != nil {
		v.layers[1] = s.frozen.small[t]
	}
	return v, true, nil
}

// viewOfTree returns a view of what the last group has left, without what is pending. It
// is that of an epoch only while it is settled.
func (s *Badger) viewOfTree(prefix []byte) (*view, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.newView(prefix), nil
}

func (s *Badger) newView(prefix []byte) *view {
	s.readers.Add(1)
	txn := s.db.NewTransactionAt(s.group, false)
	v := &view{prefix: prefix, tree: txn.NewIterator(badger.IteratorOptions{Prefix: prefix})}
	v.close = func() { v.tree.Close(); txn.Discard(); s.readers.Done() }
	return v
}

// seek sets the view before the first key that is not below full.
func (v *view) seek(full []byte) {
	v.tree.Seek(full)
	for i, rows := range v.layers {
		v.layers[i] = rows[seekRow(rows, full):]
	}
}

// next goes on to the next key that is there; false at the end.
func (v *view) next() bool {
	for v.step() {
		if v.found == nil || v.found[0].stored != nil {
			return true
		}
	}
	return false
}

// step goes on to the next key, deleted or not.
func (v *view) step() bool {
	if v.behind {
		v.tree.Next()
		v.behind = false
	}
	var least []byte
	v.found = nil
	for _, rows := range v.layers {
		if len(rows) > 0 && (least == nil || bytes.Compare(rows[0].key, least) < 0) {
			least, v.found = rows[0].key, rows
		}
	}
	if v.tree.Valid() {
		switch c := v.compareTree(least); {
		case c < 0:
			v.found, v.behind = nil, true
			return true
		case c == 0:
			v.behind = true // hidden
		}
	}
	if least == nil || !bytes.HasPrefix(least, v.prefix) {
		return false
	}
	v.pass(least)
	return true
}

// compareTree compares the key that the tree is at with that of a row, nil for none.
func (v *view) compareTree(key []byte) int {
	if key == nil {
		return -1
	}
	return bytes.Compare(v.tree.Item().Key(), key)
}

// pass takes a key out of the layers.
func (v *view) pass(key []byte) {
	for i, rows := range v.layers {
		if len(rows) > 0 && bytes.Equal(rows[0].key, key) {
			v.layers[i] = rows[1:]
		}
	}
}

// stored calls visit with the current full key, its frame and value.
func (v *view) stored(visit func(key, stored []byte) error) error {
	if v.found != nil {
		return visit(v.found[0].key, v.found[0].stored)
	}
	item := v.tree.Item()
	return item.Value(func(stored []byte) error { return visit(item.Key(), stored) })
}
