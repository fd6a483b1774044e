package machine

import (
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/windows"
)

// windowAggs gives the aggregates over a key's windows, as [eval.Aggregates].
type windowAggs struct {
	w *Window
	k *WindowKey
}

// of finds an aggregate: its program, its number there, and its state; nil where the
// number of events says all.
func (a *windowAggs) of(i int) (*windows.Program, int, *windows.State) {
	at := a.w.at[i]
	p := &a.w.parts[at.part]
	if p.state < 0 {
		return p.program, at.agg, nil
	}
	return p.program, at.agg, &a.k.more.states[p.state]
}

// Agg implements [eval.Aggregates].
func (a *windowAggs) Agg(i int) event.Value {
	p, agg, s := a.of(i)
	if s == nil {
		return p.OfCount(a.w.size(a.k, a.w.at[i].part), agg)
	}
	return p.Result(s, agg)
}

// Whole implements [eval.Aggregates].
func (a *windowAggs) Whole(i int) (int64, bool) {
	if a.w.alone {
		return int64(a.k.live), true
	}
	p, agg, s := a.of(i)
	if s == nil {
		return int64(a.w.size(a.k, a.w.at[i].part)), true
	}
	return p.Whole(s, agg)
}

// Float implements [eval.Aggregates].
func (a *windowAggs) Float(i int) (float64, bool) {
	p, agg, s := a.of(i)
	if s == nil {
		return floatOf(p.OfCount(a.w.size(a.k, a.w.at[i].part), agg))
	}
	return p.Float(s, agg)
}

// bucketAggs gives the aggregates over one open window, as [eval.Aggregates].
type bucketAggs struct {
	b     *Bucket
	state *windows.State
}

// Agg implements [eval.Aggregates].
func (a *bucketAggs) Agg(i int) event.Value { return a.b.program.Result(a.state, a.b.reads.at[i].agg) }

// Whole implements [eval.Aggregates].
func (a *bucketAggs) Whole(i int) (int64, bool) {
	return a.b.program.Whole(a.state, a.b.reads.at[i].agg)
}

// Float implements [eval.Aggregates].
func (a *bucketAggs) Float(i int) (float64, bool) {
	return a.b.program.Float(a.state, a.b.reads.at[i].agg)
}

// rowAggs gives the aggregates of a row, as [eval.Aggregates].
type rowAggs struct {
	p *Projection
	k *ProjectionKey
}

// Agg implements [eval.Aggregates].
func (a *rowAggs) Agg(i int) event.Value { return a.p.program.Result(&a.k.row, i) }

// Whole implements [eval.Aggregates].
func (a *rowAggs) Whole(i int) (int64, bool) { return a.p.program.Whole(&a.k.row, i) }

// Float implements [eval.Aggregates].
func (a *rowAggs) Float(i int) (float64, bool) { return a.p.program.Float(&a.k.row, i) }

// Whole implements [eval.Aggregates].
func (a *runAggs) Whole(i int) (int64, bool) {
	v := a.Agg(i)
	return int64(v.N), !v.IsNil()
}

// Float implements [eval.Aggregates].
func (a *runAggs) Float(i int) (float64, bool) { return floatOf(a.Agg(i)) }

// floatOf unpacks a float, or nil.
func floatOf(v event.Value) (float64, bool) { return v.Float(), !v.IsNil() }
