package keep

import "github.com/cepheus-cep/cepheus/event"

// Renew shows every kept event to again, which changes it in place where the types of
// events, or what is decoded of them, are not what they were. It returns whether slots or
// text are others; else only the event's type counts. Holders and order stay.
func (s *Store) Renew(again func(ev *event.Event) (whole bool)) {
	var ev event.Event
	for ref := range s.entries {
		e := &s.entries[ref]
		if e.holders == 0 {
			continue
		}
		whole := again(s.View(Ref(ref), &ev))
		e.typ = ev.Type
		if !whole {
			continue
		}
		blob, words := s.blobs.Put(len(ev.Slots) + wordsFor(len(ev.Text)))
		copy(words, ev.Slots)
		copy(asBytes(words[len(ev.Slots):]), ev.Text)
		s.blobs.Free(e.blob)
		e.blob, e.id, e.raw = blob, ev.ID, ev.Raw
		e.text, e.slots = uint32(len(ev.Text)), uint32(len(ev.Slots))
	}
}

// Renumber gives every kept event the type that is the new number of its own.
func (l *Log) Renumber(to func(typ int32) int32) {
	for ref := Shown(1); ref < l.next; ref++ {
		if e := l.of(ref); e.holders > 0 {
			words := l.segments[e.at>>segmentShift].words[e.at&(segmentWords-1):]
			renumber(words, to)
		}
	}
}

func renumber(words []uint64, to func(typ int32) int32) {
	const rest = 1<<48 - 1
	if words[0]&wideBit != 0 {
		words[3] = uint64(to(int32(words[3]>>32)))<<32 | words[3]&(1<<32-1)
		return
	}
	typ := to(int32(words[2] >> 48))
	if uint32(typ)>>16 != 0 {
		panic("2^16 types of events while the engine runs")
	}
	words[2] = uint64(typ)<<48 | words[2]&rest
}
