package engine

import "math"

// A key in which nothing is alive any more, for its time has passed, is forgotten. That
// nobody waits for: it needs no timer of its own. Keys are looked at in turn, some whenever
// a new one comes, so that those to be forgotten are never many more than those that are
// alive, and some in each round. Only where a slot has come near its bound (see bound.go),
// where it matters how many keys are alive, each key has a timer.

// looksForOne is how many keys are looked at when one comes; looksARound what part of all
// is in a round at most, and looksAtLeast how many are where it has few records: as many as
// it has for each record else, so that small rounds cost little however many keys there are.
const (
	looksForOne  = 2
	looksARound  = 16
	looksAtLeast = 64
)

// lazy is a machine that says when something comes of a key, and not only when something
// of it can be forgotten.
type lazy[K any] interface {
	Due(k *K) int64
}

// sweeper is a unit whose keys are forgotten in turn.
type sweeper interface {
	// lookAt looks at the next n keys in turn, at all of them at most.
	lookAt(sh *shard, n int, now int64)
	keys() int
}

// timerOf is the time that a key's timer is to be armed for; math.MaxInt64: none.
func (u *keyed[K, M]) timerOf(c *cell[K]) int64 {
	if u.lazy == nil || u.prompt {
		return u.machine.Deadline(&c.state)
	}
	return u.lazy.Due(&c.state)
}

// lookAt forgets those of the next n keys in turn in which nothing is alive.
func (u *keyed[K, M]) lookAt(sh *shard, n int, now int64) {
	if u.prompt {
		return
	}
	for range min(n, int(u.table.keys.n)) {
		if u.turn >= u.table.keys.n {
			u.turn = 0
		}
		u.forgetDead(sh, u.turn, now)
		u.turn++
	}
}

// forgetDead settles a key whose deadline has passed.
func (u *keyed[K, M]) forgetDead(sh *shard, id int32, now int64) (gone bool) {
	if !u.table.isKey(id) {
		return false
	}
	c := u.table.at(id)
	if u.machine.Deadline(&c.state) > now {
		return false
	}
	sh.x.Key = u.table.key(id)
	u.machine.Settle(&sh.x, &c.state, now)
	u.after(sh, id, c)
	return !u.table.isKey(id)
}

// bePrompt has every key forgotten in its time from now on.
func (u *keyed[K, M]) bePrompt(sh *shard, now int64) {
	u.lookAt(sh, int(u.table.keys.n), now)
	u.prompt = true
	for id := range u.table.keys.n {
		if !u.table.isKey(id) {
			continue
		}
		c := u.table.at(id)
		if at := u.timerOf(c); at < c.armed {
			c.armed = at
			sh.arm(u.number, id, at)
		}
	}
}

// forget lets the units look at some of their keys, one after the other, or at all.
func (sh *shard) forget(ep *epoch) {
	if ep.last {
		for _, u := range sh.sweepers {
			u.lookAt(sh, math.MaxInt, ep.worked)
		}
		return
	}
	left := looksForOne*ep.records + looksAtLeast
	for range sh.sweepers {
		u := sh.sweepers[sh.sweep%len(sh.sweepers)]
		n := min(u.keys()/looksARound+1, left)
		u.lookAt(sh, n, ep.worked)
		sh.sweep++
		if left -= n; left == 0 {
			return
		}
	}
}
