package gen

import (
	"bytes"
	"math"
	"strconv"
)

// start is the time of the first event, in milliseconds since the Unix epoch. It lies on
// no boundary of a minute.
const start = 1_700_000_000_000

const (
	countries = "ARATAUBEBGBRCACHCLCNCOCZDEDKEEEGESFIFRGBGRHKHRHUIDIEILINITJPKRLTLULVMAMXMYNLNONZPEPHPLPTROSESGTRUSZA"
	merchants = 1000
)

// Payment is one payment. Card, Country and Merchant are numbers from 0, which the text
// writes as names.
type Payment struct {
	TS                      int64 // milliseconds since the Unix epoch
	Card, Country, Merchant int
	Amount                  float64 // of two digits after the point, as the text has it
}

// Payments is an endless stream of payments, a millisecond apart on average. It is owned
// by one goroutine.
type Payments struct {
	rnd   *twister
	cards float64
	now   float64 // milliseconds since the Unix epoch
	text  []byte
}

// NewPayments starts a stream of payments by the given number of cards, which must
// be positive. The same seed and number of cards give the same payments, those of
// `gen.py payment --seed --cards`; a longer stream begins with a shorter one.
func NewPayments(seed uint64, cards int) *Payments {
	return &Payments{rnd: newTwister(seed), cards: float64(cards), now: start}
}

// Next makes the next payment.
func (p *Payments) Next() Payment {
	p.now += p.rnd.gap()
	next := Payment{TS: int64(p.now), Card: int(p.cards * math.Pow(p.rnd.float(), 1.5))}
	next.Amount = p.rounded(p.rnd.float() * 1000)
	next.Country = p.rnd.below(len(countries) / 2)
	next.Merchant = p.rnd.below(merchants)
	return next
}

// rounded is what reads back from x written with two digits after the point.
func (p *Payments) rounded(x float64) float64 {
	p.text = strconv.AppendFloat(p.text[:0], x, 'f', 2, 64)
	x, _ = strconv.ParseFloat(string(p.text), 64) // what was written can be read
	return x
}

// Append appends the next payment as a JSON object and a line feed.
func (p *Payments) Append(b []byte) []byte { return p.Next().Append(b) }

// Append appends the payment as a JSON object and a line feed.
func (p Payment) Append(b []byte) []byte {
	b = append(b, `{"type":"payment","ts":`...)
	b = strconv.AppendInt(b, p.TS, 10)
	b = append(b, `,"card":"c`...)
	b = appendPadded(b, p.Card, 6)
	b = append(b, `","amount":`...)
	b = strconv.AppendFloat(b, p.Amount, 'f', 2, 64)
	b = append(b, `,"country":"`...)
	b = append(b, countries[2*p.Country:2*p.Country+2]...)
	b = append(b, `","merchant":"m`...)
	b = appendPadded(b, p.Merchant, 3)
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
