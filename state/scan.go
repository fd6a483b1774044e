package state

import (
	"bytes"
	"context"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/cepheus-cep/cepheus/state/journal"
)

// Scan calls visit in ascending order of keys for the keys of t that begin with prefix
// and are not below from, as of the last commit before the call. Key and value are
// valid until visit returns and must not be changed. visit may read the store and
// commit to it, and must not close it. An error of visit ends the scan and is returned,
// except ErrStop.
//
// A scan of keys takes over first what is pending, where any keys are. So does one of
// another table with many records where very many of them are; else it reads these from the
// journal.
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

// viewAsIs returns a view where what is pending under the prefix can be put over the tree,
// and false else.
func (s *Badger) viewAsIs(prefix []byte) (v *view, settled bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, false, ErrClosed
	}
	layers, ok, err := s.pendingRows(prefix)
	if err != nil || !ok {
		return nil, false, err
	}
	v = s.newView(prefix)
	v.layers = layers
	return v, true, nil
}

// mostListed is how many places of a table are looked up in the journal for one scan.
const mostListed = 1 << 20

// pendingRows returns what is pending of a table, newest layer first, or more; of an indexed
// table what begins with the prefix. It is false where it cannot, or not well. The caller
// holds mu, so that no checkpoint lets go of what is read here.
func (s *Badger) pendingRows(prefix []byte) (layers [2][]row, ok bool, err error) {
	t := Table(prefix[0])
	for i, p := range []*pending{s.live, s.frozen} {
		switch {
		case p == nil:
		case !p.in[t]:
			layers[i] = p.small[t]
		case !isListed(t) || len(p.listed[t]) > mostListed:
			return layers, false, nil
		default:
			if layers[i], err = s.rowsOf(p, prefix); err != nil {
				return layers, false, s.ofJournal(err)
			}
		}
	}
	return layers, true, nil
}

// rowsOf reads the last writes of a layer under a prefix from the journal, in the order of
// their keys.
func (s *Badger) rowsOf(p *pending, prefix []byte) (rows []row, err error) {
	walk, block := s.journal.Walk(), []byte(nil)
	for _, place := range p.listed[prefix[0]] {
		o, err := walk.View(place)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(o.Key, prefix) {
			continue
		}
		if last, _ := p.index.Get(s.hasher.Of(o.Key)); last != place {
			continue
		}
		var r row
		r, block = copyRow(o, block)
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(x, y row) int { return bytes.Compare(x.key, y.key) })
	return rows, nil
}

// copyRow copies a write into a block that several share, a new one where it has no room.
func copyRow(o journal.Op, block []byte) (row, []byte) {
	n := len(o.Key) + len(o.Stored)
	if cap(block)-len(block) < n {
		block = make([]byte, 0, n+rowBlock)
	}
	at, mid := len(block), len(block)+len(o.Key)
	block = append(append(block, o.Key...), o.Stored...)
	r := row{key: block[at:mid:mid]}
	if o.Stored != nil {
		r.stored = block[mid:len(block):len(block)]
	}
	return r, block
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
