package engine

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSweptTimersFireAsUnsweptOnesDo: timers that count fire at the same times, each
// once, whether the heap is swept or not; and it stays within twice those that count.
func TestSweptTimersFireAsUnsweptOnesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const keys = 12
		var swept, plain timers
		armed := [keys]int64{}
		for k := range armed {
			armed[k] = math.MaxInt64
		}
		now, most := int64(0), 0
		for range rapid.IntRange(1, 600).Draw(t, "steps") {
			key := rapid.Int32Range(0, keys-1).Draw(t, "key")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0, 1: // the key is forgotten and comes again, or wants an earlier time
				at := now + rapid.Int64Range(1, 40).Draw(t, "in")
				armed[key] = at
				if swept.isFull() {
					swept.sweep(func(x timer) bool { return armed[x.key] == x.at })
				}
				swept.push(timer{at: at, key: key})
				plain.push(timer{at: at, key: key})
			default:
				now += rapid.Int64Range(0, 3).Draw(t, "passed")
				fired, want := fire(&swept, armed, now), fire(&plain, armed, now)
				inTurn(fired)
				inTurn(want)
				if len(fired) != len(want) {
					t.Fatalf("%v fired at %d, want %v", fired, now, want)
				}
				for i, x := range fired {
					if x != want[i] {
						t.Fatalf("%v fired at %d, want %v", fired, now, want)
					}
					armed[x.key] = math.MaxInt64
				}
			}
			most = max(most, swept.len())
		}
		if most > sweepAtLeast { // 2*keys is less
			t.Fatalf("%d timers in the heap for %d keys", most, keys)
		}
	})
}

// fire pops what is due and counts, each key once.
func fire(h *timers, armed [12]int64, now int64) (fired []timer) {
	for h.next() <= now {
		if x := h.pop(); armed[x.key] == x.at {
			armed[x.key] = math.MaxInt64
			fired = append(fired, x)
		}
	}
	return fired
}

// inTurn sorts timers by time, unit and key.
func inTurn(list []timer) {
	slices.SortFunc(list, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.unit, b.unit), cmp.Compare(a.key, b.key))
	})
}

// TestTimersComeInOrder compares timers with a plain list: times of every size, ties, and
// timers for a time that is already there.
func TestTimersComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h timers
		var want []timer
		now := rapid.Int64().Draw(t, "now")
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "what") > 0 {
				in := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, math.MaxInt64)).Draw(t, "in")
				x := timer{at: laterThan(now, in), unit: rapid.Int32Range(0, 3).Draw(t, "unit"), key: rapid.Int32Range(0, 3).Draw(t, "key")}
				h.push(x)
				want = append(want, x)
				continue
			}
			inTurn(want)
			if h.len() != len(want) || len(want) == 0 && h.next() != math.MaxInt64 {
				t.Fatalf("%d timers, the next at %d; want %d", h.len(), h.next(), len(want))
			}
			if len(want) == 0 {
				continue
			}
			next, got := h.next(), h.pop()
			i := slices.Index(want, got)
			if i < 0 || got.at != want[0].at || next != got.at {
				t.Fatalf("got %v, said to be at %d; want one of %d", got, next, want[0].at)
			}
			now, want = max(now, got.at), slices.Delete(want, i, i+1)
		}
	})
}

// TestRenumberedTimersFireAsThosePutInAnew, whenever that happens, and whatever goes.
func TestRenumberedTimersFireAsThosePutInAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var inPlace, anew timers
		now := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				x := timer{at: now + rapid.Int64Range(-2, 4000).Draw(t, "in"), unit: rapid.Int32Range(0, 9).Draw(t, "unit"), key: rapid.Int32Range(0, 99).Draw(t, "key")}
				inPlace.push(x)
				anew.push(x)
			case 2:
				to := rapid.SliceOfN(rapid.Int32Range(-1, 9), 10, 10).Draw(t, "to")
				stays := func(x *timer) bool { x.unit = to[x.unit]; return x.unit >= 0 }
				inPlace.renumber(stays)
				was := anew
				anew = timers{}
				for was.len() > 0 {
					if x := was.pop(); stays(&x) {
						anew.push(x)
					}
				}
			default:
				now += rapid.Int64Range(0, 500).Draw(t, "passed")
				if got, want := popped(&inPlace, now), popped(&anew, now); !slices.Equal(got, want) {
					t.Fatalf("at %d %v, want %v", now, got, want)
				}
			}
			if inPlace.len() != anew.len() || inPlace.next() != anew.next() {
				t.Fatalf("%d timers, the first at %d; want %d, %d", inPlace.len(), inPlace.next(), anew.len(), anew.next())
			}
		}
	})
}

// popped are the timers up to a time, those of equal times in order.
func popped(h *timers, now int64) (all []timer) {
	for h.next() <= now {
		all = append(all, h.pop())
	}
	inTurn(all)
	return all
}
