package machine

// KeepPlaces makes a match all keep each combination by itself, as if its conditions
// looked at others; it reports whether it would have counted them.
func (p *Pattern) KeepPlaces() bool {
	counted := p.pool != nil
	p.pool = nil
	return counted
}

// CountByStacks makes a match all that counts use stacks from a number of events on,
// even where a pass over them would cost less.
func (p *Pattern) CountByStacks(few int) {
	if p.pool != nil {
		p.pool.few = few
	}
}
