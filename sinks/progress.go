package sinks

// progress is how far a sink has come: which rows were read, and which of them are done.
// A row is done when it was delivered, refused and kept, dropped, or not meant for the
// sink. Only done rows without one before them that is not can be acknowledged.
type progress struct {
	rows  []rowState // from the first that is not done, at head; those before it are free
	head  int
	first int // ordinal of the row at head: rows have ordinals in the order they were read

	open, openBytes int // rows that are not done, and their size
}

type rowState struct {
	number uint64
	size   int
	done   bool
}

// next is the ordinal that the next row gets.
func (p *progress) next() int { return p.first + p.waiting() }

// waiting is how many rows were read since the first that is not done.
func (p *progress) waiting() int { return len(p.rows) - p.head }

func (p *progress) read(number uint64, size int) {
	p.rows = append(p.rows, rowState{number: number, size: size})
	p.open++
	p.openBytes += size
}

// finish marks rows as done. It returns the number of the last that can be acknowledged by
// it, 0 where there is none, and the bytes of all that can.
func (p *progress) finish(ordinals ...int) (last uint64, bytes int) {
	for _, at := range ordinals {
		row := &p.rows[p.head+at-p.first]
		row.done = true
		p.openBytes -= row.size
	}
	p.open -= len(ordinals)
	for p.head < len(p.rows) && p.rows[p.head].done {
		last = p.rows[p.head].number
		bytes += p.rows[p.head].size
		p.head++
		p.first++
	}
	p.tidy()
	return last, bytes
}

// tidy takes the free rows out where they are half of all.
func (p *progress) tidy() {
	if 2*p.head < len(p.rows) {
		return
	}
	p.rows = p.rows[:copy(p.rows, p.rows[p.head:])]
	p.head = 0
}

// oldest reports whether a row is the first that is not done.
func (p *progress) oldest(ordinal int) bool { return ordinal == p.first }
