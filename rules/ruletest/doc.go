// Package ruletest runs scenarios: small files that say what rules make of events. Its
// corpus, in testdata, holds one scenario for each sentence of the language that can be
// shown in one, and is read as examples.
//
// # A scenario
//
// It is a text in the txtar form: a comment, then sections that each begin with a line
// "-- NAME --". The first line of the comment says why the file exists.
//
//	# Two failures in a minute are a burst.
//	-- rules --
//	event login (time: t) { t time  user string }
//	rule burst { from login  by user  window sliding 1m  having count() >= 2 }
//	-- events.jsonl --
//	{"t":"0s","type":"login","user":"ann"}
//	{"t":"59s","type":"login","user":"ann"}
//	-- alerts.jsonl --
//	{"rule":"burst","t":"59s","key":"ann"}
//
// The sections are
//
//   - rules, or several rules/NAME.cep: the rule files; NAME.txt, NAME.csv: files of lists
//     and tables that they name;
//   - events.jsonl, or events/NAME.jsonl for each partition NAME: records in order of
//     arrival; see below;
//   - alerts.jsonl: the alerts that must come, all of them, in order. Of an alert the
//     members that the line names are compared; a key of one part may stand alone;
//     t, start, end and window are offsets; evidence may be written as ["STEP@OFFSET", …];
//   - errors: in place of alerts, all messages of the compiler, each on one line, a
//     second place in parentheses behind it;
//   - warnings, counts, dead: if there, the compiler's warnings; totals of the run, one
//     "NAME N" or "RULE.NAME N" a line, see [Outcome.Count]; dead letters, one
//     "PARTITION@OFFSET: REASON" a line;
//   - options: one a line, see [Options].
//
// In events, t is the event's time as an offset from zero in the durations of the
// language; it becomes the field that the event type declares as its time, in its unit.
// (Of a type without such a field it is the time of arrival, as "arrives" is of any
// type.) A line with t alone moves time on: it is an event of a type "tick" that no rule
// reads. A text "@10s", in events and in expected alerts, is that offset as a time.
//
// # Invariants
//
//   - A scenario is a function of its text: no clock, no chance.
//   - The alerts of a scenario are byte for byte the same in every one of [Variants].
//
// This package is no test itself: it may be used by a command that runs a user's tests.
//
// Open scenario.go first.
package ruletest
