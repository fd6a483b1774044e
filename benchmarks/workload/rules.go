package workload

import "fmt"

const paymentType = `event payment (time: ts(ms)) {
    ts       int
    card     string
    amount   float
    country  string
    merchant string
}
`

const tradeTypes = `event SELL (time: ts(ms)) { ts int  id int  name string  price float  volume int }
event BUY  (time: ts(ms)) { ts int  id int  name string  price float  volume int }
`

// plain makes the rules of a workload without a size.
func plain(text string) func(int) string { return func(int) string { return text } }

// sized makes the rules of a workload whose text has its size in it.
func sized(format string) func(int) string {
	return func(n int) string { return fmt.Sprintf(format, n) }
}

// All returns the workloads, in their order.
func All() []*Workload {
	const million, cards = 1_000_000, 10_000
	never := func(*Events, int) int { return 0 }
	same := func(n int) int { return n }
	return []*Workload{
		{
			Name: "W1", Question: "amount > 990", Events: million, Keys: cards, Matches: oracle1, Whole: true,
			rules: plain(`rule w1 { from payment where amount > 990 emit { card: card, amount: amount } }`),
		},
		{
			Name: "W2", Question: "per card, tumbling 60 s, count >= 20: count, sum", Events: million, Keys: cards, Matches: oracle2,
			rules: plain(`rule w2 { from payment by card window tumbling 60s having count() >= 20 emit { n: count(), total: sum(amount) } }`),
		},
		{
			Name: "W3", Question: "per event, count of the card in 60 s >= 50", Events: million, Keys: cards, Matches: oracle3, Whole: true,
			rules: plain(`rule w3 { from payment by card window sliding 60s having count() >= 50 emit { ts: ts, n: count() } }`),
		},
		{
			Name: "W4", Question: "per card, every a: amount < 20 -> first b: amount > 900, 60 s", Events: million, Keys: cards, Matches: oracle4, Whole: true,
			rules: plain(`rule w4 { by card match every a: payment[amount < 20] -> b: payment[amount > 900] within 60s emit { at: b.ts } }`),
		},
		{
			Name: "W5", Question: "per card, every a < 100 -> b > 5a -> c > 1.5b of another country, 60 s", Events: million, Keys: cards, Matches: oracle5,
			rules: plain(`rule w5 { by card match every a: payment[amount < 100] -> b: payment[amount > a.amount * 5]
    -> c: payment[amount > b.amount * 1.5 and country != a.country] within 60s emit { at: c.ts } }`),
		},
		{
			Name: "W6", Question: "per card, 3 or more < 100, then one > 800, 120 s, skip past last", Events: million, Keys: cards, Matches: oracle6,
			rules: plain(`rule w6 { by card match first s: payment[amount < 100]{3,} -> b: payment[amount > 800] within 120s emit { from: first(s).ts, to: b.ts } }`),
		},
		{
			Name: "W7", Question: "per card, > 950 and no payment for 30 s", Events: million, Keys: cards, Matches: oracle7,
			rules: plain(`rule w7 { by card match every a: payment[amount > 950] -> !payment for 30s emit { ts: a.ts } }`),
		},
		{
			Name: "W8f", Question: "rules: merchant == m and amount > T", Events: 300_000, Keys: cards, Matches: oracle8f,
			SizeName: "rules", Sizes: []int{1000, 1, 10, 100, 10_000, 100_000},
		},
		{
			Name: "W8s", Question: "as W8f, thresholds for as many alerts as 1,000 rules give", Events: 300_000, Keys: cards, Matches: oracle8s,
			SizeName: "rules", Sizes: []int{10_000, 1000, 100_000},
		},
		{
			Name: "W9", Question: "SELL MSFT ; BUY ORCL ; SELL CSCO, any match, counted", Events: million, Keys: 8, Matches: oracle9,
			Trades: true, Counted: true, SizeName: "window", Sizes: []int{2000, 50, 100, 200, 500, 1000, 10_000, 100_000},
			rules: sized(`rule w9 { match all a: SELL[name == "MSFT"] -> b: BUY[name == "ORCL"] -> c: SELL[name == "CSCO"] within %dms limit 0 emit { n: matches() } }`),
		},
		{
			Name: "W10", Question: "distinct merchants of a card in 10 min >= 500", Events: million, Keys: cards, Matches: oracle10, Whole: true,
			rules: plain(`rule w10 { from payment by card window sliding 10m having distinct(merchant) >= 500 emit { ts: ts, n: distinct(merchant) } }`),
		},
		{
			Name: "Gwindow", Question: "sliding count of one key, whose window holds n events", Events: million, Keys: 1, Matches: never, Growth: true,
			SizeName: "events in the window", Sizes: []int{100, 1000, 10_000, 100_000}, Fill: same,
			rules: sized(`rule window { from payment by card window sliding %dms having count() > 1_000_000 emit { n: count() } }`),
		},
		{
			Name: "Gdistinct", Question: "distinct of a window of 60,000 events with n values", Events: million, Keys: 10, Matches: never, Growth: true,
			SizeName: "values", Sizes: []int{10, 100, 2000, 10_000, 50_000}, Fill: func(int) int { return 60_000 },
			rules: plain(`rule values { from payment window sliding 60s having distinct(card) > 1_000_000 emit { n: distinct(card) } }`),
		},
		{
			Name: "Gruns", Question: "every a -> b with n open runs of one key, conditions on the event at hand", Events: million, Keys: 1, Matches: never, Growth: true,
			SizeName: "open runs", Sizes: []int{1000, 10_000, 100_000, 1_000_000}, Fill: same,
			rules: sized(`rule runs { by card match every a: payment[amount < 1_000] -> b: payment[amount > 500 and merchant == "none"] within %dms emit { at: b.ts } }`),
		},
		{
			Name: "Gcompared", Question: "every a -> b > a + 1000 with n open runs of one key", Events: million, Keys: 1, Matches: never, Growth: true,
			SizeName: "open runs", Sizes: []int{1000, 10_000, 100_000, 1_000_000}, Fill: same,
			rules: sized(`rule compared { by card match every a: payment[amount < 1_000] -> b: payment[amount > a.amount + 1_000] within %dms emit { at: b.ts } }`),
		},
		{
			Name: "Gkeys", Question: "W3's sliding count of n keys that are all alive", Events: 1, Keys: 1, Matches: never, Growth: true, EachOnce: true,
			SizeName: "keys", Sizes: []int{10_000, 100_000, 1_000_000, 10_000_000},
			rules: plain(`rule keys { from payment by card window sliding 7d having count() > 50 emit { ts: ts, n: count() } }`),
		},
	}
}
