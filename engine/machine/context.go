package machine

import (
	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Limits bounds what a key may remember. Zero fields take the defaults.
type Limits struct {
	KeysPerRule     int // keys that a rule remembers; default 10,000,000
	RunsPerKey      int // open runs of a key and rule; default 10,000
	EventsPerRun    int // events that one repeated step keeps; default 10,000
	EventsPerWindow int // values that one window of a key remembers one by one, events that a match all counts from; default 1,000,000
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.KeysPerRule == 0 {
		l.KeysPerRule = 10_000_000
	}
	if l.RunsPerKey == 0 {
		l.RunsPerKey = 10_000
	}
	if l.EventsPerRun == 0 {
		l.EventsPerRun = 10_000
	}
	if l.EventsPerWindow == 0 {
		l.EventsPerWindow = 1_000_000
	}
	return l
}

// Context is what the machines of one shard work with. One goroutine owns it.
type Context struct {
	Frame  eval.Frame
	Keep   *keep.Store
	Limits Limits
	Codec  EventCodec    // for Append and Decode
	Since  int64         // for Append and Decode: when the key's last event counted
	Key    []byte        // the key at hand, in the form of event.AppendKey
	Effect func(*Effect) // takes an effect; it is the machine's again after the call
	Watch  func(*Sight)  // takes what watched machines tell; nil where there are none

	Dropped Dropped // of the rule at hand; the shard reads and clears it

	Log keep.Log // what windows show of events

	heldAs     keep.Ref   // the copy of the event at hand; 0: none yet
	shows      keep.Shown // what is shown of it, as long as anyone holds that; 0: nothing yet
	identities identities
	ident      [2]uint64 // hash of its identity, if known
	known      bool

	views      []event.Event // two a step of the frame: its first and last event
	lists      []listView    // one a step
	run        runAggs
	window     windowAggs
	row        rowAggs
	bucket     bucketAggs
	keyVals    []event.Value
	parsed     bool // a pattern has read the key at hand into keyVals
	effect     Effect
	done       []int
	alts       []alt
	taken      []taken
	pools      poolScratch
	point      []byte
	spareRuns  []run
	spareKeys  []*general
	takenOther []taken
	lines      map[*Pattern]*lineStore
	writer     *recordWriter // that serves again; nil: none
	reader     *recordReader
	lineRun    run        // see Pattern.show
	lineView   PatternKey // holds the lists that it points to
	done32     []int32    // runs of a line that are complete
	found      []int32    // runs of a room
	seen       event.Event
	args       []windows.Arg
	rooms      keep.Blobs // of trails
	spareOpen  windows.Spare
	shown      []keep.Shown
}

// Dropped counts what limits have thrown away.
type Dropped struct {
	Runs, RunEvents, WindowEvents uint64
	Keys                          uint64
}

// Bytes is the room that kept events, trails and the runs of lines take, in bytes: what
// keys remember apart from their own values and what these point to.
func (x *Context) Bytes() int64 {
	n := x.Keep.Bytes() + x.Log.Bytes() + x.rooms.Bytes()
	for _, s := range x.lines {
		n += s.bytes()
	}
	return n
}

// Room is the memory that Bytes is a part of: what was freed and not yet used again too.
func (x *Context) Room() int64 {
	n := x.Keep.Room() + x.Log.Room() + x.rooms.Room()
	for _, s := range x.lines {
		n += s.bytes()
	}
	return n
}

// Begin starts the work on one event: nothing of it is kept yet.
func (x *Context) Begin() { x.known, x.shows = false, 0 }

// End ends the work on the event at hand.
func (x *Context) End() {
	if x.heldAs != 0 {
		x.Keep.Release(x.heldAs)
	}
	x.heldAs, x.shows = 0, 0
}

// Turn ends the work on the event at hand and begins that on another.
func (x *Context) Turn() {
	if x.heldAs != 0 {
		x.End()
	}
	x.known, x.shows = false, 0
}

// BeforeDecode is to be called before a record is decoded while an event is at hand: the
// events of the record come before it, so that a copy made of it already does not serve
// any more; and what was shown of it, and nobody holds any more, may become the name of
// another.
func (x *Context) BeforeDecode() {
	if x.heldAs != 0 {
		x.Keep.Release(x.heldAs)
		x.heldAs = 0
	}
	if x.shows != 0 && !x.Log.IsHeld(x.shows) {
		x.shows = 0
	}
}

// hold keeps ev, the event at hand, for one more holder. All machines of a shard
// share one copy.
func (x *Context) hold(ev *event.Event) keep.Ref {
	if x.heldAs == 0 {
		x.heldAs = x.Keep.Hold(ev)
	}
	return x.Keep.Share(x.heldAs)
}

// show keeps what an alert shows of ev, the event at hand, for one more holder. All
// windows of a shard share one copy, unless the others have let go of it already.
func (x *Context) show(ev *event.Event) keep.Shown {
	if x.shows != 0 && x.Log.IsHeld(x.shows) {
		return x.Log.Share(x.shows)
	}
	x.shows = x.Log.Hold(ev)
	return x.shows
}

// identity hashes the identity of ev, the event at hand, once for all machines.
func (x *Context) identity(ev *event.Event) [2]uint64 {
	if !x.known {
		x.ident, x.known = x.identities.of(x.Frame.World, ev), true
	}
	return x.ident
}

// keys fills the frame's key values from the key at hand.
func (x *Context) keys(parts []plan.Key) {
	if len(parts) == 0 {
		return
	}
	var err error
	if x.keyVals, err = event.ParseKey(x.keyVals[:0], x.Key); err != nil {
		panic("machine: " + err.Error()) // keys are made by event.AppendKey alone
	}
	x.Frame.Keys = x.keyVals
}

// Effect is a match of a rule, before it is an alert. It and all it points to are
// valid during the call only.
type Effect struct {
	Time       int64 // of the alert
	Start, End int64 // own times of the first and the last event
	Deadline   int64 // the deadline that the match rests on, if AtDeadline
	AtDeadline bool

	Window                 bool // WindowStart and WindowEnd are set
	WindowStart, WindowEnd int64

	// ID is a fold of the identities of what matched, in order (see fold).
	ID ID

	Fields     []event.Value
	SuppressBy []event.Value
	Derived    [][]event.Value // fields of each `emit EVENT`
	Evidence   []Evidence      // at most 20
	Total      int64           // events in all
	Saturated  bool            // match all: the number of matches is at its greatest, 2^63-1
}

// Evidence is one event of a match. In rules over windows it has its record, times and
// place alone: see [keep.Log].
type Evidence struct {
	Step  int // number of the step; -1 in rules without steps
	Event event.Event
}

// evidenceEnds is how many events a repeated step and an alert keep of the first
// ones, and of the last ones.
const evidenceEnds = 10

// MaxEvidence is how many events an alert carries.
const MaxEvidence = 2 * evidenceEnds

// Add adds what another counted.
func (d *Dropped) Add(o Dropped) {
	d.Runs += o.Runs
	d.RunEvents += o.RunEvents
	d.WindowEvents += o.WindowEvents
	d.Keys += o.Keys
}
