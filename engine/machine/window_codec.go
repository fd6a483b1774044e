package machine

import (
	"slices"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// shown writes what an alert shows of events. Of the newest ones times has the times that
// they count at, the newest last; nil: they are not known.
func (w *recordWriter) shown(list []keep.Shown, times []int64) {
	w.uint(uint64(len(list)))
	var after *event.Event
	for i, ref := range list {
		ev := w.x.Log.View(ref, &w.views[i&1])
		w.text = w.x.Codec.AppendEvent(w.text[:0], ev, after, w.x.baseOf(i, times, after))
		w.uint(uint64(len(w.text)))
		w.body = append(w.body, w.text...)
		after = ev
	}
}

// baseOf is the time that what is shown of an event is near to.
func (x *Context) baseOf(i int, times []int64, after *event.Event) int64 {
	if i < len(times) {
		return times[i]
	}
	return x.baseAfter(after)
}

// shown reads what shown wrote, of at most MaxEvidence events, and holds it for the
// caller; the list is valid until the next call.
func (r *recordReader) shown(times []int64) []keep.Shown {
	n := r.count()
	if n > MaxEvidence {
		r.fail("%d events to show", n)
	}
	list := r.list[:0]
	var view event.Event
	var after *event.Event
	for i := 0; i < n && r.err == nil; i++ {
		text := r.bytes()
		if r.err != nil {
			break
		}
		ev, err := r.x.Codec.ReadShown(text, after, r.x.baseOf(i, times, after))
		if err != nil {
			r.fail("event %d: %v", i+1, err)
			break
		}
		list = append(list, r.x.Log.Hold(ev))
		after = r.x.Log.View(list[i], &view)
	}
	r.list = list
	return list
}

// Append appends the record of a key.
func (w *Window) Append(x *Context, b []byte, k *WindowKey) []byte {
	out := newRecordWriter(x, recordOfWindow)
	out.bool(k.held)
	out.trail(&k.trail)
	if k.live > 0 && k.more != nil {
		w.appendMore(out, k)
	} else {
		out.bool(false)
	}
	return out.finish(b)
}

// trail writes the times of a trail, each as the distance to the one before, and what
// is shown of it.
func (w *recordWriter) trail(t *trail) {
	w.uint(uint64(t.live))
	w.times = w.times[:0]
	before := w.x.Since
	for i := range t.live {
		at := t.at(w.x, i)
		w.span(at, before)
		w.times, before = append(w.times, at), at
	}
	w.shown(t.shown(w.x), newest(w.times, shownOf(t.live)))
}

// newest are the last n times, or all where there are less.
func newest(times []int64, n int) []int64 { return times[max(0, len(times)-n):] }

func (w *Window) appendMore(out *recordWriter, k *WindowKey) {
	out.bool(true)
	for _, n := range k.more.counts {
		out.uint(uint64(n))
	}
	for n := range w.parts {
		if p := &w.parts[n]; p.state >= 0 {
			out.state(p.program, &k.more.states[p.state])
		}
	}
	out.uint(uint64(len(k.more.late)))
	for _, l := range k.more.late {
		out.uint(uint64(l.number - k.more.first))
		out.time(l.own)
	}
}

// Decode reads what Append wrote into a key that is empty.
func (w *Window) Decode(x *Context, b []byte, k *WindowKey) error {
	in := newRecordReader(x, b, recordOfWindow)
	*k = WindowKey{}
	k.held = in.bool()
	in.trail(&k.trail)
	if in.bool() {
		w.readMore(in, k)
	}
	w.check(in, k)
	if err := in.finish(); err != nil {
		w.Release(x, k)
		return err
	}
	return nil
}

// trail reads what trail wrote into an empty trail.
func (r *recordReader) trail(t *trail) {
	n := r.count()
	r.times = slices.Grow(r.times[:0], n)
	before := r.x.Since
	for i := range n {
		at := r.span(before)
		if i > 0 && at < before {
			r.fail("times that go back")
		}
		r.times, before = append(r.times, at), at
	}
	times := r.times
	shown := r.shown(newest(times, MaxEvidence))
	if len(shown) != shownOf(uint32(len(times))) {
		r.fail("%d of %d events to show", len(shown), len(times))
	}
	if r.err != nil {
		for _, ref := range shown {
			r.x.Log.Release(ref)
		}
		return
	}
	for i, at := range times {
		t.restore(r.x, at, shown, len(times)-1-i)
	}
}

// restore adds an event after which so many come; of the newest ones shown has what is
// shown of them, the newest last.
func (t *trail) restore(x *Context, at int64, shown []keep.Shown, after int) {
	ref := keep.Shown(0)
	if after < len(shown) {
		ref = shown[len(shown)-1-after]
	}
	t.add(x, at, ref)
}

func (w *Window) readMore(in *recordReader, k *WindowKey) {
	k.setMore(&moreOfKey{})
	if !w.alone {
		k.setMore(w.newMore())
	}
	for i := range k.more.counts {
		k.more.counts[i] = uint32(in.uint())
	}
	for n := range w.parts {
		if p := &w.parts[n]; p.state >= 0 {
			in.state(p.program, &k.more.states[p.state])
		}
	}
	for range in.count() {
		k.more.late = append(k.more.late, lateEvent{number: uint32(in.uint()), own: in.time()})
	}
}

// check refuses a record whose windows are not of the events it has.
func (w *Window) check(in *recordReader, k *WindowKey) {
	if in.err != nil {
		return
	}
	if k.more != nil && k.live == 0 {
		in.fail("windows of no events")
		return
	}
	if w.largest(k) != k.live {
		in.fail("%d events in windows of at most %d", k.live, w.largest(k))
		return
	}
	for i, l := range k.moreLate() {
		if l.number >= k.live || i > 0 && l.number <= k.more.late[i-1].number {
			in.fail("late event %d of %d", l.number, k.live)
		}
	}
}

// moreLate lists the late events that the key remembers.
func (k *WindowKey) moreLate() []lateEvent {
	if k.more == nil {
		return nil
	}
	return k.more.late
}
