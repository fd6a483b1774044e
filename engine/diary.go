package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// The diary tells when a cold key must be looked at: TableTimers holds one row for each
// key that has a deadline, in order of time, in two parts. In the first are keys of which
// something comes at their deadline, an alert or the end of a window; they are filed for
// no later than that, and are all in memory when time reaches it. In the second are keys
// that only are to be forgotten then; they are filed for later than that, and looked at
// some in each epoch. A key whose deadline has moved on is filed anew only when its row
// comes up.
//
//	part 1 byte, time 8 bytes, length of the rule's name, rule, slot, key → nothing

// The parts of the diary.
const (
	unfiled byte = 0
	exact   byte = 1
	someday byte = 2
)

// filing is where a key stands in the diary.
type filing struct {
	at   int64
	part byte
}

// append writes the filing of a key that was seen at a time.
func (f filing) append(b []byte, seen int64) []byte {
	b = append(b, f.part)
	if f.part != unfiled {
		b = event.AppendSpan(b, f.at, seen)
	}
	return b
}

func readFiling(b []byte, seen int64) (f filing, rest []byte, ok bool) {
	if len(b) == 0 || b[0] > someday {
		return f, nil, false
	}
	f.part, b = b[0], b[1:]
	if f.part == unfiled {
		return f, b, true
	}
	at, n := event.ReadSpan(b, seen)
	if n <= 0 {
		return f, nil, false
	}
	f.at = at
	return f, b[n:], true
}

// leastLinger is the shortest time that a key which is only to be forgotten is filed for
// behind its deadline.
const leastLinger = int64(60e9)

// wanted is where a key should stand in the diary: now is when it was seen last.
func (u *keyed[K, M]) wanted(c *cell[K]) filing {
	deadline := u.machine.Deadline(&c.state)
	if u.lazy == nil {
		return filingOf(deadline, exact)
	}
	if due := u.lazy.Due(&c.state); due != math.MaxInt64 {
		return filingOf(due, exact)
	}
	if deadline == math.MaxInt64 {
		return filing{}
	}
	return filingOf(laterThan(deadline, max(deadline-c.seen, leastLinger)), someday)
}

func filingOf(at int64, part byte) filing {
	if at == math.MaxInt64 {
		return filing{}
	}
	return filing{at, part}
}

// keepsFor reports whether a row serves as well as the one that is wanted.
func (f filing) keepsFor(want filing) bool {
	switch want.part {
	case unfiled:
		return true
	case exact:
		return f.part == exact && f.at <= want.at
	}
	return f.part != unfiled
}

// diaryKey is the key of a row.
func (sh *shard) diaryKey(f filing, recordKey []byte) []byte {
	sh.line = append(sh.line[:0], f.part)
	sh.line = binary.BigEndian.AppendUint64(sh.line, uint64(f.at)^1<<63)
	sh.line = append(sh.line, recordKey...)
	return sh.line
}

// file writes the row of a key into the diary where it has none that serves.
func (u *keyed[K, M]) file(sh *shard, c *cell[K], recordKey []byte) {
	want := u.wanted(c)
	if c.filed.keepsFor(want) {
		return
	}
	if c.filed.part != unfiled {
		sh.records.Delete(state.TableTimers, sh.diaryKey(c.filed, recordKey))
	}
	c.filed = want
	sh.records.Put(state.TableTimers, sh.diaryKey(want, recordKey), nil)
	sh.filedFor[want.part] = min(sh.filedFor[want.part], want.at)
	if want.part == exact && want.at <= sh.limit {
		sh.filedUnder++
	}
}

// entry is a row of the diary that has come up.
type entry struct {
	filing
	rule int32
	hash uint64
	key  []byte
	row  []byte // its key in the table
}

// diary reads the rows as their time comes.
type diary struct {
	next   [someday + 1]int64    // by part: no row is before that is still to be read in this epoch
	recent [2][someday + 1]int64 // of the last two epochs, which may not have been durable as it was read: their first rows
	byName map[string]int32
}

// noneFiled is what an epoch has filed that has filed nothing.
var noneFiled = [someday + 1]int64{math.MaxInt64, math.MaxInt64, math.MaxInt64}

func newDiary() diary {
	d := diary{byName: map[string]int32{}, recent: [2][someday + 1]int64{noneFiled, noneFiled}}
	for part := range d.next {
		d.next[part] = math.MinInt64
	}
	return d
}

// errDiary is an error of a row.
var errDiary = fmt.Errorf("%w: row of the diary", errState)

// turn takes note of what an epoch has filed. What it and the one before have filed is read
// in the next epoch, or again in it, and not in each of its rounds: a key whose row the
// store may not have shown yet is in memory until the epoch after that begins.
func (d *diary) turn(filed [someday + 1]int64) {
	d.recent[0], d.recent[1] = d.recent[1], filed
	for part := range d.next {
		d.next[part] = min(d.next[part], d.recent[0][part], d.recent[1][part])
	}
}

// How many rows of keys that are only to be forgotten are looked at in an epoch: four times
// as many as it forgot the last time, so that of the keys whose rows are overdue about a
// quarter are dead; at least some, and one for each 32nd event; at most one for each event,
// for no more keys can have come. (Keys that all came at the same time, as at a first start,
// have their rows come up at the same time too. While they live this is not urgent.)
const (
	someRows      = 1 << 10
	eventsARow    = 32
	rowsForgotten = 4
)

// toLookAt is how many of those rows are looked at in an epoch, of which the one before had so
// many events and forgot so many keys.
func toLookAt(events, forgotten int) int {
	least, most := max(someRows, events/eventsARow), max(someRows, events)
	return min(max(least, rowsForgotten*forgotten), most)
}

// comeUp hands the rows that the time has come for to the shards of their keys: the exact
// ones in each round, of the others some in each epoch.
func (e *Engine) comeUp(ctx context.Context, ep *epoch) error {
	if err := e.readDiary(ctx, exact, ep.worked, math.MaxInt); err != nil || ep.rounds > 0 {
		return err
	}
	return e.readDiary(ctx, someday, ep.worked, toLookAt(e.came, e.forgot))
}

func (e *Engine) readDiary(ctx context.Context, part byte, until int64, most int) error {
	d := &e.diary
	if d.next[part] > until {
		return nil
	}
	next := int64(math.MaxInt64)
	err := e.store.Scan(ctx, state.TableTimers, []byte{part}, diaryTime(part, d.next[part]), func(row, _ []byte) error {
		at, en, err := e.entryOf(row)
		if err != nil {
			return err
		}
		if at > until || most == 0 {
			next = at
			return state.ErrStop
		}
		most--
		if en.rule < 0 && e.isDoomed(nameOfRow(row)) {
			return nil // it goes with its record
		}
		sh := e.shards[shardOf(en.hash, len(e.shards))]
		sh.cameUp = append(sh.cameUp, en)
		return nil
	})
	d.next[part] = next
	return err
}

// entryOf reads a row of the diary. Its rule is -1 where the set has it no more.
func (e *Engine) entryOf(row []byte) (int64, entry, error) {
	at, ok := timeOfRow(row)
	if !ok {
		return 0, entry{}, errDiary
	}
	size, n := binary.Uvarint(row[9:])
	if n <= 0 || size >= uint64(len(row)-9-n) {
		return 0, entry{}, errDiary
	}
	own := append([]byte(nil), row...)
	name, key := own[9+n:9+n+int(size)], own[9+n+int(size)+1:]
	rule, ok := e.diary.byName[string(name)]
	if !ok {
		rule = -1
	}
	if isHashed(key) {
		var err error
		if key, err = e.hashedKey(row[9:], key); err != nil {
			return 0, entry{}, err
		}
		if key == nil {
			rule = -1
		}
	}
	return at, entry{filing{at, row[0]}, rule, event.KeyHash(key), key, own}, nil
}

// hashedKey looks into the record of a key for the key that is stored by its hash; nil where
// there is no record any more.
func (e *Engine) hashedKey(name, stored []byte) ([]byte, error) {
	record, ok, err := e.store.Get(state.TableKeys, name, nil)
	if err != nil || !ok {
		return nil, err
	}
	key, _, err := cutKey(stored, record)
	return key, err
}

// lookUp takes the keys whose rows have come up into memory, where they are not, and
// takes the rows out of the diary: a key that lives on is filed anew.
func (sh *shard) lookUp(now int64) {
	for i := range sh.cameUp {
		en := &sh.cameUp[i]
		sh.records.Delete(state.TableTimers, en.row)
		if en.rule >= 0 {
			sh.unit(en.rule).comeUp(sh, en, now)
		}
	}
	clear(sh.cameUp)
	sh.cameUp = sh.cameUp[:0]
}

func (u *keyed[K, M]) comeUp(sh *shard, en *entry, now int64) {
	id, k := u.table.find(en.hash, en.key)
	if id < 0 {
		if id, k = u.fetch(sh, en.hash, en.key); id < 0 {
			return
		}
	}
	c := &k.value
	if c.filed == en.filing {
		c.filed = filing{}
	}
	u.touch(sh, id, c)
	if en.part == someday && u.forgetDead(sh, id, now) {
		sh.forgot++
	}
}
