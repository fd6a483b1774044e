package gen

import "strconv"

// stockNames are the names of [Stocks], by number.
const stockNames = "MSFTORCLCSCOAMATINTCIBM AAPLQCOMTXN NVDA"

// Trade is one event of [Stocks].
type Trade struct {
	TS     int64 // milliseconds since the Unix epoch
	ID     int
	Sell   bool // else it buys
	Name   int  // from 0: MSFT, ORCL, CSCO, …
	Price  float64
	Volume int
}

// Stocks is an endless stream of trades, exactly a millisecond apart: a window of n
// milliseconds is one of n events. It is owned by one goroutine.
type Stocks struct {
	rnd    *twister
	prices []float64
	made   int
}

// NewStocks starts a stream of trades in the given number of names, from 1 to 10. The same
// seed and number give the same trades, those of `gen.py stock --seed --names`; a longer
// stream begins with a shorter one.
func NewStocks(seed uint64, names int) *Stocks {
	s := &Stocks{rnd: newTwister(seed), prices: make([]float64, names)}
	for i := range s.prices {
		s.prices[i] = 50 + 100*s.rnd.float()
	}
	return s
}

// Next makes the next trade.
func (s *Stocks) Next() Trade {
	name := s.rnd.below(len(s.prices))
	s.prices[name] = max(1, s.prices[name]+s.rnd.float()-0.5)
	t := Trade{TS: start + int64(s.made), ID: s.made, Name: name, Price: s.prices[name]}
	t.Sell = s.rnd.float() < 0.5
	t.Volume = 1 + s.rnd.below(1000)
	s.made++
	return t
}

// Append appends the trade as a JSON object and a line feed.
func (t Trade) Append(b []byte) []byte {
	kind := "BUY"
	if t.Sell {
		kind = "SELL"
	}
	b = append(append(append(b, `{"type":"`...), kind...), `","ts":`...)
	b = strconv.AppendInt(b, t.TS, 10)
	b = strconv.AppendInt(append(b, `,"id":`...), int64(t.ID), 10)
	b = append(append(b, `,"name":"`...), stockName(t.Name)...)
	b = strconv.AppendFloat(append(b, `","price":`...), t.Price, 'f', 2, 64)
	b = strconv.AppendInt(append(b, `,"volume":`...), int64(t.Volume), 10)
	return append(b, '}', '\n')
}

func stockName(n int) string {
	name := stockNames[4*n : 4*n+4]
	if name[3] == ' ' {
		return name[:3]
	}
	return name
}
