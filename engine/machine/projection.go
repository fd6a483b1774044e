package machine

import (
	"math"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Projection is the compiled form of a projection: aggregates by key. Events of its type
// feed it, and events of any type may ask for a row, which is as it was before them.
type Projection struct {
	plan    *plan.Projection
	keys    []plan.Key
	program *windows.Program
	where   func(*eval.Frame) bool // what the index could not test; nil: nothing
	args    []argument
	names   []string
	fields  []func(*eval.Frame) event.Value
	asks    []ask
}

// ask is a read of the projection by events of one type.
type ask struct {
	typ  int
	read int // its place among the reads of the type: index into event.Event.Side
	key  *plan.Expr
}

// feeds is the bit of an event that feeds the projection; the lower ones are its asks.
const feeds = 1 << 63

// MaxAsks is how many different reads a projection may have in a rule set.
const MaxAsks = 63

// ProjectionKey is what a projection remembers of one key: its row.
type ProjectionKey struct {
	row  windows.State
	last int64 // counting time of the last event that fed it
}

// CompileProjection compiles projection number n of a set that checks.
func CompileProjection(set *plan.Set, n int, c eval.Compiler) (*Projection, error) {
	pl := set.Projections[n]
	p := &Projection{plan: pl, keys: []plan.Key{{Type: pl.KeyType}}}
	for typ, reads := range set.Reads {
		for i, r := range reads {
			if r.Projection == n {
				p.asks = append(p.asks, ask{typ: typ, read: i, key: r.Key})
			}
		}
	}
	c.Event = pl.Type
	if _, rest := split(pl.Where); len(rest) > 0 {
		p.where = c.Bool(Conjunction(rest))
	}
	for _, a := range pl.Args {
		p.args = append(p.args, compileArgument(c, a))
	}
	c.Event = -1
	for _, f := range pl.Fields {
		p.names = append(p.names, f.Name)
		p.fields = append(p.fields, c.Value(f.Expr))
	}
	var err error
	p.program, err = windows.NewAcc(aggregatesOf(pl.Aggs, pl.Args, func(i, j int) bool {
		return sameExpr(pl.Args[i].Value, pl.Args[j].Value) && pl.Args[i].Cond == nil && pl.Args[j].Cond == nil
	}))
	return p, err
}

// Tests lists what engine/index must test for the projection.
func (p *Projection) Tests() []Test {
	local, _ := split(p.plan.Where)
	out := []Test{{Type: p.plan.Type, Cond: local, Key: []*plan.Expr{p.plan.Key}, Bit: feeds}}
	for i, a := range p.asks {
		out = append(out, Test{Type: a.typ, Key: []*plan.Expr{a.key}, Bit: 1 << i})
	}
	return out
}

// Event answers what the event asks, then lets it feed the row. It returns as
// [Pattern.Event] does.
func (p *Projection) Event(x *Context, k *ProjectionKey, ev *event.Event, mask uint64, _ bool) int64 {
	if p.see(x, k, ev, mask); p.Empty(k) {
		return Gone
	}
	return p.Deadline(k)
}

func (p *Projection) see(x *Context, k *ProjectionKey, ev *event.Event, mask uint64) {
	p.Settle(x, k, ev.At)
	x.Frame.Event = ev
	for i := range p.asks {
		if mask&(1<<i) != 0 {
			ev.Side[p.asks[i].read] = p.Row(x, k)
		}
	}
	if mask&feeds == 0 || p.where != nil && !p.where(&x.Frame) {
		return
	}
	if !p.program.AddAtMost(&k.row, ev.At, x.arguments(p.args), x.Limits.EventsPerWindow) {
		x.Dropped.WindowEvents++
	}
	k.last = ev.At
}

// Row is the row of the key at hand, owning all it points to; nil where there is none.
func (p *Projection) Row(x *Context, k *ProjectionKey) event.Value {
	if p.Empty(k) {
		return event.Value{}
	}
	x.keys(p.keys)
	x.row = rowAggs{p: p, k: k}
	x.Frame.Aggs = &x.row
	row := &event.Compound{Names: p.names, Elems: make([]event.Value, len(p.fields))}
	for i, f := range p.fields {
		row.Elems[i] = f(&x.Frame)
	}
	return event.Value{Kind: event.Record, C: row}
}

// Empty reports whether there is no row.
func (p *Projection) Empty(k *ProjectionKey) bool { return p.program.Len(&k.row) == 0 }

// Settle drops the row if its time is over.
func (p *Projection) Settle(_ *Context, k *ProjectionKey, now int64) {
	if p.Deadline(k) <= now {
		*k = ProjectionKey{}
	}
}

// Deadline is when the row goes if nothing feeds it; math.MaxInt64: never.
func (p *Projection) Deadline(k *ProjectionKey) int64 {
	if p.plan.Keep == 0 || p.Empty(k) {
		return math.MaxInt64
	}
	return later(k.last, p.plan.Keep)
}

// Release lets go of all that the key holds.
func (p *Projection) Release(_ *Context, k *ProjectionKey) { *k = ProjectionKey{} }

// Append appends the record of a key.
func (p *Projection) Append(x *Context, b []byte, k *ProjectionKey) []byte {
	out := newRecordWriter(x, recordOfTable)
	out.time(k.last)
	out.state(p.program, &k.row)
	return out.finish(b)
}

// Decode reads what Append wrote into a key that is empty.
func (p *Projection) Decode(x *Context, b []byte, k *ProjectionKey) error {
	in := newRecordReader(x, b, recordOfTable)
	k.last = in.time()
	in.state(p.program, &k.row)
	return in.finish()
}
