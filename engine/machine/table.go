package machine

// table is a room's runs by a hash of their values: the first run of each bucket, of which
// there is a power of two. The runs of a bucket are linked as those of a queue are.
type table []int32

// bucket is the place of a value.
func (t table) bucket(value uint64) *int32 {
	return &t[value*spread>>32&uint64(len(t)-1)]
}

// enterTable puts a run into the table of a room, making or growing it first where it must be.
func (k *lineKey) enterTable(st *roomState, i int32) {
	s := k.store
	if st.index == 0 {
		st.index = -s.newTable()
		head := st.head
		st.head, st.tail = 0, 0
		for head != 0 {
			behind := s.runs[head].behind
			s.insertTable(s.tables[-st.index], head)
			head = behind
		}
	}
	if t := s.tables[-st.index]; int(st.n) > 2*len(t) {
		all := s.listTable(t, nil)
		t = make(table, 4*len(t))
		for _, j := range all {
			s.insertTable(t, j)
		}
		s.tables[-st.index] = t
	}
	s.insertTable(s.tables[-st.index], i)
}

func (s *lineStore) newTable() int32 {
	if last := len(s.spareTables) - 1; last >= 0 {
		t := s.spareTables[last]
		s.spareTables = s.spareTables[:last]
		return t
	}
	s.tables = append(s.tables, make(table, indexAtLeast))
	return int32(len(s.tables) - 1)
}

func (s *lineStore) insertTable(t table, i int32) {
	w := &s.runs[i]
	b := t.bucket(w.value)
	w.before, w.behind = 0, *b
	if *b != 0 {
		s.runs[*b].before = i
	}
	*b = i
}

// leaveTable takes a run out; an empty table goes back, a large one for good.
func (k *lineKey) leaveTable(st *roomState, w *waiter) {
	s := k.store
	t := s.tables[-st.index]
	if w.behind != 0 {
		s.runs[w.behind].before = w.before
	}
	if w.before != 0 {
		s.runs[w.before].behind = w.behind
	} else {
		*t.bucket(w.value) = w.behind
	}
	if st.n > 0 {
		return
	}
	if len(t) > 64*indexAtLeast {
		s.tables[-st.index] = make(table, indexAtLeast)
	}
	s.spareTables = append(s.spareTables, -st.index)
	st.index = 0
}

// listTable lists all runs of a table.
func (s *lineStore) listTable(t table, into []int32) []int32 {
	for _, i := range t {
		for ; i != 0; i = s.runs[i].behind {
			into = append(into, i)
		}
	}
	return into
}
