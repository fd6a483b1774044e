package main

// declaration is the event type that every workload reads.
const declaration = `
event payment (time: ts(ms)) {
    ts       int
    card     string
    amount   float
    country  string
    merchant string
}
`

// workload is one row of the table. Without a rule the events are decoded, with the
// slots that the sliding rule reads, and nothing else.
type workload struct {
	name string
	rule string
}

func workloads() []workload {
	return []workload{
		{"decode only", ""},
		{"filter", `
rule filter {
    from payment where amount > 990
    emit { card: card, amount: amount }
}`},
		{"sliding threshold", `
rule sliding {
    from payment
    by card
    window sliding 60s
    having count() >= 50
    emit { payments: count() }
}`},
		{"two-step sequence", `
rule sequence {
    by card
    match a: payment[amount < 20] -> b: payment[amount > 900]
    within 60s
    emit { first: a.amount, second: b.amount }
}`},
	}
}

// find returns the workload of that name.
func find(name string) (workload, bool) {
	for _, w := range workloads() {
		if w.name == name {
			return w, true
		}
	}
	return workload{}, false
}

// text is the rule file of the workload.
func (w workload) text() string { return declaration + w.rule }
