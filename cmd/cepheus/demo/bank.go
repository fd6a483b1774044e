package demo

import (
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// record is an event of the bank: JSON, and the card that it is of.
type record struct {
	at   time.Time
	card string
	json []byte
}

// attack is one that the bank has planted: a rule is to find it on a card, once time has
// come to due.
type attack struct {
	rule, card string
	due        time.Time
}

// bank draws the events of many cards: everyday payments, and now and then an attack, each
// on a card of its own. What it draws depends on its seed and on what it is asked for alone.
type bank struct {
	*rand.Rand
	now     time.Time
	coming  schedule
	planted []attack
	cards   int // of everyday life
	victims int // cards attacked so far
	numbers int // of payments and devices
	plans   int // events planned so far
}

func newBank(start time.Time, cards int, seed uint64) *bank {
	return &bank{Rand: rand.New(rand.NewPCG(seed, 0)), now: start, cards: cards} // #nosec G404 -- made-up payments, alike for one seed
}

// until appends all events up to a time, in order, with n everyday payments spread over
// the time since the last call.
func (b *bank) until(end time.Time, n int, into []record) []record {
	span := end.Sub(b.now)
	for i := range n {
		b.everyday(b.now.Add(time.Duration(float64(span) * (float64(i) + 0.5) / float64(n))))
	}
	b.now = end
	for len(b.coming) > 0 && b.coming[0].at.Before(end) {
		into = append(into, heap.Pop(&b.coming).(planned).record)
	}
	return into
}

// plant begins an attack of the kind that is next; its events are still to come.
func (b *bank) plant() {
	kinds := [...]func(*holder) (rule string, due time.Time){
		b.cardTesting, b.guessing, b.twoCountries, b.takeover, b.velocity, b.large, b.spendingJump, b.unsettled,
	}
	h := b.victim()
	rule, due := kinds[b.victims%len(kinds)](h)
	b.victims++
	b.planted = append(b.planted, attack{rule, h.card, due})
}

// holder is a card and its habits, which follow from its number.
type holder struct {
	card, country, shop string
	mean                float64
}

func (b *bank) victim() *holder { return holderOf("x", b.victims) }

func holderOf(prefix string, n int) *holder {
	countries := [...]string{"DE", "AT", "FR", "NL", "DK", "PL", "ES", "PT"}
	shops := [...]string{"Alder Books", "Brook Bakery", "Cobalt Fuel", "Dune Outdoor", "Ember Pizza", "Fjord Fish", "Grove Grocer"}
	return &holder{
		card: fmt.Sprintf("card-%s%05d", prefix, n), country: countries[n%len(countries)], shop: shops[n%len(shops)],
		mean: 12 + float64(n*7%30),
	}
}

// payment is what is drawn of one; the rest is the holder's.
type payment struct {
	amount                             float64
	country, channel, status, merchant string
}

func (b *bank) usual(h *holder) payment {
	channel := "chip"
	if b.IntN(3) == 0 {
		channel = "online"
	}
	return payment{b.around(h.mean), h.country, channel, "approved", h.shop}
}

// around draws an amount as people spend it, never far from the mean.
func (b *bank) around(mean float64) float64 {
	return cents(mean * math.Exp(max(-0.7, min(0.7, 0.3*b.NormFloat64()))))
}

func (b *bank) spread(from, to float64) float64 { return cents(from + (to-from)*b.Float64()) }

func cents(x float64) float64 { return math.Round(x*100) / 100 }

// between draws a time after another.
func (b *bank) between(after time.Time, least, most time.Duration) time.Time {
	return after.Add((least + time.Duration(b.Int64N(int64(most-least)))).Truncate(time.Millisecond))
}

// everyday is a payment as there are many: now and then refused, without a merchant's name,
// or so large that it is settled on its own.
func (b *bank) everyday(at time.Time) {
	h := holderOf("", b.IntN(b.cards))
	p := b.usual(h)
	switch b.IntN(200) {
	case 0:
		p.status = "refused"
	case 1:
		p.merchant = ""
	case 2:
		p.amount, p.channel = b.spread(1000, 1400), "online"
		b.settle(b.between(at, time.Minute, 25*time.Minute), h, b.pay(at, h, p))
		return
	case 3:
		b.enrol(at, h, true)
		return
	}
	b.pay(at, h, p)
}

func (b *bank) cardTesting(h *holder) (rule string, due time.Time) {
	p, at := payment{0, h.country, "online", "approved", "Kiosk Online"}, b.now
	for range 3 + b.IntN(2) { // with the last payment too few to show as velocity
		p.amount = b.spread(0.5, 1.9)
		b.pay(at, h, p)
		at = b.between(at, 5*time.Second, 40*time.Second)
	}
	p.amount, p.merchant = b.spread(200, 800), "Lumen Electronics"
	b.pay(at, h, p)
	return "card_testing", at
}

func (b *bank) guessing(h *holder) (rule string, due time.Time) {
	p, at := payment{b.around(h.mean), h.country, "online", "refused", "Orchid Gift Cards"}, b.now
	for range 4 + b.IntN(2) {
		b.pay(at, h, p)
		at = b.between(at, 8*time.Second, 25*time.Second)
	}
	p.status = "approved"
	b.pay(at, h, p)
	return "guessing", at
}

func (b *bank) twoCountries(h *holder) (rule string, due time.Time) {
	p := payment{b.around(h.mean), h.country, "chip", "approved", h.shop}
	b.pay(b.now, h, p)
	at := b.between(b.now, 2*time.Minute, 10*time.Minute)
	p.country, p.merchant = [...]string{"US", "BR", "SG"}[b.IntN(3)], "Meridian Mall"
	b.pay(at, h, p)
	return "two_countries", at
}

func (b *bank) takeover(h *holder) (rule string, due time.Time) {
	b.enrol(b.now, h, false)
	at := b.between(b.now, 2*time.Minute, 20*time.Minute)
	b.pay(at, h, payment{b.spread(250, 900), h.country, "online", "approved", "Lumen Electronics"})
	return "takeover", at
}

func (b *bank) velocity(h *holder) (rule string, due time.Time) {
	p, at := b.usual(h), b.now
	p.channel = "online"
	for i := range 9 {
		p.amount = b.spread(30, 50)
		b.pay(at, h, p)
		if i < 6 { // the sixth is one too many
			due = at
		}
		at = b.between(at, 5*time.Second, 25*time.Second)
	}
	return "velocity", due
}

func (b *bank) large(h *holder) (rule string, due time.Time) {
	p := b.usual(h)
	p.amount, p.channel = b.spread(2600, 6000), "online"
	b.settle(b.between(b.now, time.Minute, 25*time.Minute), h, b.pay(b.now, h, p))
	return "large_payment", b.now
}

func (b *bank) spendingJump(h *holder) (rule string, due time.Time) {
	p, at := b.usual(h), b.now
	p.channel = "chip"
	for range 12 {
		p.amount = b.around(h.mean)
		b.pay(at, h, p)
		at = b.between(at, time.Minute, 2*time.Minute)
	}
	p.amount, p.merchant = cents(20*h.mean), "Nova Jewellers"
	b.pay(at, h, p)
	return "spending_jump", at
}

func (b *bank) unsettled(h *holder) (rule string, due time.Time) {
	p := b.usual(h)
	p.amount, p.channel = b.spread(1000, 1400), "online"
	b.pay(b.now, h, p)
	return "unsettled", b.now.Add(30 * time.Minute)
}

// pay plans a payment and returns its id.
func (b *bank) pay(at time.Time, h *holder, p payment) (id string) {
	id = b.number("p")
	json := b.begin("payment", at)
	json = fmt.Appendf(json, `,"payment_id":%q,"card":%q,"amount":%s,"country":%q,"channel":%q,"status":%q`,
		id, h.card, strconv.FormatFloat(p.amount, 'f', -1, 64), p.country, p.channel, p.status)
	if p.merchant != "" {
		json = fmt.Appendf(json, `,"merchant":%q`, p.merchant)
	}
	b.plan(at, h, json)
	return id
}

func (b *bank) settle(at time.Time, h *holder, id string) {
	b.plan(at, h, fmt.Appendf(b.begin("settlement", at), `,"payment_id":%q,"card":%q`, id, h.card))
}

// enrol plans that a device is enrolled, and perhaps confirmed before anything is bought.
func (b *bank) enrol(at time.Time, h *holder, confirmed bool) {
	b.device("device_enrolled", at, h)
	if confirmed {
		b.device("device_confirmed", b.between(at, time.Second, 20*time.Second), h)
	}
}

func (b *bank) device(kind string, at time.Time, h *holder) {
	b.plan(at, h, fmt.Appendf(b.begin(kind, at), `,"id":%q,"card":%q,"device":%q`, b.number("d"), h.card, "dev"+h.card[4:]))
}

func (b *bank) number(prefix string) string {
	b.numbers++
	return prefix + strconv.Itoa(b.numbers)
}

func (b *bank) begin(kind string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"type":%q,"at":%q`, kind, at.UTC().Format("2006-01-02T15:04:05.000Z"))
}

func (b *bank) plan(at time.Time, h *holder, json []byte) {
	b.plans++
	heap.Push(&b.coming, planned{record{at, h.card, append(json, '}')}, b.plans})
}

// planned is a record that is to come; of those of one time the first planned is the first.
type planned struct {
	record
	serial int
}

type schedule []planned

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return cmp.Or(s[i].at.Compare(s[j].at), cmp.Compare(s[i].serial, s[j].serial)) < 0
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

// Push is of heap.Interface.
func (s *schedule) Push(x any) { *s = append(*s, x.(planned)) }

// Pop is of heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	p := (*s)[last]
	*s = (*s)[:last]
	return p
}
