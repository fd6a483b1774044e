package machine

import "math"

// Due is when the engine must call Settle next if no event comes for something to come of
// it; math.MaxInt64: never. What is beyond Deadline and not due is only to be forgotten,
// which may wait: nothing that is said follows from it.
func (p *Pattern) Due(k *PatternKey) int64 {
	switch {
	case p.line != nil && p.line.ends < 0 && p.line.ripens < 0:
	case k.line.open > 0:
		return p.absent(&k.line)
	case k.general != nil && k.waits && len(k.runs) > 0:
		return k.due
	}
	return math.MaxInt64
}

// Due says that nothing comes of a key's windows but at its events.
func (w *Window) Due(*WindowKey) int64 { return math.MaxInt64 }
