package enginetest

import (
	"math"
	"slices"
	"sort"
)

var aggregateNames = []string{
	"count", "sum", "avg", "min", "max", "first", "last", "distinct", "values", "stddev", "variance", "median",
	"percentile", "zscore", "rate", "slope", "top", "collect",
}

// isAggregate reports whether a call is an aggregate. `min(a, b)` is a function.
func isAggregate(n *node) bool {
	if !slices.Contains(aggregateNames, n.text) {
		return false
	}
	two := n.text == "percentile" || n.text == "top" || n.text == "collect"
	return len(n.args) < 2 || two
}

// aggregate computes one over the events that its argument names, by filtering a list.
func (v *view) aggregate(n *node) any {
	over, events := v.over(n)
	if n.text == "rate" {
		return finite(float64(len(events)) / (float64(v.width[over]) / 1e9))
	}
	if len(n.args) == 0 || n.args[0].op == "name" && n.args[0].text == over && over != "" {
		return int64(len(events))
	}
	var values []any
	var times []float64
	for _, e := range events {
		if x := v.each(over, e).eval(n.args[0]); x != nil {
			values, times = append(values, x), append(times, float64(e.time-events[0].time)/1e9)
		}
	}
	switch n.text {
	case "count":
		return countOf(values)
	case "zscore":
		return v.zscore(n, over, events)
	case "slope":
		return slope(values, times)
	}
	var param any
	if len(n.args) > 1 {
		param = v.eval(n.args[1])
	}
	return fold(n.text, values, param)
}

// over finds the repeated step or the window that an aggregate is over, and its events.
func (v *view) over(n *node) (string, []*occurrence) {
	var found string
	var walk func(n *node)
	walk = func(n *node) {
		if n.op == "name" && (v.many[n.text] || v.named[n.text] != nil) {
			found = n.text
		}
		for _, a := range n.args {
			walk(a)
		}
	}
	walk(n)
	switch {
	case v.many[found]:
		return found, v.steps[found]
	case found != "":
		return found, v.named[found]
	}
	return "", v.here
}

// each is the view of an aggregate's argument at one of its events.
func (v *view) each(over string, e *occurrence) *view {
	in := *v
	in.one = map[string]*occurrence{}
	if over != "" {
		in.one[over] = e
	}
	if !v.many[over] {
		in.at = e
	}
	return &in
}

// countOf counts conditions that hold, or values that are there.
func countOf(values []any) any {
	n := int64(0)
	for _, x := range values {
		if x != false {
			n++
		}
	}
	return n
}

// fold is an aggregate over values that are not nil, in their order.
func fold(name string, values []any, param any) any {
	switch name {
	case "sum":
		return total(values)
	case "distinct":
		return int64(len(distinct(values)))
	}
	if len(values) == 0 {
		return nil
	}
	switch name {
	case "avg":
		return finite(mean(values))
	case "min":
		return slices.MinFunc(values, orderOf)
	case "max":
		return slices.MaxFunc(values, orderOf)
	case "first":
		return values[0]
	case "last":
		return values[len(values)-1]
	case "values":
		return distinct(values)
	case "variance":
		return variance(values)
	case "stddev":
		return root(variance(values))
	case "median":
		return percentile(values, 50)
	case "percentile":
		p, _ := number(param)
		return percentile(values, p)
	case "collect":
		return values[max(0, len(values)-int(param.(int64))):]
	case "top":
		return top(values, int(param.(int64)))
	}
	panic("reference: no aggregate " + name)
}

func orderOf(a, b any) int { c, _ := compare(a, b); return c }

func total(values []any) any {
	var sum any = int64(0)
	for _, x := range values {
		sum = arithmetic("+", sum, x)
	}
	return sum
}

func mean(values []any) float64 {
	f, _ := number(total(values))
	return f / float64(len(values))
}

// distinct keeps the first of equal values.
func distinct(values []any) []any {
	var out []any
	for _, x := range values {
		if !slices.ContainsFunc(out, func(y any) bool { return same(x, y) }) {
			out = append(out, x)
		}
	}
	return out
}

// variance is that of a sample; nil of fewer than two values.
func variance(values []any) any {
	m, sum := mean(values), 0.0
	for _, x := range values {
		f, _ := number(x)
		sum += (f - m) * (f - m)
	}
	return finite(sum / float64(len(values)-1))
}

func root(v any) any {
	if v == nil {
		return nil
	}
	return math.Sqrt(v.(float64))
}

// percentile interpolates between the two nearest values.
func percentile(values []any, p float64) any {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, orderOf)
	at := p / 100 * float64(len(sorted)-1)
	low, _ := number(sorted[int(math.Floor(at))])
	high, _ := number(sorted[int(math.Ceil(at))])
	return low + (high-low)*(at-math.Floor(at))
}

// top returns the k most frequent values; of equally frequent ones the first seen.
func top(values []any, k int) any {
	out := distinct(values)
	often := func(x any) int {
		n := 0
		for _, y := range values {
			n += btoi(same(x, y))
		}
		return n
	}
	sort.SliceStable(out, func(i, j int) bool { return often(out[i]) > often(out[j]) })
	return out[:min(k, len(out))]
}

// zscore holds the event at hand against the window without it.
func (v *view) zscore(n *node, over string, events []*occurrence) any {
	var others []any
	for _, e := range events {
		if x := v.each(over, e).eval(n.args[0]); x != nil && e != v.at {
			others = append(others, x)
		}
	}
	x, ok := number(v.each(over, v.at).eval(n.args[0]))
	if !ok || len(others) < 2 {
		return nil
	}
	return finite((x - mean(others)) / root(variance(others)).(float64))
}

// slope is that of the line of least squares through the values over time, per second.
func slope(values []any, times []float64) any {
	if len(values) == 0 {
		return nil
	}
	var meanT, top, bottom float64
	for _, t := range times {
		meanT += t / float64(len(times))
	}
	m := mean(values)
	for i, t := range times {
		f, _ := number(values[i])
		top += (t - meanT) * (f - m)
		bottom += (t - meanT) * (t - meanT)
	}
	return finite(top / bottom)
}
