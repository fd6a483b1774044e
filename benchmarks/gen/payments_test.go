package gen

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
)

type payment struct {
	Type, Card, Country, Merchant string
	TS                            int64
	Amount                        float64
}

func read(t *testing.T, lines []byte) []payment {
	t.Helper()
	var all []payment
	for _, line := range bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n")) {
		var p payment
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, p)
	}
	return all
}

func TestPaymentsHaveTheirShape(t *testing.T) {
	card, merchant, country := regexp.MustCompile(`^c\d{6}$`), regexp.MustCompile(`^m\d{3}$`), regexp.MustCompile(`^[A-Z]{2}$`)
	seen := map[string]bool{}
	const n, cards = 20_000, 100
	all := read(t, NewPayments(1, cards).Take(n))
	for i, p := range all {
		if p.Type != "payment" || !card.MatchString(p.Card) || !merchant.MatchString(p.Merchant) || !country.MatchString(p.Country) || p.Amount < 0 || p.Amount >= 1000 {
			t.Fatalf("payment %d: %+v", i, p)
		}
		if i > 0 && p.TS < all[i-1].TS {
			t.Fatalf("payment %d is earlier than the one before it: %d after %d", i, p.TS, all[i-1].TS)
		}
		seen[p.Card] = true
	}
	if len(all) != n || len(seen) != cards {
		t.Errorf("got %d payments of %d cards, want %d of %d", len(all), len(seen), n, cards)
	}
	if span := all[n-1].TS - start; span < n*9/10 || span > n*11/10 {
		t.Errorf("%d payments took %d ms, want about one a millisecond", n, span)
	}
}

func TestSameSeedGivesSameBytes(t *testing.T) {
	a, b, c := NewPayments(7, 50).Take(500), NewPayments(7, 50).Take(500), NewPayments(8, 50).Take(500)
	if !bytes.Equal(a, b) {
		t.Error("two streams of one seed differ")
	}
	if bytes.Equal(a, c) {
		t.Error("two seeds give one stream")
	}
}

func TestAppendPadded(t *testing.T) {
	for _, c := range []struct {
		n, width int
		want     string
	}{{0, 2, "00"}, {7, 2, "07"}, {10, 2, "10"}, {99, 2, "99"}, {0, 6, "000000"}, {123, 6, "000123"}, {1234567, 6, "1234567"}} {
		if got := string(appendPadded(nil, c.n, c.width)); got != c.want {
			t.Errorf("%d in %d digits: %q, want %q", c.n, c.width, got, c.want)
		}
	}
}
