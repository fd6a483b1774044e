package engine

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// derived is an event that a rule made (`emit EVENT`). It is read by rules of later
// strata right after what caused it.
type derived struct {
	event.Event
	by    *effect
	nth   int // number among the events of the effect
	found index.Routed
}

// derivedSource is the source that events made by rules are of.
const derivedSource = "derived"

// process runs the shards over the epoch, stratum by stratum with a barrier after
// each, and returns the effects of all in order.
func (e *Engine) process(ep *epoch) ([]*effect, error) {
	e.effects = e.effects[:0]
	for _, sh := range e.shards {
		sh.made.begin()
	}
	for s := range e.strata {
		from := len(e.effects)
		if err := e.runStratum(ep, s); err != nil {
			return nil, err
		}
		inOrder(e.effects[from:])
		if s+1 < e.strata {
			e.derive(e.effects[from:])
		}
	}
	if e.strata > 1 {
		inOrder(e.effects)
	}
	return e.effects, nil
}

// runStratum runs one stratum in all shards and gathers its effects.
func (e *Engine) runStratum(ep *epoch, stratum int) error {
	before := make([]int, len(e.shards))
	for i, sh := range e.shards {
		before[i] = len(sh.made.list)
	}
	if len(e.shards) == 1 {
		if err := e.shards[0].run(ep, stratum); err != nil {
			return err
		}
	} else {
		var all errgroup.Group
		for _, sh := range e.shards {
			all.Go(func() error { return sh.run(ep, stratum) })
		}
		if err := all.Wait(); err != nil {
			return err
		}
	}
	for i, sh := range e.shards {
		e.effects = append(e.effects, sh.made.list[before[i]:]...)
	}
	return nil
}

// derive makes the events that effects ask for, and puts them among the work of the
// rules that read them.
func (e *Engine) derive(effects []*effect) {
	made := false
	for _, c := range effects {
		rule := e.rules[c.rule].rule
		if rule.Mode == plan.Shadow {
			continue
		}
		for nth, values := range c.Derived {
			d, err := e.maker.make(rule, c, nth, values)
			if err != nil {
				e.stats.Rules[c.rule].Errors++
				e.stats.Rules[c.rule].LastError = err.Error()
				continue
			}
			made = e.deal(d) || made
		}
	}
	if made {
		for _, sh := range e.shards {
			sh.order()
		}
	}
}

// deal gives an event that a rule made to the shards; false where it matters to no
// rule.
func (e *Engine) deal(d *derived) bool {
	items := d.found.Lists[0]
	for i := range items {
		it := &items[i]
		sh := e.shards[shardOf(it.Hash, len(e.shards))]
		at := sh.strata[it.Rule]
		sh.work[at] = append(sh.work[at], work{ev: &d.Event, ordinal: d.by.ordinal, made: d, item: it, keys: d.found.Keys})
	}
	return len(items) > 0
}

// order sorts the work of the strata to come by position.
func (sh *shard) order() {
	for s := range sh.work {
		slices.SortStableFunc(sh.work[s], func(a, b work) int { return compareWork(&a, &b) })
	}
}

// compareWork orders events by position.
func compareWork(a, b *work) int {
	switch {
	case a.made == nil && b.made == nil:
		return cmp.Compare(a.ordinal, b.ordinal)
	case a.made == nil:
		return -b.made.against(a.ordinal)
	case b.made == nil:
		return a.made.against(b.ordinal)
	}
	return comparePaths(a.made.cause(), b.made.cause())
}

// cause is the cause that the event is.
func (d *derived) cause() *cause {
	c := d.by.cause
	c.made = d
	return &c
}

// path lists the events that were made one from another, d the last; nil has none.
func (d *derived) path(list []*derived) []*derived {
	if d == nil {
		return nil
	}
	return append(d.by.made.path(list), d)
}

// against is the order of a made event and the input of an ordinal.
func (d *derived) against(ordinal int32) int {
	switch {
	case d.by.ordinal != ordinal:
		return cmp.Compare(d.by.ordinal, ordinal)
	case d.by.event:
		return 1
	}
	return -1
}

// sideOf makes room for the rows that events of a type ask projections for.
func sideOf(set *plan.Set, typ int32) []event.Value {
	if int(typ) >= len(set.Reads) || len(set.Reads[typ]) == 0 {
		return nil
	}
	return make([]event.Value, len(set.Reads[typ]))
}

// maker makes events from the values that rules give their fields.
type maker struct {
	set    *plan.Set
	codec  *eventCodec
	router *index.Router
	part   int32 // the partition they are of
	text   []byte
}

// make makes the event of an effect's nth `emit EVENT`: it is decoded from JSON like
// any other, at the time of the alert, with the alert's id where it has none of its
// own.
func (m *maker) make(rule *plan.Rule, c *effect, nth int, values []event.Value) (*derived, error) {
	out := &rule.DerivedAt(0)[nth]
	typ := m.set.Types[out.Type]
	id := fmt.Sprintf("%s-%d", appendAlertID(nil, rule, c), nth+1)
	m.text = m.text[:0]
	m.text = append(m.text, '{')
	if record := typ.Schema.Type(); record.Field("type") == nil {
		m.member("type", event.OfString(typ.Schema.Name))
	}
	for i, f := range out.Fields {
		if !values[i].IsNil() {
			m.member(f.Name, values[i])
		}
	}
	m.standIn(&typ.Schema, out, c.Time, id)
	m.text = append(m.text, '}')
	ev, err := m.codec.decode(typ.Schema.Name, 0, c.Time, m.text, beside{})
	if err != nil {
		return nil, fmt.Errorf("emit %s: %w", typ.Schema.Name, err)
	}
	d := &derived{Event: *ev, by: c, nth: nth}
	d.Text, d.Slots = slices.Clone(ev.Text), slices.Clone(ev.Slots)
	d.Part, d.Time, d.At = m.part, c.Time, c.Time
	if d.ID == 0 {
		d.ID = event.MakeRef(len(d.Text), len(id))
		d.Text = append(d.Text, id...)
	}
	d.Side = sideOf(m.set, d.Type)
	m.router.RouteOne(&d.Event, &d.found)
	return d, nil
}

func (m *maker) member(name string, v event.Value) {
	if len(m.text) > 1 {
		m.text = append(m.text, ',')
	}
	m.text = event.AppendJSON(m.text, event.OfString(name))
	m.text = append(m.text, ':')
	m.text = event.AppendJSON(m.text, v)
}

// standIn fills in the time and the identity where the rule gives none.
func (m *maker) standIn(s *event.Schema, out *plan.Derived, time int64, id string) {
	given := func(name string) bool {
		return slices.ContainsFunc(out.Fields, func(f plan.Field) bool { return f.Name == name })
	}
	if s.TimeField != "" && !given(s.TimeField) {
		v := event.OfKind(event.Time, time)
		if s.TimeUnit != event.UnitNone {
			v = event.OfInt(time / int64(s.TimeUnit))
		}
		m.member(s.TimeField, v)
	}
	if s.IDField != "" && !given(s.IDField) {
		m.member(s.IDField, event.OfString(id))
	}
}
