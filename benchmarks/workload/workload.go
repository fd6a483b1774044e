package workload

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
)

// Workload is one question.
type Workload struct {
	Name     string
	Question string
	Events   int // the default
	Keys     int // the default; cards, or names of trades
	Sizes    []int
	SizeName string // what a size counts; empty: the workload has none
	Trades   bool   // reads trades; else payments
	Counted  bool   // an alert's first field says how many matches it stands for
	EachOnce bool   // reads payments of so many cards as its size, each once and then once more, made as they are read
	Whole    bool   // whole processes are measured too
	Growth   bool   // for a growth curve: only by name
	Fill     func(n int) int
	Matches  func(events *Events, n int) int // the oracle

	rules func(n int) string
}

// Size is the workload's size where none is asked for, 0 where it has none.
func (w *Workload) Size() int {
	if len(w.Sizes) == 0 {
		return 0
	}
	return w.Sizes[0]
}

// Rules are the files of the rule set, each below the limit of a file.
func (w *Workload) Rules(n int) []string {
	declared := paymentType
	if w.Trades {
		declared = tradeTypes
	}
	if w.SizeName != "rules" {
		return []string{declared + w.rules(n)}
	}
	files := []string{declared}
	for from := 0; from < n; from += rulesPerFile {
		var text strings.Builder
		for i := from; i < min(from+rulesPerFile, n); i++ {
			text.WriteString(w.rule(i, n))
		}
		files = append(files, text.String())
	}
	return files
}

// rule is one of the n rules of a workload whose size they are.
func (w *Workload) rule(i, n int) string {
	threshold := Threshold(i)
	if w.Name == "W8s" {
		threshold = FewThreshold(i, n)
	}
	return fmt.Sprintf("rule r%05d { from payment where merchant == \"m%03d\" and amount > %v emit { ts: ts, card: card, amount: amount } }\n", i, i%1000, threshold)
}

// rulesPerFile is how many rules of W8f are in one file.
const rulesPerFile = 100

// Threshold is the amount of rule i of W8f.
func Threshold(i int) float64 { return float64(900 + i*37%100) }

// FewThreshold is the amount of rule i of n of W8s: of thousands of rules each lets so
// much less through, and those of one merchant differ.
func FewThreshold(i, n int) float64 {
	through := float64(100 - (i*37+i/1000*13)%100)
	return 1000 - through/max(1, float64(n)/1000)
}

// Events are what a workload reads: payments or trades.
type Events struct {
	Payments []gen.Payment
	Trades   []gen.Trade
}

// Seed is the seed of all streams of the workloads.
const Seed = 1

// Generate makes the first n events of the workload's stream for so many keys.
func (w *Workload) Generate(n, keys int) *Events {
	e := &Events{}
	if w.Trades {
		s := gen.NewStocks(Seed, keys)
		for range n {
			e.Trades = append(e.Trades, s.Next())
		}
		return e
	}
	s := gen.NewPayments(Seed, keys)
	for range n {
		e.Payments = append(e.Payments, s.Next())
	}
	return e
}

// Len is the number of events.
func (e *Events) Len() int { return len(e.Payments) + len(e.Trades) }

// Append appends event i as a JSON line.
func (e *Events) Append(b []byte, i int) []byte {
	if e.Trades != nil {
		return e.Trades[i].Append(b)
	}
	return e.Payments[i].Append(b)
}

// TS is the time of event i, in milliseconds.
func (e *Events) TS(i int) int64 {
	if e.Trades != nil {
		return e.Trades[i].TS
	}
	return e.Payments[i].TS
}

// Find returns the workload of that name.
func Find(name string) (*Workload, bool) {
	for _, w := range All() {
		if w.Name == name {
			return w, true
		}
	}
	return nil, false
}
