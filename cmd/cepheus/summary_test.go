package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

func TestSummaryTellsWhatBecameOfEveryEvent(t *testing.T) {
	stats := &engine.Stats{
		Events: 2000, Alerts: 3, Late: 5, LateDropped: 2, Raised: 4, Ahead: 6, Copies: 7, MarksDropped: 8, IdleSteps: 9,
		Undecodable: 10, Undeclared: 11,
		Rules: []engine.RuleStats{
			{Name: "r", Alerts: 3, Suppressed: 1, SilencesDropped: 2, Errors: 1, LastError: "why"},
			{Name: "table t", Table: true, Keys: 12},
			{Name: "table u", Table: true, Keys: 12, NilKeys: 1},
		},
		Mismatches: []engine.Mismatch{{Type: "e", Field: "x", N: 13, First: event.Position{Partition: event.Partition{Source: "in"}, Offset: 14}}},
	}
	var b strings.Builder
	if err := printSummary(&b, stats, 2*time.Second, "kept in dead.jsonl"); err != nil {
		t.Fatal(err)
	}
	want := `events         2000  1000 a second, 2s
alerts         3
  r            3   1 suppressed, 2 keys of suppress dropped, 1 errors, the last: why
  table u      12  rows, 1 events without a key
late           5   2 of them dropped
raised         4   older than what had been processed, from inputs that came back or came later
ahead          6   too far ahead of time, kept in dead.jsonl
copies         7   of ids that had come before, dropped
ids forgotten  8   before their time: a copy of such an event would have been taken
idle steps     9   inputs that fell silent or came back, and steps of time while all were silent
undecodable    10  kept in dead.jsonl
undeclared     11  of types that no rule file declares
errors         1
nil e.x        13  missing or not of its type, first in in at byte 14
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
