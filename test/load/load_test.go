package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// form is how long it takes.
type form struct {
	step  time.Duration // of the search for the rate
	raise float64       // from one step to the next
	hold  time.Duration // at the rate that was found
	swaps int
}

func formOf() form {
	if os.Getenv("CEPHEUS_LOAD_LONG") != "" {
		return form{step: 5 * time.Second, raise: 1.4, hold: time.Minute, swaps: 100}
	}
	return form{step: 700 * time.Millisecond, raise: 1.6, hold: 4 * time.Second, swaps: 100}
}

const (
	batchEvents = 500 // so that the bound of requests a second is not what is measured
	keys        = 100
	firstRate   = 40                     // requests a second
	held        = 0.8                    // of the highest rate that a step bore: steps are short
	slow        = 500 * time.Millisecond // of an answer that does not wait for a commit
	slowCommit  = time.Second            // of one that does: beyond it, more comes than is worked
)

// TestNoEventIsLostWhileRulesChange at the highest rate that the engine bears.
func TestNoEventIsLostWhileRulesChange(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	f, c := formOf(), start(t)
	a := &attack{c: c, taken: map[int64]bool{}}
	rate := a.search(f)
	table := a.hold(int(held*float64(rate)), f)
	a.settle()
	a.compare(c.stop())
	t.Log(table)
}

// attack sends batches, each once, and knows which were taken.
type attack struct {
	c     *cepheus
	next  atomic.Int64
	taken map[int64]bool
}

// target makes the next batch; one in four waits for its commit. Its number is behind the
// #, which is not sent.
func (a *attack) target(to *vegeta.Target) error {
	n := a.next.Add(1)
	wait := "queue"
	if n%4 == 0 {
		wait = "commit"
	}
	*to = vegeta.Target{
		Method: http.MethodPost, URL: a.c.url + "/v1/events?wait=" + wait + "#" + strconv.FormatInt(n, 10),
		Header: http.Header{"Content-Type": {"application/x-ndjson"}}, Body: batch(n),
	}
	return nil
}

func batch(n int64) (body []byte) {
	for i := range int64(batchEvents) {
		place := "within"
		switch i {
		case 0:
			place = "first"
		case batchEvents - 1:
			place = "last"
		}
		e := n*batchEvents + i
		body = fmt.Appendf(body, `{"batch":%d,"n":%d,"key":%d,"place":%q}`+"\n", n, e, e%keys, place)
	}
	return body
}

// numbers are those of an attack.
type numbers struct {
	queued, committed vegeta.Metrics
	refused           int
}

// run attacks at a rate. An answer that is neither a success nor 429 is a failure.
func (a *attack) run(perSecond int, d time.Duration) *numbers {
	v := vegeta.NewAttacker(vegeta.Timeout(30*time.Second), vegeta.MaxWorkers(500))
	m := &numbers{}
	for r := range v.Attack(a.target, vegeta.Rate{Freq: perSecond, Per: time.Second}, d, "") {
		a.note(m, r)
	}
	m.queued.Close()
	m.committed.Close()
	return m
}

func (a *attack) note(m *numbers, r *vegeta.Result) {
	path, number, _ := strings.Cut(r.URL, "#")
	switch n, err := strconv.ParseInt(number, 10, 64); {
	case err != nil:
		a.c.t.Errorf("which batch is %s?", r.URL)
	case r.Code == http.StatusTooManyRequests:
		m.refused++
		return
	case r.Code/100 != 2:
		a.c.t.Errorf("batch %d: status %d: %s %s", n, r.Code, r.Error, r.Body)
	default:
		a.taken[n] = true
	}
	if strings.HasSuffix(path, "commit") {
		m.committed.Add(r)
	} else {
		m.queued.Add(r)
	}
}

// search raises the rate by steps and returns the highest that was borne.
func (a *attack) search(f form) (best int) {
	for rate := firstRate; a.bears(rate, f); rate = int(float64(rate) * f.raise) {
		best = rate
	}
	return cmp.Or(best, firstRate)
}

// bears tries a rate, and once more where it is not borne: something else may have had the machine.
func (a *attack) bears(rate int, f form) bool {
	for range 2 {
		if a.try(rate, f) {
			return true
		}
	}
	return false
}

func (a *attack) try(rate int, f form) bool {
	m := a.run(rate, f.step)
	a.c.t.Logf("%d requests/s, %d events/s: p99 %s, committed %s, %d refused", rate, rate*batchEvents,
		m.queued.Latencies.P99.Round(time.Microsecond), m.committed.Latencies.P99.Round(time.Microsecond), m.refused)
	return m.refused == 0 && m.queued.Latencies.P99 <= slow && m.committed.Latencies.P99 <= slowCommit && !a.c.t.Failed()
}

// hold keeps the rate while rules change, and returns the table.
func (a *attack) hold(rate int, f form) string {
	took := make(chan []time.Duration)
	go func() { took <- a.swap(f) }()
	m := a.run(rate, f.hold)
	swaps := <-took
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests/s of %d events, %d events/s; %d of %d requests refused\n", rate, batchEvents, rate*batchEvents, m.refused, rate*int(f.hold/time.Second))
	fmt.Fprintf(&b, "| | times | p50 | p99 | longest |\n| --- | --- | --- | --- | --- |\n")
	for _, l := range []struct {
		name string
		of   *vegeta.Metrics
	}{{"ingest, queued", &m.queued}, {"ingest, committed", &m.committed}} {
		row(&b, l.name, int(l.of.Requests), l.of.Latencies.P50, l.of.Latencies.P99, l.of.Latencies.Max)
	}
	slices.Sort(swaps)
	row(&b, "change of rules", len(swaps), swaps[len(swaps)/2], swaps[len(swaps)*99/100], swaps[len(swaps)-1])
	return b.String()
}

func row(b *strings.Builder, name string, times int, all ...time.Duration) {
	fmt.Fprintf(b, "| %s | %d |", name, times)
	for _, d := range all {
		fmt.Fprintf(b, " %s |", d.Round(10*time.Microsecond))
	}
	b.WriteByte('\n')
}

// swap changes the rules, evenly over the time, and returns how long each change took. What
// the answers say of the rules is held against what was changed.
func (a *attack) swap(f form) (took []time.Duration) {
	begin := time.Now()
	for n := 1; n <= f.swaps; n++ {
		time.Sleep(time.Until(begin.Add(f.hold / time.Duration(f.swaps) * time.Duration(n-1))))
		began := time.Now()
		text, err := a.c.ask(http.MethodPut, "/v1/rules/rules%2Fother.cep", other(n), "If-Match", "*", "Content-Type", "text/plain")
		if err != nil {
			a.c.t.Errorf("change %d: %v", n, err)
			return append(took, time.Since(began))
		}
		took = append(took, time.Since(began))
		a.judge(n, text)
	}
	return took
}

// judge wants one change in the answer, and of the kind that was made.
func (a *attack) judge(n int, text []byte) {
	var got struct {
		Rules []struct{ Rule, Fate string }
	}
	if err := json.Unmarshal(text, &got); err != nil {
		a.c.t.Error(err)
	}
	var changed []string
	for _, r := range got.Rules {
		if r.Fate != "unchanged" {
			changed = append(changed, r.Rule+" "+strings.TrimSuffix(r.Fate, " in part"))
		}
	}
	want := [][]string{
		{fmt.Sprintf("named_%d removed", n/4-1), fmt.Sprintf("named_%d added", n/4)},
		{"threshold changed, state kept"},
		{"walk changed, state kept"},
		{"mean changed, state dropped"},
	}[n%4]
	slices.Sort(changed)
	slices.Sort(want)
	if !slices.Equal(changed, want) {
		a.c.t.Errorf("change %d: %q, want %q", n, changed, want)
	}
}

// settle waits until every window of what was taken is over.
func (a *attack) settle() {
	time.Sleep(1100 * time.Millisecond)
	if _, err := a.c.ask(http.MethodPost, "/v1/events?wait=commit", `{"batch":0,"n":0,"key":-1,"place":"end"}`, "Content-Type", "application/json"); err != nil {
		a.c.t.Fatal(err)
	}
}

// compare holds the alerts against the batches that were taken.
func (a *attack) compare(alerts []alert) {
	t := a.c.t
	ids, windows := map[string]bool{}, map[string]bool{}
	batches := map[string]map[int64]int{"pair": {}, "seen": {}}
	var count, sum int64
	for _, one := range alerts {
		if ids[one.ID] {
			t.Errorf("the alert %s came twice", one.ID)
		}
		ids[one.ID] = true
		if one.Rule != "tally" {
			batches[one.Rule][one.Fields.Batch]++
			continue
		}
		if window := fmt.Sprint(one.Key, one.Fields.From); windows[window] {
			t.Errorf("the window %s alerted twice", window)
		} else {
			windows[window] = true
		}
		count, sum = count+one.Fields.Count, sum+one.Fields.Sum
	}
	var wantCount, wantSum int64
	for n := range a.taken {
		wantCount += batchEvents
		wantSum += n*batchEvents*batchEvents + batchEvents*(batchEvents-1)/2
	}
	t.Logf("%d events taken, %d alerts", wantCount, len(alerts))
	for rule, of := range batches {
		for n, times := range of {
			if times != 1 || !a.taken[n] {
				t.Errorf("rule %s: batch %d, taken %t, has %d alerts", rule, n, a.taken[n], times)
			}
		}
		if len(of) != len(a.taken) {
			t.Errorf("rule %s: alerts of %d batches, want %d", rule, len(of), len(a.taken))
		}
	}
	if count != wantCount || sum != wantSum {
		t.Errorf("windows have %d events with the sum %d, want %d with %d", count, sum, wantCount, wantSum)
	}
}
