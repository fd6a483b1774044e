package engine

import (
	"bytes"
	"cmp"
	"slices"
)

// The number of keys of a rule is bounded slot by slot, so that which keys are dropped
// does not depend on the number of shards: a slot has room for its share of
// Limits.KeysPerRule, and when it is full a sixteenth of its keys goes, those first
// whose last event is oldest.

// dropShare is the part of a full slot that goes at a time: so the search for the
// oldest costs little for each key that is added.
const dropShare = 16

// makeRoom drops the oldest keys of a slot if it is full. From half of that on keys are
// forgotten when their time has passed, so that those that count are alive.
func (u *keyed[K, M]) makeRoom(sh *shard, slot byte, now int64) {
	if u.bySlot == nil {
		u.countKeys()
	}
	room := max(1, sh.x.Limits.KeysPerRule/slots)
	if !u.prompt && int(u.bySlot[slot]) >= room/2 {
		u.bePrompt(sh, now)
	}
	if int(u.bySlot[slot]) < room || !u.isFullOfLiving(sh, slot, room, now) {
		return
	}
	ids := u.keysOf(slot)
	slices.SortFunc(ids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(u.table.at(a).seen, u.table.at(b).seen), bytes.Compare(u.table.key(a), u.table.key(b)))
	})
	for _, id := range ids[:max(1, room/dropShare)] {
		c := u.table.at(id)
		u.machine.Release(&sh.x, &c.state)
		u.forget(sh, id, c)
		sh.x.Dropped.Keys++
	}
}

// isFullOfLiving reports whether a full slot is full also without cold keys of which
// nothing is alive. All of its keys are in memory then, and none goes cold any more: those
// of slots that are not full do.
func (u *keyed[K, M]) isFullOfLiving(sh *shard, slot byte, room int, now int64) bool {
	if u.disk == nil || u.disk.cold == 0 || u.disk.whole[slot] {
		return true
	}
	u.loadSlot(sh, slot)
	u.disk.whole[slot] = true
	for _, id := range u.keysOf(slot) {
		u.forgetDead(sh, id, now)
	}
	return int(u.bySlot[slot]) >= room
}

// keysOf lists the keys of a slot.
func (u *keyed[K, M]) keysOf(slot byte) []int32 {
	var ids []int32
	for id := range u.table.keys.n {
		if k := u.table.keys.at(id); k.size >= 0 && byte(k.hash%slots) == slot {
			ids = append(ids, id)
		}
	}
	return ids
}

// countKeys begins to count the keys of each slot: before, there were so few that no
// slot could be full.
func (u *keyed[K, M]) countKeys() {
	u.bySlot = new([slots]int32)
	for id := range u.table.keys.n {
		if k := u.table.keys.at(id); k.size >= 0 {
			u.bySlot[k.hash%slots]++
		}
	}
}
