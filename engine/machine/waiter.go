package machine

import (
	"math"
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// lineKey is what one key remembers of a line: where its rooms are in the shard's
// lineStore, and its runs in order of start.
type lineKey struct {
	store  *lineStore // nil: no run was ever open
	wants  uint64     // steps that matter to a run, one at least
	next   int64      // nothing is due before, where a run is open
	open   int32
	row    int32  // of rooms and logs; 0: none
	least  uint64 // of a sieved line: events with a lesser number find no run
	oldest int32  // run; 0: none is open
	newest int32
	idle   int64 // when the engine must settle the key if no event comes
}

// waiter is one run of a line. Runs are linked by their numbers in the lineStore, so that
// a million of them hold no pointer; 0 is none. A run is a line of the cache.
type waiter struct {
	start, ownStart int64
	began, took     uint64
	value           uint64 // what the room's order compares, or when the run came there; of one that waits for an absence its deadline
	older, newer    int32  // by start
	before, behind  int32  // in the room; in a heap behind is its place
	room            int32
	unknown         bool // there is no value
}

// span is the stretch of a log that a run took. Of a run that is still in the log's room n
// is taking: the stretch goes to the end of the log.
type span struct {
	from, n    int64
	before, id ID // folds of the log, up to the stretch and up to its end
}

const taking = -1

// taken is how many events of a log a stretch has so far.
func (k *lineKey) taken(sp *span, log int) int64 {
	if sp.n == taking {
		return k.store.logs[k.log(log)].end() - sp.from
	}
	return sp.n
}

// roomState is the runs that wait in one room of one key, in the order in which they came.
type roomState struct {
	head, tail, n int32
	index         int32  // number of a heap, less that of a table, in place of the links; 0: none
	least         uint64 // of a room with an order: no run's value is less
	// Of a room with a log: the number after its last event, and the one from which on a run
	// may have the turns to go on. Mostly it has not, and the log need not be looked at.
	end, enough int64
}

// lineStore is what one shard keeps of all keys of a line. Number 0 of runs, rows, heaps
// and tables is not used.
type lineStore struct {
	l      *line
	runs   []waiter
	spare  int32      // free runs, linked by newer
	spares int        // how many
	refs   []keep.Ref // by run, then leaf: the event of a leaf that is not repeated
	spans  []span     // by run, then log

	rooms []roomState // by row, then room
	logs  []list      // by row, then log
	rows  []int32     // free ones

	heaps       []heap
	spareHeaps  []int32
	tables      []table
	spareTables []int32

	moved bool // a run of the key at hand came or went since its last tidy
}

// lineOf returns the store of the pattern in a shard.
func (x *Context) lineOf(p *Pattern) *lineStore {
	if s := x.lines[p]; s != nil {
		return s
	}
	if x.lines == nil {
		x.lines = map[*Pattern]*lineStore{}
	}
	s := &lineStore{l: p.line, heaps: make([]heap, 1), tables: make([]table, 1)}
	s.newRun()
	s.newRow()
	x.lines[p] = s
	return s
}

// width is the number of rooms in a row: one, or lines of the cache.
func (l *line) width() int {
	if l.waits == 1 {
		return 1
	}
	return (l.waits + 1) &^ 1
}

// newRun makes an empty run.
func (s *lineStore) newRun() int32 {
	if i := s.spare; i != 0 {
		s.spare = s.runs[i].newer
		s.spares--
		s.runs[i] = waiter{}
		return i
	}
	s.runs = append(s.runs, waiter{})
	for range s.l.leaves {
		s.refs = append(s.refs, 0)
	}
	for range s.l.logs {
		s.spans = append(s.spans, span{})
	}
	return int32(len(s.runs) - 1)
}

// bytes is what open runs and the rooms of keys take, in bytes: without what is free.
func (s *lineStore) bytes() int64 {
	runs, rows := int64(len(s.runs)-s.spares), int64(len(s.rooms)/s.l.width()-len(s.rows))
	run := int64(unsafe.Sizeof(waiter{})) + int64(s.l.leaves)*int64(unsafe.Sizeof(keep.Ref(0))) + int64(s.l.logs)*int64(unsafe.Sizeof(span{}))
	row := int64(s.l.width())*int64(unsafe.Sizeof(roomState{})) + int64(s.l.logs)*int64(unsafe.Sizeof(list{}))
	return runs*run + rows*row
}

// newRow makes the empty rooms and logs of a key.
func (s *lineStore) newRow() int32 {
	if last := len(s.rows) - 1; last >= 0 {
		row := s.rows[last]
		s.rows = s.rows[:last]
		return row
	}
	row := len(s.rooms) / s.l.width()
	for range s.l.width() {
		s.rooms = append(s.rooms, roomState{})
	}
	for range s.l.logs {
		s.logs = append(s.logs, list{})
	}
	return int32(row)
}

// held are the events of a run, by leaf; spansOf the stretches, by log.
func (s *lineStore) held(i int32) []keep.Ref {
	n := int32(s.l.leaves)
	return s.refs[i*n : i*n+n]
}

func (s *lineStore) spansOf(i int32) []span {
	n := int32(s.l.logs)
	return s.spans[i*n : i*n+n]
}

// rooms are the states of the key's rooms; log is the number of one of its logs.
func (k *lineKey) rooms() []roomState {
	n := int(k.row) * k.store.l.width()
	return k.store.rooms[n : n+k.store.l.waits]
}

func (k *lineKey) room(r int) *roomState { return &k.rooms()[r] }

func (k *lineKey) log(n int) int { return int(k.row)*k.store.l.logs + n }

// tidy brings what the key knows of its runs as a whole up to date.
func (p *Pattern) tidy(k *lineKey) {
	if k.open == 0 {
		k.freeRow()
		k.wants, k.next, k.idle = 0, math.MaxInt64, math.MaxInt64
		return
	}
	states := k.rooms()
	k.tidyWants(p.line, states[:p.line.awake])
	k.next, k.idle = p.ends(&k.store.runs[k.oldest]), p.ends(&k.store.runs[k.newest])
	if p.line.ends >= 0 || p.line.ripens >= 0 {
		due := p.absent(k)
		k.next, k.idle = min(k.next, due), min(k.idle, due)
	}
	if len(p.line.gaps) > 0 {
		p.tidyGaps(k, states)
	}
}

// tidyWants notes what matters to the runs in the rooms.
func (k *lineKey) tidyWants(l *line, states []roomState) {
	k.wants, k.least = 0, math.MaxUint64
	for i := range states {
		st, r := &states[i], &l.rooms[i]
		switch {
		case st.n == 0:
		case r.log >= 0 && st.end < st.enough:
			k.wants |= r.step // none can go on, or be ended by what follows
		default:
			k.wants |= r.wakes
			k.least = min(k.least, st.least)
		}
	}
}

// tidyGaps sees to what is due because a gap has passed.
func (p *Pattern) tidyGaps(k *lineKey, states []roomState) {
	for _, r := range p.line.gaps {
		if i := states[r].head; i != 0 {
			k.next = min(k.next, p.gapEnds(&k.store.runs[i]))
		}
	}
	k.idle = min(k.idle, p.gapEnds(&k.store.runs[k.newest]))
}

// gapEnds is when the gap has passed through which a run can go on.
func (p *Pattern) gapEnds(w *waiter) int64 {
	if gap := p.line.rooms[w.room].maxGap; gap < math.MaxInt64 {
		return later(int64(w.value), gap)
	}
	return math.MaxInt64
}

// ends is when within has passed for a run.
func (p *Pattern) ends(w *waiter) int64 {
	if p.within == 0 {
		return math.MaxInt64
	}
	return later(w.start, p.within)
}

// absent is the earliest deadline of an absence that a run waits for.
func (p *Pattern) absent(k *lineKey) int64 {
	switch l := p.line; {
	case l.ends >= 0:
		if i := k.room(l.ends).head; i != 0 {
			return int64(k.store.runs[i].value)
		}
	case l.ripens >= 0:
		if i := k.room(l.ripens).head; i != 0 {
			return p.ends(&k.store.runs[i])
		}
	}
	return math.MaxInt64
}

// open links a new run behind all others in order of start.
func (k *lineKey) link(i int32) {
	s := k.store
	s.runs[i].older = k.newest
	if k.newest != 0 {
		s.runs[k.newest].newer = i
	} else {
		k.oldest = i
	}
	k.newest = i
	k.open++
	k.store.moved = true
}

// unlink takes a run out of the order of start.
func (k *lineKey) unlink(i int32) {
	s := k.store
	w := &s.runs[i]
	if w.older != 0 {
		s.runs[w.older].newer = w.newer
	} else {
		k.oldest = w.newer
	}
	if w.newer != 0 {
		s.runs[w.newer].older = w.older
	} else {
		k.newest = w.older
	}
	w.older, w.newer = 0, 0
	k.open--
	k.store.moved = true
}

// enter puts a run into a room, behind those that came before it.
func (k *lineKey) enter(r int, i int32) {
	s, st := k.store, k.room(r)
	w := &s.runs[i]
	w.room = int32(r)
	st.n++
	k.store.moved = true
	if s.l.rooms[r].log >= 0 {
		k.enterLog(st, &s.l.rooms[r], i)
	} else if o := s.l.rooms[r].order; o != nil {
		if st.n == 1 || w.value < st.least {
			st.least = w.value
		}
		if st.index != 0 || st.n > o.indexAt {
			k.enterIndex(o, st, i)
			return
		}
	}
	at := st.tail
	if r == s.l.ripens {
		for at != 0 && s.runs[at].began > w.began {
			at = s.runs[at].before
		}
	}
	k.insert(st, at, i)
}

// enterLog notes what a run that comes into a room makes of its log, which has its first
// event already.
func (k *lineKey) enterLog(st *roomState, r *room, i int32) {
	st.end = k.store.logs[k.log(r.log)].end()
	if st.n == 1 {
		st.enough = k.store.spansOf(i)[r.log].from + int64(r.min)
	}
}

// insert puts a run behind another one of the room; 0: at the front.
func (k *lineKey) insert(st *roomState, at, i int32) {
	s := k.store
	w := &s.runs[i]
	w.before, w.behind = at, st.head
	if at != 0 {
		w.behind = s.runs[at].behind
		s.runs[at].behind = i
	} else {
		st.head = i
	}
	if w.behind != 0 {
		s.runs[w.behind].before = i
	} else {
		st.tail = i
	}
}

// leave takes a run out of its room.
func (k *lineKey) leave(i int32) {
	s := k.store
	w := &s.runs[i]
	st := k.room(int(w.room))
	st.n--
	if st.index != 0 {
		k.leaveIndex(st, w)
		return
	}
	if w.before != 0 {
		s.runs[w.before].behind = w.behind
	} else {
		st.head = w.behind
	}
	if w.behind != 0 {
		s.runs[w.behind].before = w.before
	} else {
		st.tail = w.before
	}
}

// settleLog counts the stretch of a run that leaves the room of a log.
func (k *lineKey) settleLog(i int32, r *room) {
	if r.log < 0 {
		return
	}
	s, n := k.store, k.log(r.log)
	l, sp := &s.logs[n], &s.spansOf(i)[r.log]
	sp.n, sp.id = l.end()-sp.from, l.id
	s.runs[i].took = l.took
	l.spare(sp.from + sp.n)
}

// turns is how many events a run took in the room of a log.
func (k *lineKey) turns(i int32, r *room) int64 {
	return k.taken(&k.store.spansOf(i)[r.log], r.log)
}

// bindLine adds the event at hand to what a run takes by the leaf of a room.
func (p *Pattern) bindLine(x *Context, key *PatternKey, i int32, r *room, ev *event.Event) {
	k := &key.line
	if r.log < 0 {
		k.store.held(i)[r.leaf] = x.hold(ev)
		return
	}
	n := k.log(r.log)
	if l := &k.store.logs[n]; l.holders == 0 || l.took != key.seq {
		l.newest = l.end()
		p.grow(x, key, r, ev)
	} else {
		l.newest = l.end() - 1
	}
	l, sp := &k.store.logs[n], &k.store.spansOf(i)[r.log]
	l.holders++
	sp.from, sp.n = l.newest, taking
	sp.before, sp.id = l.before, ID{}
}

// grow adds the event at hand to a log.
func (p *Pattern) grow(x *Context, key *PatternKey, r *room, ev *event.Event) {
	k := &key.line
	n := k.log(r.log)
	l, leaf := &k.store.logs[n], &p.leaves[r.leaf]
	l.leaf = int32(leaf.index)
	p.append(x, l, key.seq, ev, leaf.keepAll)
	l.before, l.id = l.id, l.id.fold(leaf.step, x.identity(ev))
}
