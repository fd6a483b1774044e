package measure

import (
	"fmt"
	"io"
	"strconv"
)

// Table writes results as they come, a row each. Columns: the median of the runs and the
// best one in events a second, wall and CPU time of an event at the median, allocations an
// event, the collector's share of the CPU time, resident memory at most beyond the loaded
// events (of mode run: of the process), matches, and the time from arrival to alert in
// microseconds (median, 99 %, 99.9 %) at half and at nine tenths of the median rate.
type Table struct{ To io.Writer }

const tableRow = "%-6s %7s %-6s %5s %11s %11s %8s %8s %9s %6s %8s %9s  %-21s %-21s\n"

// Head writes the columns' names.
func (t Table) Head() {
	fmt.Fprintf(t.To, tableRow, "", "size", "mode", "cores", "events/s", "best", "ns", "cpu ns", "allocs", "gc %", "peak MB", "matches", "us at 50 % load", "us at 90 % load")
}

// Add writes a row.
func (t Table) Add(r *Result) {
	row := []any{
		r.Workload, orDash(r.Size > 0, strconv.Itoa(r.Size)), r.Mode, strconv.Itoa(r.Cores),
		fixed(r.Rate(), 0), fixed(r.Best(), 0), fixed(1e9/r.Rate(), 1), fixed(r.CPUNanos(), 1),
		orDash(r.Allocs >= 0, fixed(r.Allocs, 4)), orDash(r.Allocs >= 0, fixed(100*r.GC, 1)),
		fixed(float64(r.PeakKB)/1024, 1), strconv.Itoa(r.Matches),
	}
	for i := range Loads() {
		cell := "-"
		if i < len(r.Arrival) && r.Arrival[i].Alerts > 0 {
			m := r.Arrival[i].Micros
			cell = fmt.Sprintf("%.0f %.0f %.0f", m[0], m[1], m[2])
		}
		row = append(row, cell)
	}
	fmt.Fprintf(t.To, tableRow, row...)
}

func orDash(known bool, text string) string {
	if !known {
		return "-"
	}
	return text
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
