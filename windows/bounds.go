package windows

import (
	"math"
	"time"
)

const day = 24 * time.Hour

// later and earlier add and subtract a length, stopping at the ends of time.
func later(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

func earlier(t, d int64) int64 {
	if t < math.MinInt64+d {
		return math.MinInt64
	}
	return t - d
}

// floorDiv divides, rounding down; d is positive.
func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}

// tumbling returns the aligned window of length d that holds t.
func tumbling(t, d int64) (start, end int64) {
	start = floorDiv(t, d) * d
	end = start + d // right modulo 2^64 even where start is not
	if start > t {
		start = math.MinInt64
	}
	if end <= t {
		end = math.MaxInt64
	}
	return start, end
}

// calendar returns the window of whole days that holds t in a zone: days are counted
// from 1970-01-01, weeks begin on Monday. Its ends are the first instants at which
// the zone's date is that of the first day or later, so windows have no gap and do
// not overlap where clocks change.
func calendar(t int64, days int64, zone *time.Location) (start, end int64) {
	var monday int64
	if days%7 == 0 {
		monday = -3 // 1970-01-01 was a Thursday
	}
	first := monday + floorDiv(dayNumber(t, zone)-monday, days)*days
	end = midnight(first+days, zone)
	if end <= t { // clocks went back over midnight: the date is yesterday's again
		first += days
		end = midnight(first+days, zone)
	}
	return midnight(first, zone), end
}

// dayNumber is the date of t in a zone, in days since 1970-01-01.
func dayNumber(t int64, zone *time.Location) int64 {
	at := time.Unix(0, t).In(zone)
	_, offset := at.Zone()
	return floorDiv(at.Unix()+int64(offset), int64(day/time.Second))
}

// midnight is the first instant whose date in the zone is day n or later.
func midnight(n int64, zone *time.Location) int64 {
	local := n * int64(day/time.Second)
	from := local - 2*int64(day/time.Second)
	for {
		period := time.Unix(from, 0).In(zone)
		_, offset := period.Zone()
		_, until := period.ZoneBounds()
		at := max(from, local-int64(offset))
		if until.IsZero() || at < until.Unix() {
			return seconds(at)
		}
		from = until.Unix()
	}
}

// seconds converts seconds since the epoch, stopping at the ends of time.
func seconds(s int64) int64 {
	switch {
	case s > math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	case s < math.MinInt64/int64(time.Second):
		return math.MinInt64
	}
	return s * int64(time.Second)
}

// hopping returns how many windows of length d, one every e, hold t, and the start of
// the latest; window i before it starts i·e earlier.
func hopping(t, d, e int64) (latest int64, n int) {
	latest = floorDiv(t, e) * e
	if latest > t { // below the start of time
		return 0, 0
	}
	into := t - latest
	if into >= d {
		return latest, 0
	}
	n = 1 + int((d-1-into)/e)
	for n > 1 && earlier(latest, int64(n-1)*e) == math.MinInt64 {
		n--
	}
	return latest, n
}
