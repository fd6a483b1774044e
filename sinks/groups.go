package sinks

import (
	"bytes"
	"time"
)

// groups are the rows that wait to be told together. What is in it is in the outbox and is
// not acknowledged: a restart collects it again.
type groups struct {
	open map[string]*group
	told map[string]time.Time // until when a group that was told waits again
	rows int
	size int
}

type group struct {
	rows []Row
	ats  []int
	due  time.Time
}

// Bounds of what waits in memory: when it is reached, the group that is due first is told
// though it is not due.
const (
	groupRows  = 10_000
	groupBytes = 16 << 20
)

func newGroups() *groups {
	return &groups{open: map[string]*group{}, told: map[string]time.Time{}}
}

// add keeps a copy of a row.
func (g *groups) add(r Row, at int, to Decision, now time.Time) {
	in := g.open[to.Group]
	if in == nil {
		in = &group{due: now.Add(to.Wait)}
		if until := g.told[to.Group]; until.After(in.due) {
			in.due = until
		}
		g.open[to.Group] = in
		g.told[to.Group] = in.due.Add(to.Interval)
	}
	r.Alert, r.Group = bytes.Clone(r.Alert), to.Group
	in.rows, in.ats = append(in.rows, r), append(in.ats, at)
	g.rows++
	g.size += len(r.Alert)
}

func (g *groups) full() bool { return g != nil && (g.rows >= groupRows || g.size >= groupBytes) }

// first is the group that is due first.
func (g *groups) first() (name string, first *group) {
	for n, in := range g.open {
		if first == nil || in.due.Before(first.due) || in.due.Equal(first.due) && n < name {
			name, first = n, in
		}
	}
	return name, first
}

// next takes the rows of a group that is due, or of the first where all is to be told or
// there is no room.
func (g *groups) next(now time.Time, all bool) (rows []Row, ats []int) {
	if g == nil || len(g.open) == 0 {
		return nil, nil
	}
	name, in := g.first()
	if now.Before(in.due) && !all && !g.full() {
		return nil, nil
	}
	delete(g.open, name)
	g.rows -= len(in.rows)
	for _, r := range in.rows {
		g.size -= len(r.Alert)
	}
	g.forget(now)
	return in.rows, in.ats
}

// forget drops what is past, now and then.
func (g *groups) forget(now time.Time) {
	if len(g.told) < groupRows {
		return
	}
	for name, until := range g.told {
		if until.Before(now) {
			delete(g.told, name)
		}
	}
}

// timer fires when the first group is due.
func (g *groups) timer(now time.Time) (due <-chan time.Time, stop func()) {
	if g == nil || len(g.open) == 0 {
		return nil, func() {}
	}
	_, in := g.first()
	t := time.NewTimer(in.due.Sub(now))
	return t.C, func() { t.Stop() }
}
