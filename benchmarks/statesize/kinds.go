package statesize

import "strconv"

// Kind is one thing that keys remember.
type Kind struct {
	Name  string
	Rule  string // what stands in a rule over payments and logins
	Table string // a table that the rule reads; empty: none
	Dedup bool   // what is measured is the mark of an event's id, not a key
	Steps string // of each key, in order: p a payment, l a login
}

// Kinds are what is measured. Their names are those of the table.
func Kinds() []Kind {
	const (
		window   = "from payment by card window "
		opening  = "by card match first a: login -> p: payment{5,} -> l: login"
		never    = "having sum(amount) > 1_000_000"
		payments = "ppppp"
	)
	return []Kind{
		{Name: "sliding count of 5 events", Steps: payments, Rule: window + "sliding 10h having count() > 100"},
		{Name: "sliding sum of 5 events", Steps: payments, Rule: window + "sliding 10h " + never},
		{Name: "distinct of 5 events, sliding", Steps: payments, Rule: window + "sliding 10h having distinct(merchant) > 100"},
		{Name: "percentile of 5 events, sliding", Steps: payments, Rule: window + "sliding 10h having percentile(amount, 95) > 1_000_000"},
		{Name: "tumbling sum of 5 events", Steps: payments, Rule: window + "tumbling 10h " + never},
		{Name: "session of 5 events", Steps: payments, Rule: window + "session 5h " + never},
		{Name: "waiting two-step sequence", Steps: "p", Rule: "by card match first a: payment -> b: login within 10h"},
		{Name: "three steps, the second of 5 events", Steps: "l" + payments, Rule: opening + " within 10h"},
		{Name: "the same with an average", Steps: "l" + payments, Rule: opening + "[n > avg(p.amount)] within 10h"},
		{Name: "match all of 5 events, counted", Steps: payments, Rule: "by card match all a: payment -> b: payment -> c: login within 10h limit 0"},
		{Name: "match all of 5 events, written out", Steps: payments, Rule: "by card match all a: payment -> b: payment -> c: login within 10h limit 5"},
		{Name: "absence that waits", Steps: "p", Rule: "by card match first a: payment -> !b: login for 10h"},
		{
			Name: "table of a sum and a distinct", Steps: payments, Rule: "from login by card emit { x: known[card].d }",
			Table: "table known by card from payment { s: sum(amount), d: distinct(merchant) }",
		},
		{Name: "suppress", Steps: "p", Rule: "from payment by card suppress 10h"},
		{Name: "dedup mark", Steps: "p", Dedup: true, Rule: "from payment where amount < 0"},
	}
}

// text is the rule file of a kind.
func (k *Kind) text() string {
	dedup := ""
	if k.Dedup {
		dedup = ", id: id, dedup: 10h"
	}
	return `event payment (time: ts(ms)` + dedup + `) { ts int  id string  card string  amount float  country string  merchant string }
event login (time: ts(ms)) { ts int  card string  n int }
` + k.Table + `
rule measured { ` + k.Rule + ` }
`
}

// start is the time of the first event, in milliseconds since the Unix epoch.
const start = 1_700_000_000_000

// appendEvent appends the event of a key at a step of its kind, as JSON.
func (k *Kind) appendEvent(b []byte, key, step, number int) []byte {
	card := strconv.AppendInt(nil, int64(1_000_000+key), 10)
	if k.Steps[step] == 'l' {
		b = append(b, `{"type":"login","ts":`...)
		b = strconv.AppendInt(b, start+int64(number), 10)
		b = append(append(append(b, `,"card":"c`...), card...), `","n":`...)
		return append(strconv.AppendInt(b, int64(key%10), 10), '}')
	}
	b = append(b, `{"type":"payment","ts":`...)
	b = strconv.AppendInt(b, start+int64(number), 10)
	b = append(b, `,"id":"p`...)
	b = strconv.AppendInt(b, int64(10_000_000+number), 10)
	b = append(append(append(b, `","card":"c`...), card...), `","amount":`...)
	b = strconv.AppendFloat(b, float64(200+(7919*number)%99_999)/100, 'f', 2, 64)
	b = append(b, `,"country":"`...)
	b = append(b, countries[number%len(countries)]...)
	b = append(b, `","merchant":"m`...)
	b = strconv.AppendInt(b, int64(100+(104_729*number)%900), 10)
	return append(b, `"}`...)
}

var countries = [...]string{"AR", "DE", "FR", "GB", "IT", "US", "ZA"}
