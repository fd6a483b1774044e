package index

// automaton finds all of many constants that a text begins with, ends with or holds, in
// one pass (Aho and Corasick, CACM 18(6), 1975). Its transitions are a table: a row a
// state, a column a class of bytes; bytes that are in no constant are of class 0.
type automaton struct {
	class   [256]uint8
	classes int
	next    []int32   // state*classes + class → state
	outs    [][]int32 // by state: parts that end there
	more    []int32   // by state: the longest other state with parts that ends where it does; 0: none
	parts   []filedPart
}

// filedPart is a constant with the tests that ask for it.
type filedPart struct {
	part
	tests []int32
}

// add files a test under a part. build must follow.
func (a *automaton) add(p part, test int32, at map[part]int32) {
	n, ok := at[p]
	if !ok {
		n = int32(len(a.parts))
		at[p] = n
		a.parts = append(a.parts, filedPart{part: p})
	}
	a.parts[n].tests = append(a.parts[n].tests, test)
}

// build makes the table of all parts.
func (a *automaton) build() {
	a.classify()
	a.state()
	for n := range a.parts {
		s := int32(0)
		for _, b := range []byte(a.parts[n].text) {
			s = a.child(s, int(a.class[b]))
		}
		a.outs[s] = append(a.outs[s], int32(n))
	}
	a.link()
}

// classify gives each byte that some part has a class of its own.
func (a *automaton) classify() {
	var used [256]bool
	for n := range a.parts {
		for _, b := range []byte(a.parts[n].text) {
			used[b] = true
		}
	}
	a.classes = 1
	for b, is := range used {
		if is && a.classes < 256 {
			a.class[b] = uint8(a.classes)
			a.classes++
		}
	}
}

// state adds a state.
func (a *automaton) state() int32 {
	a.next = append(a.next, make([]int32, a.classes)...)
	a.outs, a.more = append(a.outs, nil), append(a.more, 0)
	return int32(len(a.outs) - 1)
}

func (a *automaton) child(s int32, class int) int32 {
	at := int(s)*a.classes + class
	if a.next[at] == 0 {
		n := a.state()
		a.next[at] = n
	}
	return a.next[at]
}

// link completes the table level by level: where a state has no child, that of the
// longest suffix that has one stands in for it.
func (a *automaton) link() {
	suffix := make([]int32, len(a.outs))
	level := []int32{0}
	for len(level) > 0 {
		s := level[0]
		level = level[1:]
		for c := range a.classes {
			at := int(s)*a.classes + c
			fall := int32(0)
			if s != 0 {
				fall = a.next[int(suffix[s])*a.classes+c]
			}
			kid := a.next[at]
			if kid == 0 {
				a.next[at] = fall
				continue
			}
			suffix[kid] = fall
			a.more[kid] = fall
			if len(a.outs[fall]) == 0 {
				a.more[kid] = a.more[fall]
			}
			level = append(level, kid)
		}
	}
}

// find calls hit with the number of each part that the text has where it must have it;
// perhaps several times.
func (a *automaton) find(text []byte, hit func(part int32)) {
	s := int32(0)
	for i, b := range text {
		s = a.next[int(s)*a.classes+int(a.class[b])]
		for t := s; t != 0; t = a.more[t] {
			for _, n := range a.outs[t] {
				p := &a.parts[n]
				if (!p.first || i+1 == len(p.text)) && (!p.last || i+1 == len(text)) {
					hit(n)
				}
			}
		}
	}
}
