package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// dice draws what the samples are made of, the same each time for one seed.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0))} } // #nosec G404 -- the same each time is what it is for

// between draws a duration in [from, to), in whole milliseconds.
func (d dice) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.Int64N(int64(to-from)/1e6))*time.Millisecond
}

// amount draws around a mean as people spend, in whole cents.
func (d dice) amount(mean float64) float64 {
	return cents(math.Min(mean*math.Exp(0.5*d.NormFloat64()), 8*mean))
}

func cents(x float64) float64 { return math.Round(x*100) / 100 }

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }
