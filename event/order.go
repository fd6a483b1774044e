package event

// Records of one type mostly have the same keys in the same order. An order is the
// keys of the last object of its kind, by place: where a record has them again, a
// key costs one comparison, and whose field it is is known without looking it up.
type order struct{ keys []orderKey }

// orderKey is one remembered key.
type orderKey struct {
	text    []byte // with its quotes and colon
	version uint64 // names this key at this place: never 0, never the same again
	role    role
}

// role is what a key of a record's own object may mean to the decoder.
type role uint8

const (
	noRole role = iota
	typeRole
	specRole
)

// Bounds of what is remembered: places and bytes of a key in an order, and orders.
const (
	maxPlaces = 64
	maxKey    = 64
	maxOrders = 64
)

// orders are the orders of a decoder's records: one for each type where the type
// comes first, else one for all.
type orders struct {
	typeField string
	version   uint64
	first     order // of records whose type is not known by their first member
	byType    []*typeOrder
	order     *order // of the record at hand, from its second member on
}

type typeOrder struct {
	name string
	order
}

// pick chooses the order of a record by its first member.
func (s *scanner) pick(m *member) *order {
	if !m.known || s.first.keys[0].role != typeRole || m.shape != isString {
		return &s.first
	}
	name := s.text[m.val:m.end]
	for i, o := range s.byType {
		if string(name) == o.name {
			if i > 0 { // nearer to the front
				s.byType[i], s.byType[i-1] = s.byType[i-1], o
			}
			s.order = &o.order
			return s.order
		}
	}
	if len(s.byType) == maxOrders || len(name) > maxKey {
		return &s.first
	}
	o := &typeOrder{name: string(name)}
	s.learn(&o.order, 0, s.text[m.key:m.keyEnd])
	s.byType = append(s.byType, o)
	s.order = &o.order
	return s.order
}

// learn remembers the k-th key of an object; false where that is beyond the bounds.
func (s *scanner) learn(o *order, k int, key []byte) bool {
	if k >= maxPlaces || k > len(o.keys) || len(key) > maxKey {
		return false
	}
	if k == len(o.keys) {
		o.keys = append(o.keys, orderKey{})
	}
	e := &o.keys[k]
	if len(e.text) == len(key)+3 && string(e.text[1:len(key)+1]) == string(key) {
		return true // only written otherwise, with a space before its colon
	}
	s.version++
	e.version = s.version
	e.text = append(append(append(e.text[:0], '"'), key...), '"', ':')
	e.role = noRole
	switch string(key) {
	case s.typeField:
		e.role = typeRole
	case "specversion":
		e.role = specRole
	}
	return true
}
