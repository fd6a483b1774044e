package sinks

// progress is how far a sink has come: which rows were read, and which of them are done.
// A row is done when it was delivered, refused and kept, dropped, or not meant for the
// sink. Only done rows without one before them that is not can be acknowledged.
type progress struct {
	rows  []rowState // from the first that is not done
	first int        // ordinal of rows[0]: rows have ordinals in the order they were read
}

type rowState struct {
	number uint64
	size   int
	done   bool
}

// next is the ordinal that the next row gets.
func (p *progress) next() int { return p.first + len(p.rows) }

func (p *progress) read(number uint64, size int) {
	p.rows = append(p.rows, rowState{number: number, size: size})
}

// finish marks rows as done. It returns the number of the last that can be acknowledged by
// it, 0 where there is none, and the bytes of all that can.
func (p *progress) finish(ordinals ...int) (last uint64, bytes int) {
	for _, at := range ordinals {
		p.rows[at-p.first].done = true
	}
	rows := 0
	for rows < len(p.rows) && p.rows[rows].done {
		last = p.rows[rows].number
		bytes += p.rows[rows].size
		rows++
	}
	p.rows, p.first = p.rows[rows:], p.first+rows
	return last, bytes
}

// oldest reports whether a row is the first that is not done.
func (p *progress) oldest(ordinal int) bool { return ordinal == p.first }
