package machine

import (
	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// CompileGeneral compiles a pattern for the general machine, whatever its shape.
func CompileGeneral(rule *plan.Rule, c eval.Compiler) (*Pattern, error) {
	return compilePattern(rule, c)
}

// Counts reports that having follows from the number of events.
func (w *Window) Counts() bool { return w.counted != nil }

// Asking is the window with its having asked for as an expression.
func Asking(w *Window) *Window {
	asks := *w
	asks.counted = nil
	return &asks
}

// IsLine reports whether the runs of a pattern wait in rooms.
func (p *Pattern) IsLine() bool { return p.line != nil }

// CompileHeaps compiles a pattern whose ordered rooms have heaps and tables from the first run on.
func CompileHeaps(rule *plan.Rule, c eval.Compiler) (*Pattern, error) {
	p, err := CompilePattern(rule, c)
	if err == nil && p.line != nil {
		for i := range p.line.rooms {
			if o := p.line.rooms[i].order; o != nil {
				o.indexAt = 0
			}
		}
	}
	return p, err
}

// RecordKinds names all kinds of records.
func RecordKinds() (names []string) {
	for k := recordOfPattern; k < endOfRecordKinds; k++ {
		names = append(names, k.String())
	}
	return names
}

// KindOf names the kind of a record.
func KindOf(record []byte) string { return recordKind(record[0]).String() }

// Awaited are, by run of a key, the steps that the run is shown to wait for, and those by
// which the machine would take the next event, each asked for alone. The pattern has no
// conditions and no gaps.
func (p *Pattern) Awaited(x *Context, k *PatternKey) (shown, taken []uint64) {
	if k.general == nil {
		return nil, nil
	}
	for i := range k.runs {
		r := &k.runs[i]
		next, _ := p.awaits(r)
		shown, taken = append(shown, next), append(taken, p.wouldTake(x, k, r))
	}
	return shown, taken
}

func (p *Pattern) wouldTake(x *Context, k *PatternKey, r *run) (steps uint64) {
	for step := range p.leafAt {
		a := asker{p: p, x: x, k: k, r: r, now: r.last, mask: 1 << step}
		if len(p.ways(&a, &p.stages[r.stage], nil)) > 0 {
			steps |= 1 << step
		}
	}
	return steps
}
