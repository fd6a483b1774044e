package engine

import (
	"math/rand/v2"
	"slices"
	"unsafe"
)

// cached is a unit whose keys can go cold.
type cached interface {
	// ages adds the epochs in which some of its keys, drawn at random, were touched last.
	ages(draw *rand.Rand, n int, list []uint32) []uint32
	// cool makes keys cold that were touched last in an epoch up to one.
	cool(sh *shard, upTo uint32)
	keysHeld() int
	keysCold() int
	// bytes is what the keys take, but for what the shard counts; by a sample of so many.
	bytes(sample int32) int64
	// spare is the memory of keys that have gone.
	spare() int64
}

// agesDrawn is how many keys of a shard are looked at to find out which are old.
const agesDrawn = 1 << 10

// keepWithin makes the keys cold that have not been touched for longest, until what the
// shard's keys take is about within a number of bytes. safe is the last epoch that is
// durable: keys touched since stay.
//
// The memory of what goes cold is used again, but is not given back at once, if ever, and
// more comes in until the next call. So there is to be less alive than the limit, but no less
// than half of it, for the sake of small limits.
func (sh *shard) keepWithin(limit int64, safe uint32) {
	held := sh.bytesHeld()
	sh.cools(sh.aim(limit, held, held+sh.spare()), safe)
	sh.left = sh.bytesHeld()
}

// aim is how much is to be alive: so that with the spare memory, and with as much as came in
// the epoch, it is within a limit.
func (sh *shard) aim(limit, held, room int64) int64 {
	least := limit / 2
	limit -= max(held-sh.left, 0)
	if room > limit {
		limit = int64(float64(limit) * float64(held) / float64(room))
	}
	return max(least, limit)
}

// cools makes keys cold until about so much is alive.
func (sh *shard) cools(limit int64, safe uint32) {
	for range 4 {
		took := sh.bytesHeld()
		if took <= limit {
			return
		}
		before := sh.keysHeld()
		sh.cool(float64(took-limit)/float64(took), safe)
		if sh.keysHeld() == before {
			return
		}
	}
}

// cool makes about a share of the keys cold, the oldest ones.
func (sh *shard) cool(share float64, safe uint32) {
	var ages []uint32
	total := max(1, sh.keysHeld())
	for _, u := range sh.cached {
		ages = u.ages(sh.draw, agesDrawn*u.keysHeld()/total+1, ages)
	}
	if len(ages) == 0 {
		return
	}
	slices.Sort(ages)
	upTo := min(safe, ages[min(len(ages)-1, int(share*1.1*float64(len(ages))))])
	for _, u := range sh.cached {
		u.cool(sh, upTo)
	}
}

func (sh *shard) keysHeld() (n int) {
	for _, u := range sh.cached {
		n += u.keysHeld()
	}
	return n
}

// bytesHeld is what the keys of the shard take: the tables by what they hold, what hangs
// on a key by a sample.
func (sh *shard) bytesHeld() int64 {
	took := sh.x.Bytes() + sh.longKeys.Bytes()
	for i := range sh.timers {
		took += int64(sh.timers[i].len()) * int64(unsafe.Sizeof(timer{}))
	}
	sample := max(1, keysMeasured/int32(max(1, len(sh.cached))))
	for _, u := range sh.cached {
		took += u.bytes(sample)
	}
	return took
}

// spare is the memory beside what the keys take: of what has gone and was not yet used again.
func (sh *shard) spare() int64 {
	n := sh.x.Room() - sh.x.Bytes() + sh.longKeys.Room() - sh.longKeys.Bytes()
	for _, u := range sh.cached {
		n += u.spare()
	}
	return max(n, 0)
}

func (u *keyed[K, M]) spare() int64 {
	var entry keyEntry[cell[K]]
	return (u.table.keys.room() - int64(u.table.len())) * int64(unsafe.Sizeof(entry))
}

func (u *keyed[K, M]) keysHeld() int { return u.table.len() }

func (u *keyed[K, M]) ages(draw *rand.Rand, n int, list []uint32) []uint32 {
	if u.table.keys.n == 0 {
		return list
	}
	for range n {
		if id := draw.Int32N(u.table.keys.n); u.table.isKey(id) {
			list = append(list, u.table.at(id).touched)
		}
	}
	return list
}

func (u *keyed[K, M]) cool(sh *shard, upTo uint32) {
	for id := range u.table.keys.n {
		k := u.table.keys.at(id)
		if k.size < 0 || u.disk.whole[k.hash%slots] {
			continue // of a slot that is full: it matters how many are alive, and which are oldest
		}
		if c := &k.value; c.touched <= upTo && !c.dirty && c.armed > sh.pinned {
			u.evict(sh, id)
		}
	}
}

// perPlace is what a key takes of a table of places, of which a half to three quarters
// are in use.
const perPlace = 13

// keysMeasured is how many keys of a shard are measured.
const keysMeasured = 256

func (u *keyed[K, M]) bytes(sample int32) int64 {
	var entry keyEntry[cell[K]]
	each, n := int64(0), int64(0)
	for i := int32(0); i < u.table.keys.n; i += 1 + u.table.keys.n/sample {
		if u.table.isKey(i) {
			each += u.machine.Hanging(&u.table.at(i).state)
			n++
		}
	}
	return int64(u.table.len()) * (int64(unsafe.Sizeof(entry)) + perPlace + each/max(n, 1))
}
