package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/state"
)

// Time may jump over the deadlines of very many cold keys: after a pause, where an input
// ends for good, where a window of all keys ends. They are then worked in slices, each a
// round without events, between which epochs may end. So that alerts come out as if it were
// one round, slices go in order of time: up to the limit, at which no more rows of the diary
// have come up than a slice may take. The rows of one time that are more than that are a
// group, whose slices go in the order of alerts, by rule and key; what keys in memory have
// due at that time waits for its slice too.
//
// An epoch that ends between two slices says how far time is worked. Events whose time
// comes later wait in the state (in the direct lane they are not taken), and rows that have
// not come up are in the diary: the next start goes on with them.

// slicing is how far time may go in one round.
type slicing struct {
	limit int64 // of the rows up to it no more come up than a slice may take
	under int   // rows up to it; what was filed since included
	group int64 // the time right after limit at which there are more; noGroup: there is none
	slice int   // how many rows a slice takes
	cold  int   // cold keys of all rules at the end of the last epoch

	// The group that is being worked on.
	open bool
	rule int     // of those before it all rows have been listed
	last []byte  // of the rule: the greatest key that has been listed; nil: none
	list []entry // the next in order
}

const noGroup = math.MaxInt64

// bound ends a slice of a group: what is due at its time of later rules, or of its rule and
// later keys, stays.
type bound struct {
	at   int64
	rule int32
	key  []byte
}

// leastSlice is how few keys a slice takes at least.
const leastSlice = 256

// recordTakes is how much room a key takes whose record has so many bytes, with what it
// writes; recordGuess is the length of records before one was read.
const (
	recordTakes = 6
	recordGuess = 1 << 10
)

// sliceKeys is how many cold keys may be taken into memory at a time: they may take an
// eighth of the cache.
func (e *Engine) sliceKeys() int {
	if e.o.SliceKeys > 0 {
		return e.o.SliceKeys
	}
	n, size := int64(1), int64(recordGuess)
	for _, sh := range e.shards {
		n, size = n+sh.fetches, size+sh.fetchedBytes
	}
	return int(max(leastSlice, min(e.o.Cache/8/(recordTakes*(size/n+1)), int64(e.o.EpochKeys/2))))
}

// lookAhead finds the limit of the round that is to begin, if it may be another by now.
func (e *Engine) lookAhead(ctx context.Context, ep *epoch) error {
	s := &e.slicing
	if !e.store.Durable() || s.open {
		return nil
	}
	if s.slice = e.sliceKeys(); s.cold <= s.slice {
		e.limitTo(math.MaxInt64, math.MaxInt, noGroup)
		return nil
	}
	for _, sh := range e.shards {
		s.under, sh.filedUnder = later(s.under, sh.filedUnder), 0
	}
	if s.under <= 2*s.slice && ep.began < s.limit {
		return nil
	}
	return e.findLimit(ctx, ep.began)
}

// later adds to a number of rows; math.MaxInt stays.
func later(n, more int) int { return n + min(more, math.MaxInt-n) }

// findLimit counts the rows that come up after a time.
func (e *Engine) findLimit(ctx context.Context, worked int64) error {
	n, here, last := 0, 0, int64(math.MinInt64) // rows before the time last, and of it
	limit, group := int64(math.MaxInt64), int64(noGroup)
	err := e.store.Scan(ctx, state.TableTimers, []byte{exact}, diaryTime(exact, laterThan(worked, 1)), func(row, _ []byte) error {
		at, ok := timeOfRow(row)
		if !ok {
			return errDiary
		}
		if at != last {
			n, here, last = n+here, 0, at
		}
		if here++; n+here <= e.slicing.slice {
			return nil
		}
		if n == 0 && e.splits() {
			limit, group = at-1, at
			return state.ErrStop
		}
		if n == 0 {
			return nil // all of that time, however many
		}
		limit, here = at-1, 0
		return state.ErrStop
	})
	e.limitTo(limit, n+here, group)
	return err
}

// splits reports whether rows of one time may be worked one after the other: not where rules
// make events, which come after all else of their time.
func (e *Engine) splits() bool {
	return !slices.ContainsFunc(e.rules, func(c compiled) bool {
		if len(c.rule.Derived) > 0 {
			return true
		}
		return len(c.rule.Inputs) > 0 && len(c.rule.Inputs[0].Derived) > 0
	})
}

func (e *Engine) limitTo(limit int64, under int, group int64) {
	s := &e.slicing
	s.limit, s.under, s.group = limit, under, group
	if group != noGroup {
		s.under = 0
	}
	e.merge.limit = limit
	for _, sh := range e.shards {
		sh.limit, sh.filedUnder = limit, 0
	}
}

// diaryTime is the key that rows of a time begin with.
func diaryTime(part byte, at int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{part}, uint64(at)^1<<63)
}

func timeOfRow(row []byte) (int64, bool) {
	if len(row) < 10 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(row[1:]) ^ 1<<63), true
}

// jumps reports whether time has come beyond the limit: before any more is read, it is
// worked.
func (e *Engine) jumps(ep *epoch) bool {
	ep.beyond = ep.beyond || e.merge.limit != math.MaxInt64 && e.merge.watermark() > e.merge.limit
	return ep.beyond
}

// within is how many of the next n records of a job, in the direct lane, do not go beyond
// the limit.
func (e *Engine) within(j *job, n int) int {
	limit := e.merge.limit
	if limit == math.MaxInt64 {
		return n
	}
	for i := range n {
		if at := j.eventOf(j.next + i); at >= 0 && j.events[at].Time > limit {
			return i
		}
	}
	return n
}

// reach sets the time that the round ends at. Where it jumps that is the limit at most, or
// the time of a group of which the round takes a slice.
func (e *Engine) reach(ctx context.Context, ep *epoch) error {
	s := &e.slicing
	jumps := e.jumps(ep)
	ep.until = endOfTime
	if !e.merge.flush {
		ep.until = e.merge.watermark()
		ep.known = ep.until
	}
	if jumps || ep.until > s.limit {
		ep.until = s.limit
	}
	ep.worked, ep.bound = ep.until, nil
	if jumps && s.group != noGroup && ep.began == s.limit && ep.isEmpty() {
		if err := e.sliceGroup(ctx, ep); err != nil {
			return err
		}
	}
	if jumps && e.direct && !e.merge.flush {
		e.merge.tell(ep.worked)
		ep.known = max(ep.known, ep.until)
	}
	return nil
}

// sliceGroup makes the round at hand one of the next slice of a group.
func (e *Engine) sliceGroup(ctx context.Context, ep *epoch) error {
	s := &e.slicing
	if !s.open {
		s.open, s.rule, s.last, s.list = true, 0, nil, nil
		e.pin(s.group)
	}
	ep.until = s.group
	left := s.slice
	for {
		if err := e.listGroup(ctx); err != nil {
			return err
		}
		if left == 0 || len(s.list) == 0 {
			break
		}
		n := min(left, len(s.list))
		for _, en := range s.list[:n] {
			sh := e.shards[shardOf(en.hash, len(e.shards))]
			sh.cameUp = append(sh.cameUp, en)
		}
		last := &s.list[n-1]
		ep.bound = &bound{s.group, last.rule, last.key}
		s.list, left = s.list[n:], left-n
	}
	if len(s.list) > 0 {
		return nil
	}
	return e.closeGroup(ctx, ep)
}

// closeGroup makes the round at hand that of the group's last slice.
func (e *Engine) closeGroup(ctx context.Context, ep *epoch) (err error) {
	s := &e.slicing
	ep.worked, ep.bound = s.group, nil
	e.diary.next[exact], err = e.firstRow(ctx, exact, laterThan(s.group, 1))
	s.open, s.last, s.list = false, nil, nil
	e.limitTo(ep.worked, math.MaxInt, noGroup)
	e.pin(math.MinInt64)
	return err
}

// pin keeps keys in memory that have something due up to a time: they have not been listed.
func (e *Engine) pin(at int64) {
	for _, sh := range e.shards {
		sh.pinned = at
	}
}

// firstRow is the time of the first row of a part from a time on; math.MaxInt64 where there
// is none.
func (e *Engine) firstRow(ctx context.Context, part byte, from int64) (int64, error) {
	first := int64(math.MaxInt64)
	err := e.store.Scan(ctx, state.TableTimers, []byte{part}, diaryTime(part, from), func(row, _ []byte) error {
		at, ok := timeOfRow(row)
		if !ok {
			return errDiary
		}
		first = at
		return state.ErrStop
	})
	return first, err
}

// listGroup sees to it that the list has the next rows of the group in order, if there are
// any more. A rule that no shard has asked for has none.
func (e *Engine) listGroup(ctx context.Context) error {
	s := &e.slicing
	for ; len(s.list) == 0 && s.rule < len(e.rules); s.rule++ {
		if !slices.ContainsFunc(e.shards, func(sh *shard) bool { return sh.units[s.rule] != nil }) {
			continue
		}
		whole, err := e.listRule(ctx)
		if err != nil {
			return err
		}
		if !whole {
			break
		}
		s.last = nil
	}
	return nil
}

// A listing reads all rows of a rule in the group, which do not stand in order of keys, and
// keeps those next in order: as many as listSlices slices take, of listBytes.
const (
	listSlices = 8
	listBytes  = 8 << 20
)

// listRule lists the next rows of a rule in order of their keys, and reports whether these
// are all.
func (e *Engine) listRule(ctx context.Context) (whole bool, err error) {
	s := &e.slicing
	next := nextRows{most: listSlices * s.slice}
	prefix := append(diaryTime(exact, s.group), keyPrefix(nil, e.rules[s.rule].recordName())...)
	err = e.store.Scan(ctx, state.TableTimers, prefix, nil, func(row, _ []byte) error {
		_, en, err := e.entryOf(row)
		if err != nil || en.rule != int32(s.rule) || s.last != nil && bytes.Compare(en.key, s.last) <= 0 {
			return err
		}
		next.add(en)
		return nil
	})
	next.cut()
	s.list = next.list
	if n := len(s.list); n > 0 {
		s.last = s.list[n-1].key
	}
	return !next.left, err
}

// nextRows keeps the rows with the least keys, at least one.
type nextRows struct {
	most  int
	list  []entry
	bytes int
	left  bool // rows have been let go of
}

func (n *nextRows) add(en entry) {
	n.list = append(n.list, en)
	n.bytes += len(en.key) + len(en.row)
	if len(n.list) > 2*n.most || n.bytes > 2*listBytes {
		n.cut()
	}
}

func (n *nextRows) cut() {
	slices.SortFunc(n.list, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	n.bytes = 0
	for i := range n.list {
		size := len(n.list[i].key) + len(n.list[i].row)
		if i > 0 && (i == n.most || n.bytes+size > listBytes) {
			clear(n.list[i:])
			n.list, n.left = n.list[:i], true
			return
		}
		n.bytes += size
	}
}

// holds reports whether a timer is of a later slice. Timers that do not count any more are
// of none.
func (b *bound) holds(sh *shard, t timer) bool {
	if b == nil || t.at < b.at || !sh.units[t.unit].isArmed(t.key, t.at) {
		return false
	}
	return cmp.Or(cmp.Compare(t.unit, b.rule), bytes.Compare(sh.units[t.unit].keyOf(t.key), b.key)) > 0
}

// saveTime saves the merged time, and, where an epoch ends between two slices, how much is
// not worked yet. Between slices on the way to the end of time the merged time is where the
// input ended: the next run goes on to the end from there.
//
//	TableMeta  "time" → merged time, and the time worked up to where it is less
func (e *Engine) saveTime(ep *epoch) {
	time := e.merge.watermark()
	if e.merge.flush && ep.worked < endOfTime {
		time = ep.known
	}
	b := binary.AppendVarint(nil, time)
	if ep.worked < time {
		b = binary.AppendVarint(b, ep.worked)
	}
	e.commits.batch().Put(state.TableMeta, []byte(metaTime), b)
}

// restoreTime reads the merged time, and how far it is worked.
func (e *Engine) restoreTime() error {
	e.epoch.began = e.merge.reached
	b, ok, err := e.store.Get(state.TableMeta, []byte(metaTime), nil)
	if err != nil || !ok || !e.store.Durable() {
		return err
	}
	r := stepReader{b: b}
	e.merge.reached = r.varint()
	if e.epoch.began = e.merge.reached; len(r.b) > 0 {
		e.epoch.began = r.varint()
	}
	if r.bad || len(r.b) > 0 {
		return fmt.Errorf("%w: merged time", errState)
	}
	return nil
}

// countCold counts the cold keys of all rules.
func (e *Engine) countCold() {
	e.slicing.cold = 0
	for _, sh := range e.shards {
		for _, u := range sh.cached {
			e.slicing.cold += u.keysCold()
		}
	}
}
