package event

import "unsafe"

// Common is what is known of all events of a batch, so that nobody need look at each of
// them for it. The zero Common knows nothing.
type Common struct {
	Known   bool
	InOrder bool  // their times never decrease
	Type    int32 // of all; -1 where they have several, or there are none
	Part    int32 // of all; -1 likewise
	// Words are the Slots of all, which stand one after the other, Width words each; nil
	// where they do not, or are not of one type.
	Words []uint64
	Width int
}

// CommonOf looks at events.
func CommonOf(events []Event) Common {
	if len(events) == 0 {
		return Common{Known: true, InOrder: true, Type: -1, Part: -1}
	}
	first := &events[0]
	c := Common{Known: true, InOrder: true, Type: first.Type, Part: first.Part, Width: len(first.Slots)}
	at, last := unsafe.Pointer(unsafe.SliceData(first.Slots)), first.Time
	together := c.Width > 0
	for i := range events {
		e := &events[i]
		if e.Type != c.Type {
			c.Type = -1
		}
		if e.Part != c.Part {
			c.Part = -1
		}
		c.InOrder = c.InOrder && last <= e.Time
		last = e.Time
		here := uintptr(unsafe.Pointer(unsafe.SliceData(e.Slots)))
		together = together && len(e.Slots) == c.Width && here == uintptr(at)+uintptr(i*c.Width)*unsafe.Sizeof(uint64(0))
	}
	if together && c.Type >= 0 {
		c.Words = unsafe.Slice((*uint64)(at), len(events)*c.Width)
	}
	return c
}

// Among returns what is known of events from to to, of those that c is of.
func (c Common) Among(from, to int) Common {
	if c.Words != nil {
		c.Words = c.Words[from*c.Width : to*c.Width]
	}
	return c
}
