package gen

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
)

// start is the time of the first payment, in milliseconds since the Unix epoch. It
// lies on no boundary of a minute.
const start = 1_700_000_000_000

const (
	countries = "ARATAUBEBGBRCACHCLCNCOCZDEDKEEEGESFIFRGBGRHKHRHUIDIEILINITJPKRLTLULVMAMXMYNLNONZPEPHPLPTROSESGTRUSZA"
	merchants = 1000
)

// Payments is an endless stream of payments. It is owned by one goroutine.
type Payments struct {
	rnd   *rand.Rand
	cards int
	now   float64 // milliseconds since the Unix epoch
}

// NewPayments starts a stream of payments by the given number of cards, which must
// be positive. The same seed and number of cards give the same bytes.
func NewPayments(seed uint64, cards int) *Payments {
	return &Payments{rnd: rand.New(rand.NewPCG(seed, 0)), cards: cards, now: start}
}

// Append appends the next payment as a JSON object and a line feed.
func (p *Payments) Append(b []byte) []byte {
	p.now += p.rnd.ExpFloat64()
	card := int(float64(p.cards) * math.Pow(p.rnd.Float64(), 1.5))
	cents := p.rnd.IntN(100_000)
	country := 2 * p.rnd.IntN(len(countries)/2)
	b = append(b, `{"type":"payment","ts":`...)
	b = strconv.AppendInt(b, int64(p.now), 10)
	b = append(b, `,"card":"c`...)
	b = appendPadded(b, card, 6)
	b = append(b, `","amount":`...)
	b = strconv.AppendInt(b, int64(cents/100), 10)
	b = append(b, '.')
	b = appendPadded(b, cents%100, 2)
	b = append(b, `,"country":"`...)
	b = append(b, countries[country:country+2]...)
	b = append(b, `","merchant":"m`...)
	b = appendPadded(b, p.rnd.IntN(merchants), 3)
	return append(b, '"', '}', '\n')
}

// Take returns the next n payments as JSON lines, in memory of its own.
func (p *Payments) Take(n int) []byte {
	var b bytes.Buffer
	b.Grow(n * 110)
	for range n {
		b.Write(p.Append(b.AvailableBuffer()))
	}
	return b.Bytes()
}

// appendPadded appends n in decimal with zeros before it, at least width digits.
func appendPadded(b []byte, n, width int) []byte {
	for limit := int(math.Pow10(width - 1)); n < limit && limit > 1; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
