package backtest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// Tally counts alerts.
type Tally struct {
	Keep   bool // alerts, to be compared
	Alerts uint64

	rules map[string]*RuleCount
	hours map[int64]uint64
	keys  map[Key]uint64
	over  uint64 // alerts of keys beyond the most
	kept  []Kept
}

// Hour is the span by which alerts are counted, in nanoseconds.
const Hour = 3600 * int64(1e9)

// MostKeys is how many keys are counted; alerts of others are counted together.
const MostKeys = 1_000_000

// RuleCount is what came of one rule.
type RuleCount struct {
	Rule     string           `json:"rule"`
	Severity string           `json:"severity,omitempty"`
	Alerts   uint64           `json:"alerts"`
	Hours    map[int64]uint64 `json:"-"` // by start of the hour
}

// Key is a key of a rule, as text.
type Key struct {
	Rule string `json:"rule"`
	Key  string `json:"key"`
}

// KeyCount is how many alerts a key had.
type KeyCount struct {
	Key
	Alerts uint64 `json:"alerts"`
}

// HourCount is how many alerts an hour, or a longer span, had.
type HourCount struct {
	Start  int64
	Alerts uint64
}

// Kept is what is kept of an alert.
type Kept struct {
	Key
	Time int64
	ID   string
}

// New makes a tally.
func New() *Tally {
	return &Tally{rules: map[string]*RuleCount{}, hours: map[int64]uint64{}, keys: map[Key]uint64{}}
}

// Add counts an alert; nothing of it is kept but copies.
func (t *Tally) Add(a *event.Alert) {
	t.Alerts++
	r := t.rules[a.Rule]
	if r == nil {
		r = &RuleCount{Rule: a.Rule, Severity: a.Severity, Hours: map[int64]uint64{}}
		t.rules[a.Rule] = r
	}
	hour := floor(a.Time, Hour)
	r.Alerts++
	r.Hours[hour]++
	t.hours[hour]++
	key := Key{a.Rule, KeyText(a.Key)}
	if _, known := t.keys[key]; known || len(t.keys) < MostKeys {
		t.keys[key]++
	} else {
		t.over++
	}
	if t.Keep {
		t.kept = append(t.kept, Kept{Key: key, Time: a.Time, ID: strings.Clone(a.ID)})
	}
}

func floor(t, span int64) int64 {
	n := t / span
	if t%span < 0 {
		n--
	}
	return n * span
}

// KeyText writes a key: card=c1, country=AT.
func KeyText(key []event.Named) string {
	var parts []string
	for _, k := range key {
		v := strings.Trim(string(event.AppendJSON(nil, k.Value)), `"`)
		parts = append(parts, k.Name+"="+v)
	}
	return strings.Join(parts, ", ")
}

// Rule is what came of a rule; none: nothing did.
func (t *Tally) Rule(name string) RuleCount {
	if r := t.rules[name]; r != nil {
		return *r
	}
	return RuleCount{Rule: name}
}

// Hours are the spans from the first alert to the last, those without any among them: hours,
// or, where there would be more than most, days, or weeks.
func (t *Tally) Hours(most int) (list []HourCount, span int64) {
	if len(t.hours) == 0 {
		return nil, Hour
	}
	first, last := int64(0), int64(0)
	for h := range t.hours {
		if len(list) == 0 || h < first {
			first = h
		}
		if len(list) == 0 || h > last {
			last = h
		}
		list = append(list, HourCount{})
	}
	span = Hour
	for _, longer := range []int64{24 * Hour, 7 * 24 * Hour, 364 * 24 * Hour} {
		if (last-first)/span >= int64(most) {
			span = longer
		}
	}
	list = nil
	for at := floor(first, span); at <= last; at += span {
		list = append(list, HourCount{Start: at})
	}
	for h, n := range t.hours {
		list[(floor(h, span)-floor(first, span))/span].Alerts += n
	}
	return list, span
}

// Top are the keys with the most alerts, at most n.
func (t *Tally) Top(n int) []KeyCount {
	var list []KeyCount
	for k, alerts := range t.keys {
		list = append(list, KeyCount{k, alerts})
	}
	slices.SortFunc(list, func(a, b KeyCount) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Key.Key, b.Key.Key))
	})
	return list[:min(n, len(list))]
}

// Change is how the alerts of two rule sets differ.
type Change struct {
	Same     int     `json:"same"`
	Appeared []Kept  `json:"appeared"`
	Vanished []Kept  `json:"vanished"`
	Moved    []Moved `json:"moved"`
}

// Moved is an alert of a rule and key that came at another time, or rests on other events.
type Moved struct {
	Key
	From, To int64
}

// Compare says what a rule set gives that was otherwise before, in order of time.
func Compare(before, after *Tally) *Change {
	c := &Change{Appeared: []Kept{}, Vanished: []Kept{}, Moved: []Moved{}}
	count := map[string]int{}
	for _, k := range before.kept {
		count[k.ID]++
	}
	fresh := map[Key][]Kept{}
	for _, k := range after.kept {
		if count[k.ID] > 0 {
			count[k.ID]--
			c.Same++
			continue
		}
		fresh[k.Key] = append(fresh[k.Key], k)
	}
	for _, k := range before.kept {
		if count[k.ID] == 0 {
			continue
		}
		count[k.ID]--
		if list := fresh[k.Key]; len(list) > 0 {
			c.Moved = append(c.Moved, Moved{k.Key, k.Time, list[0].Time})
			fresh[k.Key] = list[1:]
			continue
		}
		c.Vanished = append(c.Vanished, k)
	}
	for _, list := range fresh {
		c.Appeared = append(c.Appeared, list...)
	}
	slices.SortFunc(c.Appeared, func(a, b Kept) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID)) })
	return c
}
