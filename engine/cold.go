package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// Where the store is durable, keys need not all be in memory. A key is cold where it is in
// the store alone: it is fetched when an event of it comes, or when its deadline does (see
// diary.go), and keys that have not been touched for long go cold when memory is short
// (see cache.go). No key is read at the start.
//
// A store answers as of its last commit, and an epoch may be in flight. So a key stays in
// memory until the epoch that touched it last is durable, and one that was removed is
// known to be gone for as long.

// coldSide is what a unit knows of its keys in the store.
type coldSide struct {
	cold   int               // number of keys in the store alone
	gone   map[string]uint32 // removed keys → the epoch that removed them, while it may not be durable
	prefix []byte            // of the unit's records
	counts *[slots]int32     // number of keys by slot, cold ones included
	stale  bool              // counts have changed since the last save
	whole  [slots]bool       // all keys of a slot are in memory, and stay there: see bound.go
}

// storeError is an error of the store in the middle of a shard's work.
type storeError struct{ error }

func newColdSide(rule string) *coldSide {
	return &coldSide{prefix: keyPrefix(nil, rule), gone: map[string]uint32{}, counts: new([slots]int32)}
}

// recordKey is the key of a record in the store; it is valid until the next call.
func (sh *shard) recordKey(prefix []byte, slot byte, key []byte) []byte {
	sh.row = appendStored(append(append(sh.row[:0], prefix...), slot), key)
	return sh.row
}

// longStored is the length above which a key is known to the store by its hash, for a store
// has a bound on names: one event with a longer key would end every run. Its record begins
// with the key itself.
const longStored = 16 << 10

// hashedKey begins the hash of a key; no key begins so.
const hashedKey = 0xff

// appendStored appends a key as the store knows it.
func appendStored(b, key []byte) []byte {
	if len(key) <= longStored {
		return append(b, key...)
	}
	sum := sha256.Sum256(key)
	return append(append(b, hashedKey), sum[:]...)
}

// isHashed reports whether a key, as the store knows it, is the hash of one.
func isHashed(stored []byte) bool {
	return len(stored) == 1+sha256.Size && stored[0] == hashedKey
}

// cutKey returns the key that the store knows as stored, and its record without it.
func cutKey(stored, record []byte) (key, rest []byte, err error) {
	if !isHashed(stored) {
		return stored, record, nil
	}
	n, used := binary.Uvarint(record)
	if used <= 0 || n > uint64(len(record)-used) {
		return nil, nil, machine.ErrRecord
	}
	return record[used : used+int(n)], record[used+int(n):], nil
}

// fetch takes a key into memory, if the store has it; -1 where it has not.
func (u *keyed[K, M]) fetch(sh *shard, hash uint64, key []byte) (int32, *keyEntry[cell[K]]) {
	if u.disk.cold == 0 {
		return -1, nil
	}
	if _, gone := u.disk.gone[string(key)]; gone {
		return -1, nil
	}
	name := sh.recordKey(u.disk.prefix, byte(hash%slots), key)
	record, ok, err := sh.disk.Get(state.TableKeys, name, sh.fetched[:0])
	if err != nil {
		panic(storeError{err})
	}
	if sh.fetched = record; !ok {
		return -1, nil
	}
	sh.fetches, sh.fetchedBytes = sh.fetches+1, sh.fetchedBytes+int64(len(record))
	id := int32(-1)
	if _, record, err = cutKey(name[len(u.disk.prefix)+1:], record); err == nil {
		id, err = u.load(sh, hash, key, record)
	}
	if err != nil {
		panic(storeError{u.damaged(sh, key, err)})
	}
	return id, u.table.keys.at(id)
}

// damaged names the rule and the key of a record that makes no sense.
func (u *keyed[K, M]) damaged(sh *shard, key []byte, err error) error {
	return fmt.Errorf("state of rule %s, key %s: %w", sh.rules[u.number].rule.Name, keyInError(key), err)
}

// load makes a key of a record, which was cold.
func (u *keyed[K, M]) load(sh *shard, hash uint64, key, record []byte) (int32, error) {
	seen, filed, rest, err := readCell(record)
	if err != nil {
		return -1, err
	}
	id := u.table.add(hash, key)
	u.disk.cold--
	c := u.table.at(id)
	c.seen, c.filed, c.touched, c.armed, c.stored = seen, filed, sh.era, math.MaxInt64, true
	was := sh.x.Key
	sh.x.Key = u.table.key(id)
	defer func() { sh.x.Key = was }()
	sh.x.BeforeDecode()
	sh.x.Since = seen
	if err := u.machine.Decode(&sh.x, rest, &c.state); err != nil {
		return -1, err
	}
	if at := u.timerOf(c); at != math.MaxInt64 {
		c.armed = at
		sh.arm(u.number, id, at)
	}
	return id, nil
}

// appendCell writes what a key has beside its state, readCell reads it.
func appendCell[K any](b []byte, c *cell[K]) []byte {
	b = event.AppendSpan(b, c.seen, 0)
	return c.filed.append(b, c.seen)
}

func readCell(b []byte) (seen int64, filed filing, rest []byte, err error) {
	seen, n := event.ReadSpan(b, 0)
	if n <= 0 {
		return 0, filing{}, nil, machine.ErrRecord
	}
	filed, rest, ok := readFiling(b[n:], seen)
	if !ok {
		return 0, filing{}, nil, machine.ErrRecord
	}
	return seen, filed, rest, nil
}

// evict makes a key cold: what it remembers is in the store.
func (u *keyed[K, M]) evict(sh *shard, id int32) {
	c := u.table.at(id)
	sh.x.Key = u.table.key(id)
	u.machine.Release(&sh.x, &c.state)
	u.table.remove(id)
	c.armed = math.MaxInt64
	u.disk.cold++
}

// settleGone forgets which keys were removed in epochs that are durable now.
func (d *coldSide) settleGone(safe uint32) {
	for key, era := range d.gone {
		if era <= safe {
			delete(d.gone, key)
		}
	}
}

// loadSlot takes all cold keys of a slot into memory.
func (u *keyed[K, M]) loadSlot(sh *shard, slot byte) {
	if u.disk == nil || u.disk.cold == 0 {
		return
	}
	prefix := append(append([]byte(nil), u.disk.prefix...), slot)
	err := sh.disk.Scan(sh.ctx, state.TableKeys, prefix, nil, func(name, record []byte) error {
		key, record, err := cutKey(name[len(prefix):], record)
		if err != nil {
			return u.damaged(sh, name, err)
		}
		hash := event.KeyHash(key)
		if _, gone := u.disk.gone[string(key)]; gone {
			return nil
		}
		if id, _ := u.table.find(hash, key); id >= 0 {
			return nil
		}
		if _, err = u.load(sh, hash, key, record); err != nil {
			return u.damaged(sh, key, err)
		}
		return nil
	})
	if err != nil {
		panic(storeError{err})
	}
}

func (u *keyed[K, M]) known(slot int, n int32) {
	u.disk.counts[slot] = n
	u.disk.cold += int(n)
}

func (u *keyed[K, M]) counted() bool { return !u.disk.stale }

func (u *keyed[K, M]) count(all *[slots]int32) {
	for slot, n := range u.disk.counts {
		all[slot] += n
	}
	u.disk.stale = false
}

// saveCounts saves how many keys each rule has whose keys came or went: slots passed over
// and number, for each slot that has some.
func (e *Engine) saveCounts() {
	for n := range e.rules {
		if !slices.ContainsFunc(e.shards, func(sh *shard) bool { return sh.units[n] != nil && !sh.units[n].counted() }) {
			continue
		}
		var all [slots]int32
		for _, sh := range e.shards {
			if u := sh.units[n]; u != nil {
				u.count(&all)
			}
		}
		e.commits.batch().Put(state.TableMeta, []byte(metaKeys+e.rules[n].recordName()), appendCounts(e.row[:0], &all))
	}
}

func appendCounts(b []byte, all *[slots]int32) []byte {
	skip := uint64(0)
	for _, n := range all {
		if n == 0 {
			skip++
			continue
		}
		b = binary.AppendUvarint(b, skip)
		b = binary.AppendUvarint(b, uint64(n))
		skip = 0
	}
	return b
}
