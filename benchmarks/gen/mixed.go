package gen

import (
	"math/rand/v2"
	"strconv"
)

// MixedType is the name of a type of [Mixed].
func MixedType(n int) string { return "payment_" + strconv.Itoa(n) }

// MixedDeclaration declares a type of [Mixed] in the rule language.
func MixedDeclaration(n int) string {
	return "event " + MixedType(n) + ` (time: ts(ms), id: id, dedup: 10s) {
    id       string
    ts       int
    card     string
    device   string
    amount   float
    country  string
    merchant string
}
`
}

// How the cards of [Mixed] come, in hundredths of its payments, and how many there are.
const (
	hotShare, hotCards       = 15, 20
	regularShare, regularsOf = 80, 1000
	copyShare                = 1 // payments sent a second time, of the same id
)

// Mixed is an endless stream of payments of several types, a thousand a second of each
// in their own time, whose cards come in three ways: a few all the time, a thousand now and then, and one in
// twenty payments is by a card that was never seen before and never comes again. Each
// device pays twice with a type on average, one time shortly after the other. It is owned by one goroutine.
type Mixed struct {
	rnd   *rand.Rand
	types int
	now   float64 // milliseconds since the Unix epoch
	made  uint64
	last  []byte // the payment made last
}

// NewMixed starts a stream of payments of so many types, which must be positive. The
// same seed and number give the same bytes.
func NewMixed(seed uint64, types int) *Mixed {
	return &Mixed{rnd: rand.New(rand.NewPCG(seed, 1)), types: types, now: start}
}

// Append appends the next payment as a JSON object, without a line feed.
func (m *Mixed) Append(b []byte) []byte {
	if m.made > 0 && m.rnd.IntN(100) < copyShare {
		return append(b, m.last...)
	}
	m.now += m.rnd.ExpFloat64() / float64(m.types)
	m.made++
	from := len(b)
	b = append(b, `{"type":"`...)
	b = append(b, MixedType(m.rnd.IntN(m.types))...)
	b = append(b, `","id":"p`...)
	b = strconv.AppendUint(b, m.made, 10)
	b = append(b, `","ts":`...)
	b = strconv.AppendInt(b, int64(m.now), 10)
	b = append(b, `,"card":"`...)
	b = m.card(b)
	b = append(b, `","device":"d`...)
	b = strconv.AppendUint(b, m.made/uint64(2*m.types), 10)
	b = append(b, `","amount":`...)
	cents := m.rnd.IntN(100_000)
	b = strconv.AppendInt(b, int64(cents/100), 10)
	b = append(b, '.')
	b = appendPadded(b, cents%100, 2)
	country := 2 * m.rnd.IntN(len(countries)/2)
	b = append(b, `,"country":"`...)
	b = append(b, countries[country:country+2]...)
	b = append(b, `","merchant":"m`...)
	b = appendPadded(b, m.rnd.IntN(merchants), 3)
	b = append(b, '"', '}')
	m.last = append(m.last[:0], b[from:]...)
	return b
}

// card appends the card of the payment at hand.
func (m *Mixed) card(b []byte) []byte {
	switch n := m.rnd.IntN(100); {
	case n < hotShare:
		return appendPadded(append(b, 'h'), m.rnd.IntN(hotCards), 2)
	case n < hotShare+regularShare:
		return appendPadded(append(b, 'r'), m.rnd.IntN(regularsOf), 4)
	}
	return strconv.AppendUint(append(b, 'n'), m.made, 10)
}
