package enginetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/enginetest"
	"github.com/cepheus-cep/cepheus/state"
)

// endRule is a rule over a window that is evaluated at its end.
type endRule struct {
	kind             string
	size, every, max int
	early, once      bool
	least            int // having sum(n) >= least
}

func (r endRule) String() string {
	text := fmt.Sprintf("%s %ds", r.kind, r.size)
	switch {
	case r.kind == "batch":
		text = fmt.Sprintf("batch %d", r.size)
	case r.kind == "hopping":
		text += fmt.Sprintf(" every %ds", r.every)
	case r.max > 0:
		text += fmt.Sprintf(" max %ds", r.max)
	}
	if r.early {
		text += " early"
	}
	text += fmt.Sprintf(" having sum(n) >= %d", r.least)
	if r.once {
		text += " once"
	}
	return fmt.Sprintf("rule r { from a by k window %s emit { s: sum(n) } }", text)
}

// endEvent is one event: its place in the stream, key, second and number.
type endEvent struct {
	no, at, n int
	key       string
}

// endWindow is one window of a finished stream with all its events.
type endWindow struct {
	start, end int
	events     []endEvent
}

// windowsOf lists the windows over the events of one key, in order of their starts, by
// going through all that there could be.
func (r endRule) windowsOf(events []endEvent) []endWindow {
	var all []endWindow
	aligned := func(every int) {
		for i := -400; i < 400; i++ {
			w := endWindow{start: i * every, end: i*every + r.size}
			for _, e := range events {
				if w.start <= e.at && e.at < w.end {
					w.events = append(w.events, e)
				}
			}
			if w.events != nil {
				all = append(all, w)
			}
		}
	}
	switch r.kind {
	case "tumbling":
		aligned(r.size)
	case "hopping":
		aligned(r.every)
	case "batch":
		for ; len(events) >= r.size; events = events[r.size:] {
			all = append(all, endWindow{events[0].at, events[r.size-1].at, events[:r.size]})
		}
	case "session":
		for _, e := range events {
			last := len(all) - 1
			if last < 0 || e.at >= all[last].end {
				all, last = append(all, endWindow{start: e.at}), last+1
			}
			w := &all[last]
			w.end, w.events = e.at+r.size, append(w.events, e)
			if r.max > 0 {
				w.end = min(w.end, w.start+r.max)
			}
		}
	}
	return all
}

// upTo is the window with the events up to one of the stream; how a session's end then
// stands is seen from them.
func (r endRule) upTo(w endWindow, no int) endWindow {
	var out endWindow
	for _, e := range w.events {
		if e.no <= no {
			out.events = append(out.events, e)
		}
	}
	out.start, out.end = w.start, w.end
	if r.kind == "session" && out.events != nil {
		out = r.windowsOf(out.events)[0]
	}
	return out
}

func (r endRule) holds(w endWindow) bool {
	sum := 0
	for _, e := range w.events {
		sum += e.n
	}
	return len(w.events) > 0 && sum >= r.least
}

// heldBy reports whether a window has held at an event of the stream, or at one before.
func (r endRule) heldBy(w endWindow, no int) bool {
	return slices.ContainsFunc(w.events, func(e endEvent) bool { return e.no <= no && r.holds(r.upTo(w, e.no)) })
}

// endMatch is an alert with what it is sorted by.
type endMatch struct {
	cause [3]int // time; a deadline, an event of the stream; its number
	text  string
}

func (r endRule) match(key string, w endWindow, at, no, watermark int) endMatch {
	sum, final := 0, ""
	for _, e := range w.events {
		sum += e.n
	}
	cause := [3]int{at, 1, no}
	if no < 0 {
		cause = [3]int{at, 0, 0}
		if at > watermark {
			final = " final"
		}
	}
	first, last := w.events[0].at, w.events[len(w.events)-1].at
	return endMatch{cause, fmt.Sprintf(`%d [%d,%d) %d..%d%s {"k":"%s"} {"s":%d}`, at, w.start, w.end, first, last, final, key, sum)}
}

// twin gives the alerts of one key.
func (r endRule) twin(key string, events []endEvent, watermark int, final bool) []endMatch {
	var out []endMatch
	all := r.windowsOf(events)
	for i, w := range all {
		no := w.events[len(w.events)-1].no
		if r.early {
			held := slices.IndexFunc(w.events, func(e endEvent) bool { return r.heldBy(w, e.no) })
			if held < 0 {
				continue
			}
			no = w.events[held].no
			if !r.once || i == 0 || !r.heldBy(all[i-1], no) {
				out = append(out, r.match(key, r.upTo(w, no), w.events[held].at, no, watermark))
			}
			continue
		}
		if !r.holds(w) || r.once && i > 0 && r.holds(all[i-1]) {
			continue
		}
		switch {
		case r.kind == "batch":
			out = append(out, r.match(key, w, w.end, no, watermark))
		case w.end <= watermark || final:
			out = append(out, r.match(key, w, w.end, -1, watermark))
		}
	}
	return out
}

func drawEndRule(t *rapid.T) endRule {
	r := endRule{
		kind: rapid.SampledFrom([]string{"tumbling", "hopping", "session", "batch"}).Draw(t, "kind"),
		size: rapid.IntRange(1, 12).Draw(t, "size"), every: rapid.IntRange(1, 9).Draw(t, "every"),
		once: rapid.Bool().Draw(t, "once"), least: rapid.IntRange(-3, 8).Draw(t, "least"),
	}
	r.early = r.kind != "batch" && rapid.Bool().Draw(t, "early")
	if r.kind == "session" && rapid.Bool().Draw(t, "bounded") {
		r.max = r.size + rapid.IntRange(0, 9).Draw(t, "max")
	}
	return r
}

func drawEndEvents(t *rapid.T) []endEvent {
	at := rapid.IntRange(-20, 20).Draw(t, "start")
	events := make([]endEvent, rapid.IntRange(1, 25).Draw(t, "events"))
	for i := range events {
		at += rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3, 5, 13}).Draw(t, "step")
		events[i] = endEvent{no: i, at: at, n: rapid.IntRange(-3, 4).Draw(t, "n"), key: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "key")}
	}
	return events
}

// lasting is a store in memory that keeps all that a durable one does, for engines that
// come one after the other.
type lasting struct{ *state.Memory }

// Durable implements engine.Store.
func (lasting) Durable() bool { return true }

// TestWindowRulesEqualTwin compares rules over windows that are evaluated at their end
// with a search through all windows of the finished stream, and the engine with itself
// under other shards and epochs and with a new engine for every record.
func TestWindowRulesEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, events, final := drawEndRule(t), drawEndEvents(t), rapid.Bool().Draw(t, "final")
		var records []string
		var want []endMatch
		watermark := events[len(events)-1].at
		for _, e := range events {
			records = append(records, fmt.Sprintf(`{"type":"a","id":"e%d","t":%d,"k":"%s","n":%d}`, e.no, e.at, e.key, e.n))
		}
		for _, key := range []string{"x", "y"} {
			mine := slices.DeleteFunc(slices.Clone(events), func(e endEvent) bool { return e.key != key })
			want = append(want, r.twin(key, mine, watermark, final)...)
		}
		slices.SortStableFunc(want, func(a, b endMatch) int { return slices.Compare(a.cause[:], b.cause[:]) })
		for _, o := range []enginetest.Options{
			{}, {Shards: 3, EpochEvents: 3}, {Store: lasting{state.NewMemory()}, Shards: 2, Stops: slices.Repeat([]int{1}, len(records))},
		} {
			o.Final = final
			res, err := enginetest.Run(t.Context(), windowRule(t, r.String()), []enginetest.Stream{{Name: "p", Records: records}}, o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range readAlerts(t, res.Alerts) {
				got = append(got, a.short())
			}
			var texts []string
			for _, m := range want {
				texts = append(texts, m.text)
			}
			if diff := cmp.Diff(texts, got); diff != "" {
				t.Fatalf("%s\n%s\nfinal: %v, %+v\n(-twin +engine):\n%s", r, strings.Join(records, "\n"), final, o, diff)
			}
		}
	})
}
