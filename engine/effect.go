package engine

import (
	"bytes"
	"cmp"
	"slices"
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
)

// cause is what effects come from, in the order in which alerts are to come out: the
// ordinal of the input, timers before the event, then deadline, rule and key.
type cause struct {
	ordinal  int32
	event    bool // the event itself, not a timer before it
	deadline int64
	made     *derived // the event that a rule made, if it is the cause
	rule     int32
}

// effect is a match with its cause. What it points to is of its epoch: see made.
type effect struct {
	cause
	key      []byte
	seq      int // number among the effects of its shard in the epoch
	evidence []evidence
	machine.Effect
}

// evidence is an event of a match as an alert shows it.
type evidence struct {
	step int // see machine.Evidence
	time int64
	json []byte
}

// made are the effects of a shard in the epoch at hand. Their memory is used again in the
// next one, by when they are alerts in the outbox.
type made struct {
	list  []*effect
	spare []*effect
	texts texts
}

// mostSpare is how many effects are kept to be used again.
const mostSpare = 4096

// begin forgets the effects of the epoch before.
func (m *made) begin() {
	m.spare = append(m.spare, m.list[:min(len(m.list), max(0, mostSpare-len(m.spare)))]...)
	clear(m.list)
	m.list = m.list[:0]
	m.texts.reset()
}

// next makes room for an effect, the slices of an old one kept.
func (m *made) next() *effect {
	var c *effect
	if last := len(m.spare) - 1; last >= 0 {
		c, m.spare = m.spare[last], m.spare[:last]
	} else {
		c = new(effect)
	}
	m.list = append(m.list, c)
	return c
}

// collect takes an effect from a machine and copies all it points to: the batch and the
// kept events may go before it is rendered.
func (sh *shard) collect(e *machine.Effect) {
	m := &sh.made
	c := m.next()
	fields, by, shown := c.Fields[:0], c.SuppressBy[:0], c.evidence[:0]
	*c = effect{cause: sh.now, key: m.texts.copy(sh.x.Key), seq: len(m.list) - 1, Effect: *e}
	if c.AtDeadline {
		c.cause = cause{ordinal: sh.epoch.reached(c.Deadline), deadline: c.Deadline, rule: c.rule}
	} else if !c.event && c.made == nil {
		c.ordinal = sh.epoch.reached(c.deadline)
	}
	c.Fields, c.SuppressBy = m.own(fields, e.Fields), m.own(by, e.SuppressBy)
	c.Derived, c.Evidence = nil, nil
	for _, values := range e.Derived {
		c.Derived = append(c.Derived, m.own(nil, values))
	}
	for i := range e.Evidence {
		ev := &e.Evidence[i].Event
		shown = append(shown, evidence{step: e.Evidence[i].Step, time: ev.Time, json: m.texts.copy(ev.JSON())})
	}
	c.evidence = shown
}

// own appends copies of values with all they share with events.
func (m *made) own(to, list []event.Value) []event.Value {
	for _, v := range list {
		to = append(to, m.ownValue(v))
	}
	return to
}

func (m *made) ownValue(v event.Value) event.Value {
	if v.S != "" {
		text := m.texts.copy(unsafe.Slice(unsafe.StringData(v.S), len(v.S)))
		v.S = unsafe.String(unsafe.SliceData(text), len(text))
	}
	if v.C != nil {
		v.C = &event.Compound{Elems: m.own(nil, v.C.Elems), Names: v.C.Names}
	}
	return v
}

// texts holds copies of texts until it is reset.
type texts struct {
	chunks [][]byte
	at     int // the chunk being filled
}

// Texts are kept in chunks of this many bytes; longer ones by themselves. Of the chunks,
// some are kept to be used again.
const (
	textChunk  = 64 << 10
	mostChunks = 64
)

func (t *texts) reset() {
	clear(t.chunks[min(len(t.chunks), mostChunks):])
	t.chunks = t.chunks[:min(len(t.chunks), mostChunks)]
	for i := range t.chunks {
		t.chunks[i] = t.chunks[i][:0]
	}
	t.at = 0
}

// copy returns a copy of b.
func (t *texts) copy(b []byte) []byte {
	if len(b) > textChunk/4 {
		return bytes.Clone(b)
	}
	if t.at < len(t.chunks) && len(t.chunks[t.at])+len(b) > textChunk {
		t.at++
	}
	if t.at == len(t.chunks) {
		t.chunks = append(t.chunks, make([]byte, 0, textChunk))
	}
	c := &t.chunks[t.at]
	from := len(*c)
	*c = append(*c, b...)
	return (*c)[from:len(*c):len(*c)]
}

// inOrder sorts effects into the order of alerts.
func inOrder(list []*effect) { slices.SortFunc(list, compareEffects) }

// compareEffects orders effects by what caused them, then by rule, key and number of
// the match. An event that a rule made stands right after what caused it, with what it
// causes in its turn, before anything later.
func compareEffects(a, b *effect) int {
	return cmp.Or(
		comparePaths(&a.cause, &b.cause),
		cmp.Compare(a.rule, b.rule), bytes.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq),
	)
}

// comparePaths orders causes: first the event or time step of the epoch that they go
// back to, timers before the event, then deadline, then the events made on the way.
func comparePaths(a, b *cause) int {
	c := cmp.Or(
		cmp.Compare(a.ordinal, b.ordinal),
		compareBool(a.event, b.event),
		cmp.Compare(a.rootDeadline(), b.rootDeadline()),
	)
	if c != 0 || a.made == b.made {
		return c
	}
	x, y := a.made.path(nil), b.made.path(nil)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return cmp.Or(compareEffects(x[i].by, y[i].by), cmp.Compare(x[i].nth, y[i].nth))
		}
	}
	return cmp.Compare(len(x), len(y))
}

// rootDeadline is the deadline that a cause goes back to.
func (c *cause) rootDeadline() int64 {
	for c.made != nil {
		c = &c.made.by.cause
	}
	return c.deadline
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
