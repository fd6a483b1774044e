package machine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Where a pattern has changed behind its first steps, the runs that are still there go on
// with the new one: they are read from a record of the old one. Of that no more is known
// than its layout, for it may be of an earlier start.

// layout is what must be known of a pattern to read its records.
type layout struct {
	kind   recordKind
	leaves int
	logs   int   // of a line
	stages []int // of a line: the stage of each room; else how many cells each stage has, -1 for one that is no group
	accs   int   // of what is no line
}

// Layout describes the pattern's records for a later Carrier, in a word; empty where
// their runs cannot be told apart.
func (p *Pattern) Layout() string {
	l := p.layout()
	if l.kind == recordOfPool || p.mode == plan.SelectAll {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d/%d/%d/", l.kind, l.leaves, l.logs, l.accs)
	for i, n := range l.stages {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

func (p *Pattern) layout() layout {
	l := layout{kind: p.recordKind(), leaves: len(p.leaves), accs: len(p.accs)}
	if p.line != nil {
		l.logs = p.line.logs
		for i := range p.line.rooms {
			l.stages = append(l.stages, p.line.rooms[i].stage)
		}
		return l
	}
	for i := range p.stages {
		cells := -1
		if p.stages[i].root != nil {
			cells = len(p.stages[i].start())
		}
		l.stages = append(l.stages, cells)
	}
	return l
}

func parseLayout(text string) (l layout, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 5 {
		return l, false
	}
	var head [4]int
	for i := range head {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 {
			return l, false
		}
		head[i] = n
	}
	l.kind, l.leaves, l.logs, l.accs = recordKind(head[0]), head[1], head[2], head[3]
	for _, s := range strings.Split(parts[4], ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return l, false
		}
		l.stages = append(l.stages, n)
	}
	return l, true
}

// Carrier reads records of an older form of a pattern: of the runs in them those that wait
// at certain stages.
type Carrier struct {
	p    *Pattern
	was  layout
	keep []bool // by stage
	// Kept and Dropped count runs.
	Kept, Dropped int
}

// NewCarrier makes a carrier from the older form's Layout; keep says of which stages, from
// the first on, the runs can go on. It is nil where the two are not run by the same kind
// of machine, so that the runs of one mean nothing to the other.
func (p *Pattern) NewCarrier(was string, keep []bool) *Carrier {
	l, ok := parseLayout(was)
	if !ok || p.Layout() == "" || l.kind != p.recordKind() || !slices.Contains(keep, true) {
		return nil
	}
	return &Carrier{p: p, was: l, keep: keep}
}

// stays reports whether runs at a stage go on.
func (c *Carrier) stays(stage int) bool { return stage >= 0 && stage < len(c.keep) && c.keep[stage] }

// Decode is [Pattern.Decode] of a record of the older form, into a key that is empty and may
// be so afterwards.
func (c *Carrier) Decode(x *Context, b []byte, key *PatternKey) error {
	in := newRecordReader(x, b, c.was.kind)
	if c.p.line != nil {
		return c.readLine(in, key)
	}
	return c.readRuns(in, key)
}

// readRuns reads a record of the general machine.
func (c *Carrier) readRuns(in *recordReader, k *PatternKey) error {
	p, x := c.p, in.x
	k.begin(x)
	k.readHead(in)
	if in.uint() != 0 { // a pool
		in.fail("it has combinations")
	}
	for range in.count() {
		var r run
		c.readRun(in, &r)
		k.runs = append(k.runs, r)
	}
	if err := in.finish(); err != nil {
		return err
	}
	if err := c.sort(x, k); err != nil {
		return err
	}
	k.due = p.nextDeadline(k)
	k.waits = len(k.runs) > 0 && k.due < math.MaxInt64
	p.end(x, k)
	return nil
}

// sort drops the runs that do not go on, and checks the others.
func (c *Carrier) sort(x *Context, k *PatternKey) error {
	if err := k.checkHolders(); err != nil {
		return err
	}
	for i := range k.runs {
		if err := c.look(&k.runs[i]); err != nil {
			return err
		}
	}
	c.p.sweep(x, k)
	return c.p.checkKey(x, k)
}

// checkHolders refuses lists that are not held as often as they say.
func (k *PatternKey) checkHolders() error {
	holders := make([]int32, len(k.lists))
	for i := range k.runs {
		for _, b := range k.runs[i].binds {
			if b.list >= int32(len(k.lists)) {
				return fmt.Errorf("%w: list %d of %d", ErrRecord, b.list, len(k.lists))
			}
			if b.list >= 0 {
				holders[b.list]++
			}
		}
	}
	for i := range k.lists {
		if k.lists[i].holders != holders[i] {
			return fmt.Errorf("%w: a list that %d runs hold", ErrRecord, holders[i])
		}
	}
	return nil
}

// look says of a run whether it goes on; what only the older form noted is forgotten.
func (c *Carrier) look(r *run) error {
	if err := c.checkGroup(r); err != nil {
		return err
	}
	if r.gone = !c.stays(int(r.stage)) || c.p.isComplete(r); r.gone {
		c.Dropped++
		return nil
	}
	c.Kept++
	if !c.p.remembers(int(r.stage)) {
		r.hit = 0
		r.stale = r.stale && c.p.stages[r.stage].strict
	}
	return nil
}

// checkGroup refuses a run that goes on and is not within its group.
func (c *Carrier) checkGroup(r *run) error {
	if !c.stays(int(r.stage)) {
		return nil
	}
	if s := &c.p.stages[r.stage]; s.root != nil && !s.root.sound(r.config) {
		return fmt.Errorf("%w: a run outside of its group", ErrRecord)
	}
	return nil
}

// remembers reports whether a run that waits at a stage notes what comes and is not taken.
func (p *Pattern) remembers(stage int) bool {
	s := &p.stages[stage]
	return len(s.forbids) > 0 || slices.ContainsFunc(s.next, func(t transition) bool { return t.now })
}

func (c *Carrier) readRun(in *recordReader, r *run) {
	stage := r.readHead(in)
	c.readAccs(in, r)
	if stage < 0 || stage >= int64(len(c.was.stages)) {
		in.fail("a run at stage %d of %d", stage, len(c.was.stages))
		return
	}
	for range c.was.stages[stage] {
		r.config = append(r.config, cell{turns: int32(in.uint()), at: int32(in.uint()), last: in.span(r.last), stale: in.bool()})
	}
}

// readAccs reads the aggregates of a run: those of the first steps are the same, and of
// what comes behind a run that goes on has none.
func (c *Carrier) readAccs(in *recordReader, r *run) {
	r.accs = c.p.newStates()
	for i := range c.was.accs {
		if c.stays(int(r.stage)) && i < c.accs() {
			in.state(c.p.accs[i].program, &r.accs[i])
			continue
		}
		in.bytes()
	}
}

// accs is how many aggregates the steps have whose stages are the same.
func (c *Carrier) accs() (n int) {
	for i := range c.p.leaves {
		if l := &c.p.leaves[i]; l.acc >= 0 && c.p.stageOf(l) < len(c.keep) {
			n++
		}
	}
	return n
}

// stageOf is the stage that a leaf is in.
func (p *Pattern) stageOf(l *leaf) int {
	return slices.IndexFunc(p.stages, func(s stage) bool { return s.steps&(1<<l.step) != 0 })
}

// readLine reads a record of a line.
func (c *Carrier) readLine(in *recordReader, key *PatternKey) error {
	k, p := &key.line, c.p
	key.seq = in.uint()
	var kept []int32
	if open := in.count(); open > 0 {
		k.store = in.x.lineOf(p)
		k.row = k.store.newRow()
		spare := c.readLogs(in, k)
		for range open {
			if i := c.readWaiter(in, k); i != 0 {
				kept = append(kept, i)
			}
		}
		for i := range spare {
			releaseAll(in.x, spare[i].head)
			releaseAll(in.x, spare[i].tail)
		}
	}
	if err := in.finish(); err != nil {
		return err
	}
	if k.open == 0 {
		if k.store != nil {
			c.freeLogs(in.x, k)
			k.freeRow()
			k.store = nil
		}
		k.wants, k.next, k.idle = 0, math.MaxInt64, math.MaxInt64
		return nil
	}
	return c.seatAll(in.x, k, kept)
}

// readLogs reads the logs of the first steps, and returns the others.
func (c *Carrier) readLogs(in *recordReader, k *lineKey) (others []list) {
	same := c.logs()
	for n := range c.was.logs {
		var l list
		l.read(in)
		l.id, l.before = in.id(), in.id()
		l.holders = 0
		if n < same {
			k.store.logs[k.log(n)] = l
		} else {
			others = append(others, l)
		}
	}
	return others
}

// logs is how many of the stages that are the same have a log.
func (c *Carrier) logs() (n int) {
	for i := range c.keep {
		if c.p.leaves[c.p.stages[i].leaf].repeats {
			n++
		}
	}
	return n
}

// readWaiter reads a run; 0 where it does not go on.
func (c *Carrier) readWaiter(in *recordReader, k *lineKey) int32 {
	var w waiter
	w.start = in.time()
	w.ownStart, w.value = in.span(w.start), uint64(in.span(w.start))
	room := in.int()
	w.began, w.took = in.uint(), in.uint()
	refs := make([]keep.Ref, c.was.leaves)
	for n := range refs {
		refs[n] = in.ref()
	}
	spans := make([]span, c.was.logs)
	for n := range spans {
		spans[n] = span{n: in.int(), from: in.int(), before: in.id(), id: in.id()}
	}
	to := c.room(room)
	if in.err != nil || to < 0 || c.isDone(k, to, spans) {
		releaseAll(in.x, refs)
		c.Dropped++
		return 0
	}
	c.Kept++
	i := k.store.newRun()
	k.link(i)
	own := &k.store.runs[i]
	w.older, w.newer = own.older, own.newer
	*own = w
	own.room = int32(to)
	copy(k.store.held(i), refs)
	for n := range k.store.spansOf(i) {
		if n < len(spans) && spans[n].n != 0 {
			k.store.spansOf(i)[n] = spans[n]
			k.store.logs[k.log(n)].holders++
		}
	}
	return i
}

// isDone reports whether a run in a room would have been complete when it came there.
func (c *Carrier) isDone(k *lineKey, to int, spans []span) bool {
	r := &c.p.line.rooms[to]
	switch {
	case to >= c.p.line.waits:
		return true
	case !r.done:
		return false
	case r.log < 0:
		return r.min <= 1
	}
	return k.taken(&spans[r.log], r.log) >= int64(r.min)
}

// room is the room of the line for runs from a room of the older one, -1 where they do
// not go on. Those of one stage stand in one, or in a second one, where they have the
// most turns; of the last stage there may be one more, for those that are late.
func (c *Carrier) room(was int64) int {
	if was < 0 || was >= int64(len(c.was.stages)) || !c.stays(c.was.stages[was]) {
		return -1
	}
	stage := c.was.stages[was]
	first := slices.IndexFunc(c.p.line.rooms, func(r room) bool { return r.stage == stage })
	nth := int(was) - slices.Index(c.was.stages, stage)
	s := &c.p.stages[stage]
	if !c.p.leaves[s.leaf].repeats || s.max < 0 {
		nth = 0
	}
	return first + min(nth, 1)
}

// freeLogs lets go of the events of logs that no run holds.
func (c *Carrier) freeLogs(x *Context, k *lineKey) {
	for n := range c.p.line.logs {
		if l := &k.store.logs[k.log(n)]; l.holders == 0 {
			releaseAll(x, l.head)
			releaseAll(x, l.tail)
			*l = list{}
		}
	}
}

// seatAll puts runs into their rooms in the order in which they came.
func (c *Carrier) seatAll(x *Context, k *lineKey, runs []int32) error {
	p, s := c.p, k.store
	c.freeLogs(x, k)
	if err := k.check(); err != nil {
		return err
	}
	if err := p.checkLine(x, k); err != nil {
		return err
	}
	slices.SortStableFunc(runs, func(a, b int32) int { return cmp.Compare(k.came(a), k.came(b)) })
	for _, i := range runs {
		var ev event.Event
		p.seat(x, k, int(s.runs[i].room), i, x.Keep.View(p.lastTaken(k, i), &ev))
	}
	p.tidy(k)
	return nil
}

// lastTaken is the last event that a run took by the step of its room.
func (p *Pattern) lastTaken(k *lineKey, i int32) keep.Ref {
	s := k.store
	r := &s.l.rooms[s.runs[i].room]
	if !p.leaves[r.leaf].repeats {
		return s.held(i)[r.leaf]
	}
	n := slices.Index(s.l.leafOf, int32(r.leaf))
	sp := &s.spansOf(i)[n]
	return s.logs[k.log(n)].at(sp.from + k.taken(sp, n) - 1)
}
