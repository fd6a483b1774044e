package windows

import "math"

// ranking keeps the live entries of a dict in the order of top: the most frequent
// first, ties by first event. It is there only while it is asked for often enough, is
// not written, and changes no result: with it top costs O(log n) an event and O(k log n)
// an answer, however many different values there are.
type ranking struct {
	keys ordered
	byID bool // entries are in order of first event: the values never leave
	idle uint32
}

// fewRanked is the number of values up to which sorting them is as good.
const fewRanked = 64

// key is less the earlier the entry is in the order.
func (r *ranking) key(id uint32, e *entry) uint64 {
	tie := e.first
	if r.byID {
		tie = id
	}
	return uint64(math.MaxUint32-e.count)<<32 | uint64(tie)
}

// rank makes the ranking of a dict, if there is none.
func (d *dict) rank(byID bool) *ranking {
	if d.ranked == nil {
		d.ranked = &ranking{byID: byID}
		for i := range d.entries {
			if d.entries[i].count > 0 {
				d.enrol(uint32(i))
			}
		}
	}
	d.ranked.idle = 0
	return d.ranked
}

// enrol enters a live entry into the ranking.
func (d *dict) enrol(id uint32) {
	if d.ranked != nil {
		d.ranked.keys.insert(d.ranked.key(id, &d.entries[id]))
	}
}

// strike takes an entry that is about to change out of the ranking. A ranking that
// nobody has asked for while all values could have changed is given up.
func (d *dict) strike(id uint32) {
	r := d.ranked
	if r == nil {
		return
	}
	if r.idle++; r.idle > d.live {
		d.ranked = nil
		return
	}
	r.keys.remove(r.key(id, &d.entries[id]))
}
