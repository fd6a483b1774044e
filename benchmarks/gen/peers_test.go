package gen

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestStreamsAreThoseOfThePeers holds the streams against what gen.py wrote
// (`gen.py payment 100000`, `gen.py stock 20000`, and both with another seed and keys).
func TestStreamsAreThoseOfThePeers(t *testing.T) {
	payments := func(n int, s *Payments) []byte { return s.Take(n) }
	trades := func(n int, s *Stocks) (b []byte) {
		for range n {
			b = s.Next().Append(b)
		}
		return b
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"payments":                      {payments(100_000, NewPayments(1, 10_000)), "249dc83886826075867e181fe5b5ea59853787a658c4a54b32b2592ee7247a54"},
		"trades":                        {trades(20_000, NewStocks(1, 8)), "3c5522438b97a7fe9a4b4e5c034fd18f44bef937144270dea0c9ce11f1b2c916"},
		"payments, seed of two words":   {payments(20_000, NewPayments(1<<40+7, 300)), "b32ee5801c44b9b23499db3f2b1b014e59a0b567d518219b2577c100aefc7745"},
		"trades, another seed, 3 names": {trades(20_000, NewStocks(42, 3)), "e50437353c3a504d77ed03bfa62e709dafe473950b62d02ae0b3c30705060bbe"},
	} {
		sum := sha256.Sum256(c.text)
		if got := hex.EncodeToString(sum[:]); got != c.want {
			t.Errorf("%s: sha256 is %s, want %s; they begin %.100s", name, got, c.want, c.text)
		}
	}
}
