package machine

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
)

// TestIdentitiesAreHashedAsTheyRead: what is put together by words is the text of the
// identity.
func TestIdentitiesAreHashedAsTheyRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all identities
		w := &eval.World{}
		for range rapid.IntRange(1, 4).Draw(t, "partitions") {
			w.Partitions = append(w.Partitions, event.Partition{
				Source: strings.Repeat("s", rapid.IntRange(0, 60).Draw(t, "source")),
				Topic:  strings.Repeat("t", rapid.IntRange(0, 9).Draw(t, "topic")),
				Number: rapid.Int32().Draw(t, "number"),
			})
			for range 3 {
				most := int64(1) << rapid.IntRange(0, 62).Draw(t, "bits")
				ev := &event.Event{Part: int32(rapid.IntRange(0, len(w.Partitions)-1).Draw(t, "of")), Offset: rapid.Int64Range(-1, most).Draw(t, "offset")}
				if got, want := all.of(w, ev), identity(w, ev); got != want {
					t.Fatalf("%s: %x, want %x", ev.AppendIdentity(nil, w.Partitions), got, want)
				}
			}
		}
	})
}

// TestFoldIsThePolynomialItSays compares with arithmetic on big numbers.
func TestFoldIsThePolynomialItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64Range(0, prime-1).Draw(t, "a"), rapid.Uint64Range(0, prime-1).Draw(t, "b")
		x, y, p := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b), big.NewInt(prime)
		want := new(big.Int).Mod(new(big.Int).Mul(x, y), p).Uint64()
		if got := mulMod(a, b); got != want {
			t.Fatalf("%d * %d is %d, got %d", a, b, want, got)
		}
		want = new(big.Int).Mod(new(big.Int).Add(x, y), p).Uint64()
		if got := addMod(a, b); got != want {
			t.Fatalf("%d + %d is %d, got %d", a, b, want, got)
		}
	})
}

// TestStretchesFoldAsTheirEvents: the fold of a stretch, taken from folds up to its
// ends and joined to another, is the fold of its events one by one.
func TestStretchesFoldAsTheirEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]uint64 {
			return [2]uint64{rapid.Uint64().Draw(t, "first"), rapid.Uint64().Draw(t, "second")}
		}), 1, 20).Draw(t, "events")
		from := rapid.IntRange(0, len(hashes)).Draw(t, "from")
		var all, before, other, want ID
		other = other.fold(3, [2]uint64{7, 9})
		want = other
		for i, h := range hashes {
			all = all.fold(1, h)
			if i < from {
				before = all
			} else {
				want = want.fold(1, h)
			}
		}
		n := int64(len(hashes) - from)
		if got := other.join(all.stretch(before, n), n); got != want {
			t.Fatalf("got %x, want %x", got, want)
		}
	})
}
