package event

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func scratchAlert() *Alert {
	rec := []byte(`{"type":"payment","ts":1700000000123,"card":"c000123","amount":512.34,"country":"DE","merchant":"m042"}`)
	return &Alert{ID: "0123456789abcdef0123456789abcdef", Rule: "sequence", Version: "1f2e3d4c5b6a", Severity: "medium", Key: []Named{{"card", OfString("c000123")}}, Time: 1700000000123e6, Start: 1700000000100e6, End: 1700000000123e6,
		Fields: []Named{{"first", OfFloat(12.34)}, {"second", OfFloat(951.07)}}, EventsTotal: 2, Events: []Evidence{{"a", 1700000000100e6, rec}, {"b", 1700000000123e6, rec}}}
}
func TestScratchAlert(t *testing.T) {
	a := scratchAlert()
	var b []byte
	var all []float64
	for range 5000 {
		s := time.Now()
		for range 100 {
			b = a.AppendJSON(b[:0])
		}
		all = append(all, float64(time.Since(s).Nanoseconds())/100)
	}
	slices.Sort(all)
	fmt.Printf("%s\nalert min %.1f median %.1f\n", b, all[0], all[2500])
}
