package api

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// outbox is rows whose oldest are gone.
type outbox struct{ first, last uint64 }

func (o *outbox) Rows(_ context.Context, after uint64, visit func(uint64, []byte) error) error {
	for row := max(after+1, o.first); row <= o.last; row++ {
		if err := visit(row, fmt.Appendf(nil, `{"rule":"r%d"}`, row%3)); err != nil {
			return err
		}
	}
	return nil
}

// Whoever follows sees each row, or is told that it is lost, in order and once.
func TestNoAlertIsLostSilently(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := &outbox{first: 1, last: rapid.Uint64Range(0, 20).Draw(rt, "before")}
		r := NewRecent(rows, RecentOptions{Alerts: rapid.IntRange(1, 10).Draw(rt, "kept"), Last: rows.last})
		at := rows.last
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			rows.last += rapid.Uint64Range(0, 15).Draw(rt, "more")
			rows.first = rapid.Uint64Range(rows.first, rows.last+1).Draw(rt, "gone")
			if err := r.Committed(t.Context(), rows.last); err != nil {
				rt.Fatal(err)
			}
			if !rapid.Bool().Draw(rt, "follow") {
				continue
			}
			alerts, lost, _ := r.after(at, 5)
			at = max(at, lost)
			for _, a := range alerts {
				if a.row <= lost {
					continue
				}
				if a.row != at+1 {
					rt.Fatalf("row %d after %d, and nothing is said of a loss", a.row, at)
				}
				at = a.row
			}
		}
	})
}
