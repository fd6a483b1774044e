package story

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// progress is how far a run has got, with what kept it from going on.
type progress struct {
	key     string
	start   int64
	steps   uint64 // that have taken
	took    [mostTook]taking
	named   int // of took
	total   int64
	waits   waits
	failure *failure // nil: none
	failed  int      // parts that did not hold
	by      float64
	ended   string // empty: it is open
}

// Of millions of runs one is told of: what is kept of each is put into words in the end.
type (
	taking struct {
		step int
		at   int64
	}
	waits struct {
		next            uint64 // steps
		until, deadline int64
		lacks           int64
	}
)

// failure is a condition that did not hold, which runs of a key share. Its event is put into
// words where it is told.
type failure struct {
	at     int64
	typ    int32
	record []byte // nil: there was no event
	what   string
}

func (f *failure) text(t *Teller) string { return t.moment(f.at, f.typ, f.record) + ": " + f.what }

// judgement is a condition that did not hold, of a rule without runs or of one in which no
// run began.
type judgement struct {
	stage  int    // how far on the way to an alert it is asked
	before string // words
	failure
	failed int
	by     float64
}

// mostTook is how many events of a run are named one by one.
const mostTook = 6

func (t *Teller) progressed(s *machine.Sight) {
	key := t.key
	p := t.runs[key][s.Run]
	if p == nil {
		t.begun++
		p = &progress{key: key, start: s.Start}
		if t.runs[key] == nil {
			t.runs[key] = map[uint64]*progress{}
		}
		t.runs[key][s.Run] = p
	}
	if p.steps&(1<<s.Step) == 0 { // what kept it from an earlier step does so no more
		p.failure, p.failed, p.by = nil, math.MaxInt, 0
	}
	p.steps |= 1 << s.Step
	p.total, p.waits = s.Total, waitsOf(s)
	if p.named < mostTook {
		p.took[p.named] = taking{s.Step, s.At}
		p.named++
	}
	t.better(p)
}

// better keeps the run that has got furthest.
func (t *Teller) better(p *progress) {
	if b := t.best; b == nil || further(p, b) {
		t.best = p
	}
}

func further(p, b *progress) bool {
	n, m := bits.OnesCount64(p.steps), bits.OnesCount64(b.steps)
	return n > m || n == m && p.total >= b.total
}

// missedLocal notes what of the event alone keeps open runs from taking it.
func (t *Teller) missedLocal(s *machine.Sight) {
	if t.rule.Pattern == nil {
		return
	}
	key := t.key
	for i := range s.Asked {
		a := &s.Asked[i]
		if a.Holds || a.At == machine.AtHaving {
			continue
		}
		f := &failure{}
		for _, p := range t.runs[key] {
			if a.At == machine.AtWhere || p.waits.next&(1<<max(a.At, 0)) != 0 {
				t.failedBy(p, s, a, f)
			}
		}
	}
}

// failedBy keeps of the conditions that failed a run the one with the fewest parts that did
// not hold, by the least; of like ones the latest. f is that of the sight, told at first need.
func (t *Teller) failedBy(p *progress, s *machine.Sight, a *machine.Asked, f *failure) {
	n, by := failures(a.Checks), distance(a.Checks)
	if n > p.failed || n == p.failed && by > p.by {
		return
	}
	p.failed, p.by, p.failure = n, by, f
	if f.what == "" {
		*f = t.failed(s, a)
	}
}

// moment is a time with an event, if there is one.
func (t *Teller) moment(at int64, typ int32, record []byte) string {
	text := t.o.Time(at)
	if record != nil {
		text += " " + t.showEvent(typ, record)
	}
	return text
}

// failed says which condition did not hold, when, and at which event.
func (t *Teller) failed(s *machine.Sight, a *machine.Asked) failure {
	f := failure{at: s.At, what: t.place(a.At) + ": " + t.failing(a.Checks)}
	if s.Event != nil {
		f.typ, f.record = s.Event.Type, slices.Clone(s.Event.JSON())
	}
	return f
}

func failures(checks []machine.Check) (n int) {
	for i := range checks {
		if !checks[i].Holds {
			n++
		}
	}
	return n
}

// missedAsked notes a condition that looks at a run and does not hold.
func (t *Teller) missedAsked(s *machine.Sight, a *machine.Asked) {
	if a.Holds || a.At == machine.AtUntil {
		return
	}
	p := t.runs[t.key][s.Run]
	switch {
	case p == nil && a.At >= 0:
		t.nearer(s, a, noRun)
	case p != nil && (a.At == machine.AtHaving || p.waits.next&(1<<max(a.At, 0)) != 0):
		t.failedBy(p, s, a, &failure{})
	}
}

// missedStart notes the event that came nearest to beginning a run.
func (t *Teller) missedStart(s *machine.Sight) {
	for i := range s.Asked {
		a := &s.Asked[i]
		switch {
		case a.Holds:
		case a.At == machine.AtWhere:
			t.nearer(s, a, func() string { return "" })
		case t.begun == 0 && a.At == t.first:
			t.nearer(s, a, noRun)
		}
	}
}

func noRun() string { return "no run began: " }

// nearer keeps the judgement that was asked last on the way to an alert; of those the one
// with the fewest parts that failed, and by the least; of like ones the latest.
func (t *Teller) nearer(s *machine.Sight, a *machine.Asked, what func() string) {
	j := judgement{stage: stageOf(a), failed: failures(a.Checks), by: distance(a.Checks)}
	if !t.isNearer(&j) {
		return
	}
	j.before, j.failure = what()+"at ", t.failed(s, a)
	t.miss = &j
}

// isNearer reports that no judgement yet was nearer.
func (t *Teller) isNearer(j *judgement) bool { return t.miss == nil || j.compare(t.miss) >= 0 }

// missedKept notes an event that an earlier one keeps from beginning a run.
func (t *Teller) missedKept(s *machine.Sight, why string) {
	if j := (&judgement{stage: 1}); t.isNearer(j) {
		j.before, j.failure = noRun()+"at ", failure{s.At, s.Event.Type, slices.Clone(s.Event.JSON()), why}
		t.miss = j
	}
}

// stageOf orders what is asked on the way to an alert: of each event, of the first step, of
// what came together.
func stageOf(a *machine.Asked) int {
	switch a.At {
	case machine.AtWhere:
		return 0
	case machine.AtHaving:
		return 2
	}
	return 1
}

// compare is positive where j is nearer to an alert than another judgement, 0 where as near.
func (j *judgement) compare(other *judgement) int {
	return cmp.Or(cmp.Compare(j.stage, other.stage), cmp.Compare(other.failed, j.failed), cmp.Compare(other.by, j.by))
}

// distance is how far numbers are apart in the comparisons that failed, at most 1 each.
func distance(checks []machine.Check) (sum float64) {
	for i := range checks {
		c := &checks[i]
		if c.Holds {
			continue
		}
		x, y, ok := numbers(c)
		if size := math.Max(math.Abs(x), math.Abs(y)); ok && size > 0 {
			sum += math.Min(math.Abs(x-y)/size, 1)
		} else {
			sum++
		}
	}
	return sum
}

func numbers(c *machine.Check) (x, y float64, ok bool) {
	if len(c.Sides) != 2 {
		return 0, 0, false
	}
	x, okX := number(c.Sides[0].Value)
	y, okY := number(c.Sides[1].Value)
	return x, y, okX && okY
}

func number(v event.Value) (float64, bool) {
	switch v.Kind {
	case event.Float:
		return v.Float(), true
	case event.Int, event.Duration, event.Time:
		return float64(v.Int()), true
	}
	return 0, false
}

// missedJudgement notes a window, or the event of a filter, for which having does not hold.
func (t *Teller) missedJudgement(s *machine.Sight) {
	if s.Held {
		return
	}
	t.nearer(s, &s.Asked[0], func() string {
		if len(t.rule.Windows) == 0 {
			return ""
		}
		return "the window of " + t.ofKey(t.key) + t.span(s) + " has " + t.aggregates(s.Aggs) + " "
	})
}

func (t *Teller) ofKey(key string) string {
	if key == "" {
		return "the rule"
	}
	return key
}

// finished notes the end of a run. Runs that are over are forgotten, but the best one.
func (t *Teller) finished(s *machine.Sight) {
	key := t.key
	p := t.runs[key][s.Run]
	if p == nil {
		return
	}
	if delete(t.runs[key], s.Run); len(t.runs[key]) == 0 {
		delete(t.runs, key)
	}
	switch {
	case p != t.best:
	case s.Why == machine.WhyMatched:
		t.best = nil // of the others the next one that moves
	default:
		p.ended = "it ended at " + t.o.Time(endOf(s)) + ": " + t.why(s)
	}
}

// endOf is when a run ended: that its time is over is seen later.
func endOf(s *machine.Sight) int64 {
	if s.Why == machine.WhyTime {
		return min(s.At, s.Until)
	}
	return s.At
}

// Miss tells what came nearest to an alert and was none, in lines; nil: nothing came.
func (t *Teller) Miss() []string {
	switch {
	case t.best != nil:
		return t.best.lines(t)
	case t.miss != nil:
		return []string{t.miss.before + t.miss.text(t)}
	case t.Events == 0:
		return []string{"no event of the rule came: it reads " + t.reads() + t.byKey()}
	case t.rule.Pattern != nil && t.rule.Pattern.Select == plan.SelectAll:
		return []string{"none of its " + eventsOf(t.Events) + " made a combination whole"}
	case t.rule.Pattern != nil && t.begun == 0 && t.first >= 0:
		return []string{"no event could begin a run: that takes " + t.stepName(t.first) + ", of the type " + t.typeOf(t.first)}
	case len(t.rule.Windows) > 0 && len(t.Matches) == 0:
		return []string{"no window with its " + eventsOf(t.Events) + " has closed: time has not come so far"}
	}
	return nil
}

func (t *Teller) byKey() string {
	if len(t.rule.Keys) == 0 {
		return ""
	}
	return ", by a key that is not nil"
}

func (t *Teller) typeOf(step int) string {
	return t.o.Types[t.rule.Pattern.Steps[step].Type].Schema.Name
}

func eventsOf(events int) string {
	if events == 1 {
		return "1 event"
	}
	return strconv.Itoa(events) + " events"
}

// reads names the event types of the rule.
func (t *Teller) reads() string {
	var names []string
	for _, in := range t.rule.Inputs {
		names = append(names, t.o.Types[in.Type].Schema.Name)
	}
	return strings.Join(names, ", ")
}

func (p *progress) lines(t *Teller) []string {
	out := []string{fmt.Sprintf("the run of %s that began at %s took %s%s", t.ofKey(p.key), t.o.Time(p.start), p.taken(t), t.waiting(p.waits))}
	if p.failure != nil {
		out = append(out, "at "+p.failure.text(t))
	}
	if p.ended != "" {
		return append(out, p.ended)
	}
	return append(out, "it is still open")
}

// taken names the first events of the run.
func (p *progress) taken(t *Teller) string {
	var took []string
	for _, x := range p.took[:p.named] {
		took = append(took, t.stepName(x.step)+" at "+t.o.Time(x.at))
	}
	text := strings.Join(took, ", ")
	if more := p.total - int64(p.named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
