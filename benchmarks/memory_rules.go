package main

import (
	"strings"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
	"github.com/cepheus-cep/cepheus/engine/machine"
)

// memoryLimits are low enough that the rules below reach every one of them soon
// and go on reaching it.
func memoryLimits() machine.Limits {
	return machine.Limits{KeysPerRule: 2_560, RunsPerKey: 10, EventsPerRun: 30, EventsPerWindow: 100}
}

// Limits of what `suppress` remembers of a rule and `dedup` of the type.
const (
	memorySilences = 5_000
	memoryMarks    = 5_000
)

// memoryText is the rule file: a rule for every kind of thing that remembers. Most are
// keyed by card: of the cards some come often, most now and then, and many once and
// never again. Each group reads payments of a type of its own: so the payments that a
// rule does not see cost little, and five million of them take minutes.
func memoryText() string {
	var b strings.Builder
	b.WriteString("event suspicion (time: at) { at time  card string  why string }\n")
	for i, group := range memoryGroups() {
		name := gen.MixedType(i)
		b.WriteString(gen.MixedDeclaration(i))
		b.WriteString(strings.ReplaceAll(group, "payment", name))
	}
	return b.String()
}

// memoryGroups are the rules and tables, one a line, as if they all read `payment`.
func memoryGroups() []string {
	return []string{
		// Sequences, with an end and without.
		`
rule seq_first  { by card match first a: payment[amount < 100] -> b: payment[amount > 990] within 60s }
rule seq_last   { by card match last  a: payment[amount < 100] -> b: payment[amount > 990] within 60s }
rule seq_every  { by card match every a: payment[amount < 100] -> b: payment[amount > 990] within 60s }
rule seq_all    { by card match all   a: payment[amount < 100] -> b: payment[amount > 990] within 60s limit 3 }
rule open_first { by card match first a: payment[amount < 100] -> b: payment[amount > 990] }
rule open_last  { by card match last  a: payment[amount < 100] -> b: payment[amount > 990] }
rule open_every { by card match every a: payment[amount < 100] -> b: payment[amount > 999.9] }
rule open_all   { by card match all   a: payment[amount < 100] -> b: payment[amount > 990] limit 3 }
rule brief      { by card match first a: payment[amount < 500] -> b: payment[amount > 500] within 1d having b.amount > 999 }
rule compared   { by card match every a: payment[amount < 100] -> b: payment[amount > 990 and merchant == a.merchant] within 60s }
rule gaps       { by card match every a: payment[amount < 100] ->[1s..20s] b: payment[amount > 990] }
rule next       { by card match first a: payment[amount < 300] => b: payment[amount < 300] => c: payment[amount > 900] }
rule ends       { by card match first a: payment[amount < 100] -> b: payment[amount > 999] until payment[merchant == "m007"] }
rule by_its_own { by card match first a: payment[amount < 20] -> b: payment[amount > 990] by device within 60s }
`,
		// Repetition.
		`
rule repeated    { by card match first a: payment[amount < 500]+ -> b: payment[amount > 999] having count(a) > 3 }
rule repeated_in { by card match first a: payment[amount < 500]{2,} -> b: payment[amount > 999] within 60s having sum(a.amount) > 100 }
rule every_turn  { by card match every a: payment[amount < 500]{2,} -> b: payment[amount > 999] within 60s }
rule kept_whole  { by card match first a: payment[amount < 900]+ -> b: payment[amount > 999 and a[count(a) - 2].amount < 500] within 60s }
rule kept_open   { by card match first a: payment[amount < 900]+ -> b: payment[amount > 999 and a[count(a) - 2].amount < 500] }
rule strict      { by card match first a: payment[amount < 500]{3} strict -> b: payment[amount > 990] }
rule over_turns  { by card match first a: payment[amount < 500]+ -> b: payment[amount > 999] within 60s emit { d: distinct(a.device), p: percentile(a.amount, 90), c: collect(a.merchant, 5) } }
rule groups      { by card match first (a: payment[amount < 100] -> b: payment[amount > 900]){2,} -> c: payment[amount > 999] }
rule groups_in   { by card match every (a: payment[amount < 100] -> b: payment[amount > 900]){2} within 60s }
`,
		// Branches.
		`
rule both    { by card match first (a: payment[amount < 20] & b: payment[amount > 980]) -> c: payment[merchant == "m001"] within 60s }
rule both_on { by card match first (a: payment[amount < 20] & b: payment[amount > 980]) -> c: payment[merchant == "m001"] }
rule two_of  { by card match first any 2 of (a: payment[amount < 20], b: payment[amount > 980], c: payment[merchant == "m001"]) within 60s }
rule either  { by card match every (a: payment[amount < 20] | b: payment[amount > 980]) -> c: payment[merchant == "m001"] within 60s }
`,
		// Absence.
		`
rule absent_between { by card match every a: payment[amount < 20] -> !b: payment[amount > 900] -> c: payment[merchant == "m001"] }
rule absent_for     { by card match first a: payment[amount < 20] -> !b: payment[amount > 900] for 5s -> c: payment[merchant == "m001"] within 60s }
rule absent_last    { by card match first a: payment[amount < 5] -> !b: payment for 20s }
rule absent_within  { by card match every a: payment[amount < 5] -> !b: payment[amount > 500] within 30s }
rule absent_first   { by card match first !a: payment[amount > 5] ->[30s] b: payment[amount < 1] }
`,
		// Sliding and last windows, by family of aggregate.
		`
rule slide_count    { from payment by card window sliding 60s having count() == 95 and count(amount > 999) > 0 }
rule slide_sum      { from payment by card window sliding 60s having sum(amount) > 1_000_000 or avg(amount) > 998 }
rule slide_extremes { from payment by card window sliding 60s having min(amount) > 990 or max(amount) < 1 }
rule slide_distinct { from payment by card window sliding 60s having distinct(device) == 95 and values(country) == [] }
rule slide_order    { from payment by card window sliding 60s having percentile(amount, 10) > 990 or median(amount) > 995 }
rule slide_spread   { from payment by card window sliding 60s having zscore(amount) > 50 or stddev(amount) < 0 or slope(amount) > 1e9 }
rule slide_listed   { from payment by card window sliding 60s having count() == 90 and amount > 995 emit { c: collect(device, 5), t: top(merchant, 3), f: first(device), l: last(device), r: rate() } }
rule slide_rising   { from payment by card window sliding 10s having count() >= 60 once }
rule slide_all      { from payment window sliding 10s having distinct(card) > 1_000_000 }
rule slide_rarely   { from payment where amount > 999 by card window sliding 1h having count() > 1_000 }
rule last_count     { from payment by card window last 300 having count() == 90 and sum(amount) < 1 }
rule last_order     { from payment by card window last 50 having median(amount) > 800 or distinct(device) < 2 and count() > 5 }
rule last_listed    { from payment by card window last 50 having count() == 50 and amount > 999.9 emit { v: values(device), c: collect(merchant, 10), x: max(amount) } }
rule two_windows    { from payment by card window recent sliding 5s window normal sliding 60s having sum(recent.amount) > 5 * avg(normal.amount) and count(normal) < 0 }
`,
		// Windows that are evaluated at their end.
		`
rule tumble   { from payment by card window tumbling 30s having count() > 1_000 emit { d: distinct(device), p: percentile(amount, 99), t: top(device, 3), c: collect(device, 5), s: stddev(amount), f: first(device) } }
rule tumbled  { from payment window tumbling 30s emit { n: count(), d: distinct(device), m: median(amount), v: distinct(card) } }
rule calendar { from payment by card window tumbling 1d in "Europe/Berlin" having count() > 1_000_000 and distinct(device) > 0 }
rule hop      { from payment by card window hopping 60s every 10s having sum(amount) < 0 or distinct(device) < 0 }
rule session  { from payment by card window session 2s having count() > 10_000 emit { d: distinct(device) } }
rule session_max { from payment by card window session 20s max 60s having count() > 10_000 emit { d: distinct(device) } }
rule batched  { from payment by card window batch 100 having distinct(device) < 0 emit { p: percentile(amount, 50) } }
rule early    { from payment by card window tumbling 30s early having count() > 80 once }
`,
		// Projections, events that rules make, suppress.
		`
table profile  by card from payment where amount > 0 keep 30s { total: sum(amount), seen: max(meta.time), devices: distinct(device) }
table for_ever by card from payment { total: sum(amount), least: min(amount), devices: distinct(device), middle: median(amount), often: top(merchant, 3) }
rule  reads    { from payment where amount > 2 * (profile[card].total ?? 1e9) and amount > for_ever[card].least by card }
rule  makes    { from payment where amount > 995 by card emit suspicion { card: card, why: "large" } suppress 10s }
rule  made     { by card match every a: suspicion -> b: suspicion within 60s }
rule  made_of  { from suspicion by card window sliding 60s having count() > 4 }
rule  quiet_once  { from payment where amount < 500 suppress 10s by id }
rule  quiet_twice { from payment where amount < 500 suppress 10s by device }
rule  quiet_long  { from payment where amount < 500 mode shadow by card suppress 1d }
`,
	}
}
