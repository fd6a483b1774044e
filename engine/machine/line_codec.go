package machine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A record of a line has the logs, then the runs in order of start. Rooms are filled from
// it again: how runs stand in one follows from what they took.

func (w *recordWriter) id(id ID) { w.uint(id[0]); w.uint(id[1]) }

func (r *recordReader) id() ID { return ID{r.uint(), r.uint()} }

// appendLine writes what a key remembers of a line.
func (p *Pattern) appendLine(out *recordWriter, key *PatternKey) {
	k := &key.line
	out.uint(key.seq)
	out.uint(uint64(k.open))
	if k.open == 0 {
		return
	}
	for n := range p.line.logs {
		l := &k.store.logs[k.log(n)]
		l.append(out)
		out.id(l.id)
		out.id(l.before)
	}
	for i := k.oldest; i != 0; i = k.store.runs[i].newer {
		k.appendWaiter(out, i)
	}
}

func (k *lineKey) appendWaiter(out *recordWriter, i int32) {
	w := &k.store.runs[i]
	out.time(w.start)
	out.span(w.ownStart, w.start)
	out.span(int64(w.value), w.start) // most are times
	out.int(int64(w.room))
	out.uint(w.began)
	out.uint(w.took)
	for _, ref := range k.store.held(i) {
		out.ref(ref)
	}
	for _, sp := range k.store.spansOf(i) {
		out.int(sp.n)
		out.int(sp.from)
		out.id(sp.before)
		out.id(sp.id)
	}
}

// readLine reads what appendLine wrote into a key that is empty.
func (p *Pattern) readLine(in *recordReader, key *PatternKey) error {
	k := &key.line
	key.seq = in.uint()
	if open := in.count(); open > 0 {
		k.store = in.x.lineOf(p)
		k.row = k.store.newRow()
		for n := range p.line.logs {
			l := &k.store.logs[k.log(n)]
			l.read(in)
			l.id, l.before = in.id(), in.id()
		}
		for range open {
			k.readWaiter(in)
		}
	}
	if err := in.finish(); err != nil {
		return err
	}
	return p.fillRooms(in.x, key)
}

func (k *lineKey) readWaiter(in *recordReader) {
	s := k.store
	i := s.newRun()
	k.link(i)
	w := &s.runs[i]
	w.start = in.time()
	w.ownStart, w.value = in.span(w.start), uint64(in.span(w.start))
	room := in.int()
	if w.room = int32(room); room < 0 || room >= int64(s.l.waits) {
		w.room = -1
	}
	w.began, w.took = in.uint(), in.uint()
	for n := range s.held(i) {
		s.held(i)[n] = in.ref()
	}
	for n := range s.spansOf(i) {
		s.spansOf(i)[n] = span{n: in.int(), from: in.int(), before: in.id(), id: in.id()}
	}
}

// fillRooms checks what has been read and puts the runs into their rooms, in the order
// in which they came.
func (p *Pattern) fillRooms(x *Context, key *PatternKey) error {
	k := &key.line
	if k.open == 0 {
		return nil
	}
	if err := k.check(); err != nil {
		return err
	}
	if err := p.checkLine(x, k); err != nil {
		return err
	}
	var all []int32
	for i := k.oldest; i != 0; i = k.store.runs[i].newer {
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b int32) int { return cmp.Compare(k.came(a), k.came(b)) })
	for _, i := range all {
		room := int(k.store.runs[i].room)
		if o := p.line.rooms[room].order; o != nil {
			p.rank(x, k, o, i, nil)
		}
		k.enter(room, i)
	}
	p.tidy(k)
	return nil
}

// came is what puts the runs of a room in the order in which they came.
func (k *lineKey) came(i int32) int64 {
	w := &k.store.runs[i]
	if log := k.store.l.rooms[w.room].log; log >= 0 {
		return k.store.spansOf(i)[log].from
	}
	return int64(w.took)
}

// check refuses a record whose numbers would lead outside of what it holds.
func (k *lineKey) check() error {
	s := k.store
	holders := make([]int32, s.l.logs)
	for i := k.oldest; i != 0; i = s.runs[i].newer {
		room := s.runs[i].room
		if room < 0 {
			return fmt.Errorf("%w: a run in a room that is not there", ErrRecord)
		}
		for n, sp := range s.spansOf(i) {
			if sp.n == 0 {
				continue
			}
			holders[n]++
			if l := &s.logs[k.log(n)]; sp.n < taking || (sp.n == taking) != (s.l.rooms[room].log == n) || sp.from < l.base || sp.from > l.end()-max(sp.n, 1) {
				return fmt.Errorf("%w: events from %d of a log from %d to %d", ErrRecord, sp.from, l.base, l.end())
			}
		}
		if log := s.l.rooms[room].log; log >= 0 && s.spansOf(i)[log].n != taking {
			return fmt.Errorf("%w: a run that is not in its log", ErrRecord)
		}
	}
	for n, held := range holders {
		if l := &s.logs[k.log(n)]; !l.isSound(held, s.l.leafOf[n]) {
			return fmt.Errorf("%w: a log that %d runs hold", ErrRecord, held)
		}
	}
	return nil
}

// isSound reports whether a list read from a record can be a log with that many holders.
func (l *list) isSound(holders, leaf int32) bool {
	if holders == 0 {
		return len(l.head)+len(l.tail) == 0 && l.skipped == 0
	}
	return l.holders == holders && l.leaf == leaf && l.skipped >= 0 && l.base >= 0 && l.end() >= l.base && l.end() < math.MaxInt64/2
}
