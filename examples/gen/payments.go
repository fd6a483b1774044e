package main

import (
	"fmt"
	"time"
)

var paymentsStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

type payment struct {
	Type      string    `json:"type"`
	At        time.Time `json:"at"`
	PaymentID string    `json:"payment_id"`
	Card      string    `json:"card"`
	Amount    float64   `json:"amount"`
	Country   string    `json:"country"`
	Channel   string    `json:"channel"`
	Status    string    `json:"status"`
	Merchant  string    `json:"merchant,omitempty"`
}

type settlement struct {
	Type      string    `json:"type"`
	At        time.Time `json:"at"`
	PaymentID string    `json:"payment_id"`
	Card      string    `json:"card"`
}

type device struct {
	Type   string    `json:"type"`
	At     time.Time `json:"at"`
	ID     string    `json:"id"`
	Card   string    `json:"card"`
	Device string    `json:"device"`
}

// holder is one card and its habits.
type holder struct {
	card, country string
	mean          float64
	shops         []string
}

// bank collects the day's records, numbered as they are made.
type bank struct {
	dice
	records []record
	number  int
	holders []holder
}

// payments makes a day of about 2,000 events. Planted, each on cards of its own:
//
//	card_testing  4 cards: 4 to 7 charges under 2, then one above 200 within 6 minutes
//	velocity      3 cards: 8 to 11 payments in 5 minutes
//	two_countries 3 cards: a chip payment at home, then one abroad within 10 minutes
//	spending_jump 4 cards: after 12 chip payments, one of 20 times the mean
//	guessing      3 cards: 4 or 5 payments refused, then one approved, in 2 minutes
//	takeover      3 cards: a device enrolled, not confirmed, then money spent
//	unsettled     5 payments of 1,000 and more that are never settled
//	large         6 payments above 2,500
func payments(d dice) []record {
	b := &bank{dice: d, holders: holders(d)}
	for range 1700 {
		b.ordinary(&b.holders[b.IntN(100)], b.dayTime())
	}
	attacked := b.holders[100:]
	plant := func(n int, attack func(*holder, time.Duration)) {
		for range n {
			attack(&attacked[0], b.between(2*time.Hour, 22*time.Hour))
			attacked = attacked[1:]
		}
	}
	plant(4, b.cardTesting)
	plant(3, b.velocity)
	plant(3, b.twoCountries)
	plant(4, b.spendingJump)
	plant(3, b.guessing)
	plant(3, b.takeover)
	plant(5, b.unsettled)
	plant(6, b.large)
	plant(8, b.enrolment)
	return inOrder(b.records)
}

func holders(d dice) []holder {
	countries := []string{"DE", "AT", "FR", "NL", "DK", "PL", "ES", "PT"}
	shops := []string{"Alder Books", "Brook Bakery", "Cobalt Fuel", "Dune Outdoor", "Ember Pizza", "Fjord Fish", "Grove Grocer", "Harbour Pharmacy", "Iris Flowers", "Juniper Rail"}
	all := make([]holder, 140)
	for i := range all {
		all[i] = holder{
			card:    fmt.Sprintf("card-%04d", 1000+i*37),
			country: pick(d, countries),
			mean:    cents(12 + 30*d.Float64()),
			shops:   []string{pick(d, shops), pick(d, shops), pick(d, shops)},
		}
	}
	return all
}

// dayTime draws a time of the day: few payments at night, most from 8 to 20 o'clock.
func (b *bank) dayTime() time.Duration {
	if b.IntN(10) == 0 {
		return b.between(0, 24*time.Hour)
	}
	return b.between(8*time.Hour, 20*time.Hour)
}

// pay adds a payment and returns its number.
func (b *bank) pay(at time.Duration, p payment) string {
	b.number++
	p.Type, p.At, p.PaymentID = "payment", paymentsStart.Add(at), fmt.Sprintf("p%05d", b.number)
	b.records = append(b.records, record{at, p})
	return p.PaymentID
}

func (b *bank) settle(at time.Duration, id, card string) {
	b.records = append(b.records, record{at, settlement{"settlement", paymentsStart.Add(at), id, card}})
}

func (b *bank) device(at time.Duration, kind, card string) {
	b.number++
	b.records = append(b.records, record{at, device{kind, paymentsStart.Add(at), fmt.Sprintf("d%05d", b.number), card, "dev-" + card[5:]}})
}

// usual is a payment as the holder makes them.
func (b *bank) usual(h *holder) payment {
	return payment{Card: h.card, Amount: b.amount(h.mean), Country: h.country, Channel: pick(b.dice, []string{"chip", "chip", "online"}), Status: "approved", Merchant: pick(b.dice, h.shops)}
}

// ordinary is a payment of everyday life: now and then refused, without a merchant's
// name, or large enough to be settled on its own.
func (b *bank) ordinary(h *holder, at time.Duration) {
	p := b.usual(h)
	switch b.IntN(40) {
	case 0:
		p.Status = "refused"
	case 1:
		p.Merchant = ""
	case 2, 3:
		p.Amount, p.Channel = cents(1000+400*b.Float64()), "online"
		b.settle(at+b.between(time.Minute, 25*time.Minute), b.pay(at, p), h.card)
		return
	}
	b.pay(at, p)
}

func (b *bank) cardTesting(h *holder, at time.Duration) {
	p := payment{Card: h.card, Country: h.country, Channel: "online", Status: "approved", Merchant: "Kiosk Online"}
	for range 4 + b.IntN(4) {
		p.Amount = cents(0.5 + 1.4*b.Float64())
		b.pay(at, p)
		at += b.between(5*time.Second, 40*time.Second)
	}
	p.Amount, p.Merchant = cents(200+600*b.Float64()), "Lumen Electronics"
	b.pay(at+b.between(10*time.Second, 90*time.Second), p)
}

func (b *bank) velocity(h *holder, at time.Duration) {
	for range 8 + b.IntN(4) {
		p := b.usual(h)
		p.Amount, p.Channel = cents(30+20*b.Float64()), "online"
		b.pay(at, p)
		at += b.between(5*time.Second, 25*time.Second)
	}
}

func (b *bank) twoCountries(h *holder, at time.Duration) {
	p := b.usual(h)
	p.Channel = "chip"
	b.pay(at, p)
	p = b.usual(h)
	p.Channel, p.Country, p.Merchant = "chip", pick(b.dice, []string{"US", "BR", "SG"}), "Meridian Mall"
	b.pay(at+b.between(2*time.Minute, 10*time.Minute), p)
}

func (b *bank) spendingJump(h *holder, at time.Duration) {
	at = (at / 2).Truncate(time.Millisecond)
	for range 12 {
		p := b.usual(h)
		p.Amount, p.Channel = cents(h.mean*(0.8+0.4*b.Float64())), "chip"
		b.pay(at, p)
		at += b.between(20*time.Minute, 50*time.Minute)
	}
	p := b.usual(h)
	p.Amount, p.Channel, p.Merchant = cents(20*h.mean), "chip", "Nova Jewellers"
	b.pay(at, p)
}

func (b *bank) guessing(h *holder, at time.Duration) {
	p := b.usual(h)
	p.Channel, p.Status, p.Merchant = "online", "refused", "Orchid Gift Cards"
	for range 4 + b.IntN(2) {
		b.pay(at, p)
		at += b.between(8*time.Second, 25*time.Second)
	}
	p.Status = "approved"
	b.pay(at, p)
}

func (b *bank) takeover(h *holder, at time.Duration) {
	b.device(at, "device_enrolled", h.card)
	p := b.usual(h)
	p.Amount, p.Channel, p.Merchant = cents(300+300*b.Float64()), "online", "Lumen Electronics"
	b.pay(at+b.between(3*time.Minute, 20*time.Minute), p)
}

// enrolment is a takeover that is none: the holder confirms the device.
func (b *bank) enrolment(h *holder, at time.Duration) {
	b.device(at, "device_enrolled", h.card)
	b.device(at+b.between(20*time.Second, 2*time.Minute), "device_confirmed", h.card)
	p := b.usual(h)
	p.Amount, p.Channel = cents(250+300*b.Float64()), "online"
	b.pay(at+b.between(3*time.Minute, 20*time.Minute), p)
}

func (b *bank) unsettled(h *holder, at time.Duration) {
	p := b.usual(h)
	p.Amount, p.Channel = cents(1000+800*b.Float64()), "online"
	b.pay(at, p)
}

func (b *bank) large(h *holder, at time.Duration) {
	p := b.usual(h)
	p.Amount, p.Channel = cents(2500+2000*b.Float64()), "online"
	b.settle(at+b.between(time.Minute, 25*time.Minute), b.pay(at, p), h.card)
}
