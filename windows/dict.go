package windows

import (
	"hash/maphash"
	"math"
	"math/bits"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// dict counts values: an open-addressing table over entries in one slice, strings in
// one text, no pointer a value. While it has few entries there is no table. Its salt
// is chance, so that nobody can choose values that collide; nothing that can be seen
// depends on it, since results follow the numbers of events, never the table.
type dict struct {
	table   []uint64 // hash, then entry + 1; 0: empty. A power of two long
	entries []entry
	text    []byte
	free    uint32 // head of the list of free entries, linked by first; entry + 1
	live    uint32
	waste   uint32 // bytes of text that no live entry has
	isText  bool
	seed    maphash.Seed
	salt    uint64
	ranked  *ranking // nil: top is not asked for, or seldom
}

// entry is one value and how often it is there. An entry with count 0 is free.
type entry struct {
	value       uint64 // a number; a short text itself; of a longer one an event.Ref into text
	hash        uint32 // with the bit isShort
	count       uint32 // stops at its greatest, which only a State that never evicts can reach
	first, last uint32 // numbers of the first and last live events that have it
}

// isShort marks the hash of a text that stands in its entry: one of at most maxShort
// bytes, most of those that are counted, which is as quick as a number.
const (
	isShort  = 1 << 31
	maxShort = 7
)

// pack makes a word of a short text: its bytes, then their number.
func pack(s string) uint64 {
	var b [8]byte
	for i := range len(s) {
		b[i&7] = s[i]
	}
	b[maxShort] = byte(len(s))
	return *(*uint64)(unsafe.Pointer(&b))
}

// smallDict is the number of entries up to which a dict is searched from end to end.
const smallDict = 8

func newDict(isText bool) dict {
	seed := maphash.MakeSeed()
	return dict{isText: isText, seed: seed, salt: maphash.String(seed, "")}
}

// keyOf returns the word of a value, if it fits one, and its hash.
func (d *dict) keyOf(v uint64, s string) (uint64, uint32) {
	mark := uint32(0)
	if d.isText {
		if len(s) > maxShort {
			return 0, uint32(maphash.String(d.seed, s)) &^ isShort
		}
		v, mark = pack(s), isShort
	}
	hi, lo := bits.Mul64(v^d.salt, 0x9e3779b97f4a7c15)
	return v, uint32((hi^lo)>>16)&^isShort | mark
}

func (d *dict) equal(e *entry, hash uint32, v uint64, s string) bool {
	if e.hash != hash || e.count == 0 {
		return false
	}
	if d.isLong(hash) {
		return d.view(e) == s
	}
	return e.value == v
}

// isLong reports whether values of the hash are in text.
func (d *dict) isLong(hash uint32) bool { return d.isText && hash&isShort == 0 }

// view returns the text of an entry; it is valid until the dict changes.
func (d *dict) view(e *entry) string {
	if e.hash&isShort != 0 {
		b := (*[8]byte)(unsafe.Pointer(&e.value))
		return unsafe.String(&b[0], b[maxShort])
	}
	b := event.Ref(e.value).Bytes(d.text)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// add counts one more of the value, given by event number, and returns its entry; if
// it was there before, also the event that gave it last.
func (d *dict) add(v uint64, s string, number uint32) (id, before uint32, again bool) {
	v, hash := d.keyOf(v, s)
	id, again = d.find(hash, v, s)
	if again {
		d.strike(id)
	} else {
		id = d.insert(hash, v, s)
		d.entries[id].first = number
	}
	e := &d.entries[id]
	before, e.last = e.last, number
	if e.count < math.MaxUint32 {
		e.count++
	}
	d.enrol(id)
	return id, before, again
}

// has reports whether the value is there.
func (d *dict) has(v uint64, s string) bool {
	v, hash := d.keyOf(v, s)
	_, ok := d.find(hash, v, s)
	return ok
}

func (d *dict) find(hash uint32, v uint64, s string) (uint32, bool) {
	if d.table == nil {
		for i := range d.entries {
			if d.equal(&d.entries[i], hash, v, s) {
				return uint32(i), true
			}
		}
		return 0, false
	}
	mask := uint32(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at := d.table[i]
		if at == 0 {
			return 0, false
		}
		// The entries are far away: one of another hash is not looked at.
		if id := uint32(at) - 1; uint32(at>>32) == hash && d.equal(&d.entries[id], hash, v, s) {
			return id, true
		}
	}
}

func (d *dict) insert(hash uint32, v uint64, s string) uint32 {
	if d.isLong(hash) {
		v = uint64(event.MakeRef(len(d.text), len(s)))
		d.text = append(d.text, s...)
	}
	id := uint32(len(d.entries))
	if d.free != 0 {
		id = d.free - 1
		d.free = d.entries[id].first
	} else {
		d.entries = append(d.entries, entry{})
	}
	d.entries[id] = entry{value: v, hash: hash}
	d.live++
	if d.table == nil && len(d.entries) > smallDict || d.table != nil && int(d.live) > len(d.table)/4*3 {
		d.rehash(max(4*smallDict, 2*len(d.table)), id)
	} else if d.table != nil {
		d.place(id)
	}
	return id
}

// place enters an entry into the table.
func (d *dict) place(id uint32) {
	mask, hash := uint32(len(d.table)-1), d.entries[id].hash
	i := hash & mask
	for d.table[i] != 0 {
		i = (i + 1) & mask
	}
	d.table[i] = uint64(hash)<<32 | uint64(id+1)
}

// rehash builds a table of n places from the live entries and the new one.
func (d *dict) rehash(n int, fresh uint32) {
	d.table = make([]uint64, n)
	for i := range d.entries {
		if d.entries[i].count > 0 || uint32(i) == fresh {
			d.place(uint32(i))
		}
	}
}

// drop takes one of an entry away; next is the number of the next event that has it,
// and counts only where one is left.
func (d *dict) drop(id, next uint32) {
	d.strike(id)
	e := &d.entries[id]
	e.count--
	if e.count > 0 {
		e.first = next
		d.enrol(id)
		return
	}
	d.unplace(id)
	d.live--
	e.first, d.free = d.free, id+1
	if d.isLong(e.hash) {
		d.waste += uint32(e.value)
		d.compact()
	}
	if d.live == 0 {
		d.entries, d.free = d.entries[:0], 0
	}
}

// sparse reports that few of many entries are live.
func (d *dict) sparse() bool { return cap(d.entries) > 8*smallDict && int(d.live) <= cap(d.entries)/4 }

// renumber moves the live entries to the front of smaller memory and returns their
// new numbers by the old ones.
func (d *dict) renumber() []uint32 {
	numbers := make([]uint32, len(d.entries))
	entries := make([]entry, 0, d.live)
	for i := range d.entries {
		if d.entries[i].count > 0 {
			numbers[i] = uint32(len(entries))
			entries = append(entries, d.entries[i])
		}
	}
	d.entries, d.free, d.table = entries, 0, nil
	d.compact()
	if len(entries) > smallDict {
		n := 4 * smallDict
		for int(d.live) > n/4*3 {
			n *= 2
		}
		d.rehash(n, 0)
	}
	return numbers
}

// unplace removes an entry from the table and closes the gap: entries after it move
// back unless that would put them before their own place.
func (d *dict) unplace(id uint32) {
	if d.table == nil {
		return
	}
	mask := uint32(len(d.table) - 1)
	i := d.entries[id].hash & mask
	for uint32(d.table[i]) != id+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; d.table[j] != 0; j = (j + 1) & mask {
		home := uint32(d.table[j]>>32) & mask
		if (j-home)&mask >= (j-i)&mask {
			d.table[i] = d.table[j]
			i = j
		}
	}
	d.table[i] = 0
}

// compact rewrites the text when half of it is waste.
func (d *dict) compact() {
	if d.live == 0 {
		d.text, d.waste = d.text[:0], 0
		if cap(d.text) > 1<<10 {
			d.text = nil
		}
	}
	if int(d.waste) <= 64+len(d.text)/2 {
		return
	}
	text := make([]byte, 0, len(d.text)-int(d.waste))
	for i := range d.entries {
		if e := &d.entries[i]; e.count > 0 && d.isLong(e.hash) {
			b := event.Ref(e.value).Bytes(d.text)
			e.value = uint64(event.MakeRef(len(text), len(b)))
			text = append(text, b...)
		}
	}
	d.text, d.waste = text, 0
}

func (d *dict) bytes() int {
	n := int(unsafe.Sizeof(*d)) + 8*cap(d.table) + int(unsafe.Sizeof(entry{}))*cap(d.entries) + cap(d.text)
	if d.ranked != nil {
		n += d.ranked.keys.bytes()
	}
	return n
}
