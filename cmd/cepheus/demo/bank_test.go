package demo

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine/enginetest"
)

// TestEveryAttackIsFound runs the rules over two hours of the bank: they find each attack that
// is over, on its card, and nothing else.
func TestEveryAttackIsFound(t *testing.T) {
	set, err := ruleSet()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	b := newBank(start, 20_000, 7)
	var records []record
	end := start
	for range 120 {
		b.plant()
		end = end.Add(time.Minute)
		records = b.until(end, 250, records)
	}
	stream := enginetest.Stream{Name: "bank"}
	for i, r := range records {
		if i > 0 && r.at.Before(records[i-1].at) {
			t.Fatalf("event %d is older than the one before", i)
		}
		stream.Records = append(stream.Records, string(r.json))
	}
	res, err := enginetest.Run(t.Context(), set, []enginetest.Stream{stream}, enginetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := newTally()
	for _, text := range res.Alerts {
		var a alert
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		found.add(&a)
	}
	rows, others := found.against(b.planted, time.Unix(0, res.Stats.Watermark))
	planted := 0
	for _, row := range rows {
		planted += row.planted
		if row.found != row.planted || row.planted == 0 {
			t.Errorf("%s: %d of %d planted were found", row.rule, row.found, row.planted)
		}
	}
	if others != 0 || planted < 80 {
		t.Errorf("%d alerts beside %d planted attacks", others, planted)
	}
	if s := res.Stats; s.Undecodable+s.Undeclared+s.Late != 0 || len(s.Mismatches) != 0 {
		t.Errorf("%+v", s)
	}
}
