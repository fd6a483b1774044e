package engine

import (
	"time"

	"github.com/cepheus-cep/cepheus/engine/machine"
)

// Timing is how long an epoch took, known when it is durable.
type Timing struct {
	Epoch  time.Duration // from its first record on; of an epoch without one, from its commit on
	Commit time.Duration // of that, until it was written, and shown to Options.Committed
	Alerts []AlertTiming // of its rounds that gave some
}

// AlertTiming is how long alerts took from when the batches of events that they came with
// were there until they were durable. Where events wait for their time, that is in it.
type AlertTiming struct {
	N    uint64
	Took time.Duration // of the batch that had been there longest
}

const (
	// timedRounds is how many rounds there are, about, for each of which the time of rules is
	// taken: two looks at a clock an event would else cost as much as a rule. Which ones
	// follows from their numbers, but in no rhythm that events could have as well.
	timedRounds = 1 << timedBits
	timedBits   = 6
	scatter     = 0x9e3779b97f4a7c15
	// weighEvery is how often it is looked at what rules remember, by samples of weighedKeys.
	weighEvery  = 5 * time.Second
	weighedKeys = 64
)

// timing takes the time of epochs, for Options.Timing.
type timing struct {
	to      func(*Timing) // nil: nobody wants to know
	now     func() time.Time
	rounds  uint64
	weighed time.Time
	hand    epochTiming // at hand
	flying  epochTiming // being written
	what    Timing
}

// epochTiming is what is to be known of an epoch when it is durable.
type epochTiming struct {
	begun  time.Time
	rounds []roundTiming
}

type roundTiming struct {
	alerts uint64
	came   time.Time
}

// begin begins a round: now and then the shards take the time of rules.
func (t *timing) begin(shards []*shard) {
	if t.to == nil {
		return
	}
	t.rounds++
	for _, sh := range shards {
		sh.takesTime(t.rounds*scatter>>(64-timedBits) == 0, t.now)
	}
}

// end ends a round that gave alerts.
func (t *timing) end(ep *epoch, alerts uint64) {
	if t.to == nil || alerts == 0 {
		return
	}
	came := t.now()
	for _, j := range ep.jobs {
		if j.came.Before(came) {
			came = j.came
		}
	}
	t.hand.rounds = append(t.hand.rounds, roundTiming{alerts, came})
}

// launch says that the epoch at hand is being written.
func (t *timing) launch(ep *epoch) {
	if t.to == nil {
		return
	}
	if t.hand.begun = ep.begun; ep.taken == 0 {
		t.hand.begun = t.now()
	}
	t.flying, t.hand = t.hand, epochTiming{rounds: t.flying.rounds[:0]}
}

// land says that the epoch that was being written is durable, which took so long.
func (t *timing) land(commit time.Duration) {
	if t.to == nil {
		return
	}
	now := t.now()
	t.what = Timing{Epoch: now.Sub(t.flying.begun), Commit: commit, Alerts: t.what.Alerts[:0]}
	for _, r := range t.flying.rounds {
		t.what.Alerts = append(t.what.Alerts, AlertTiming{r.alerts, now.Sub(r.came)})
	}
	t.to(&t.what)
}

// weigh brings up to date what is known of what rules take, if it is time to.
func (e *Engine) weigh() {
	t := &e.timing
	if t.to == nil || t.now().Sub(t.weighed) < weighEvery {
		return
	}
	t.weighed = t.now()
	for n := range e.stats.Rules {
		r := &e.stats.Rules[n]
		r.Runs, r.Bytes = 0, 0
		for _, sh := range e.shards {
			if u := sh.units[n]; u != nil {
				runs, bytes := u.weigh()
				r.Runs, r.Bytes = r.Runs+runs, r.Bytes+bytes
			}
		}
	}
}

// takesTime has the shard take the time of rules in a round, or not.
func (sh *shard) takesTime(yes bool, now func() time.Time) {
	sh.tick = nil
	if yes {
		sh.tick = now
	}
}

// stopwatch is when something begins of which the time is taken; zero: it is not.
func (sh *shard) stopwatch() time.Time {
	if sh.tick == nil {
		return time.Time{}
	}
	return sh.tick()
}

// spend books what a rule took since then.
func (sh *shard) spend(rule int32, from time.Time) {
	if sh.tick == nil {
		return
	}
	for len(sh.spent) < len(sh.rules) {
		sh.spent = append(sh.spent, 0)
	}
	sh.spent[rule] += sh.tick().Sub(from)
}

// bookSpent adds what the shards have measured to the rules' totals.
func (e *Engine) bookSpent() {
	for _, sh := range e.shards {
		for n, d := range sh.spent {
			e.stats.Rules[n].Evaluated += d * timedRounds
		}
		sh.spent = sh.spent[:0]
	}
}

func (u *filterUnit) weigh() (runs, bytes int64) { return 0, 0 }

// weigh is how many runs are open of keys in memory, and what these take, by a sample; what
// the shard's rules share, such as kept events, is not in it.
func (u *keyed[K, M]) weigh() (runs, bytes int64) {
	bytes = u.bytes(weighedKeys)
	p, ok := any(u).(*keyed[machine.PatternKey, *machine.Pattern])
	if !ok {
		return 0, bytes
	}
	n := int64(0)
	for id := int32(0); id < p.table.keys.n; id += 1 + p.table.keys.n/weighedKeys {
		if p.table.isKey(id) {
			runs += int64(p.table.at(id).state.Runs())
			n++
		}
	}
	return runs * int64(p.table.len()) / max(n, 1), bytes
}
