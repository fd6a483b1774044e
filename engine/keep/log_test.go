package keep

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// TestLogKeepsWhatItIsGiven compares the log with a map of copies.
func TestLogKeepsWhatItIsGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Log{DenseFrom: rapid.SampledFrom([]int64{0, 1, 100_000}).Draw(t, "dense from")}
		want := map[Shown]event.Event{}
		var held []Shown // one for each holder
		size := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 300), rapid.IntRange(0, 40_000))
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case len(held) > 0 && op < 4:
				j := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				ref := held[j]
				held = append(held[:j], held[j+1:]...)
				l.Release(ref)
			case len(held) > 0 && op < 5:
				held = append(held, l.Share(held[rapid.IntRange(0, len(held)-1).Draw(t, "which")]))
			default:
				ev := kept(i, size.Draw(t, "size"), op == 9)
				ref := l.Hold(&ev)
				want[ref], held = ev, append(held, ref)
			}
		}
		alive := map[Shown]bool{}
		for _, ref := range held {
			alive[ref] = true
			var ev event.Event
			if diff := cmp.Diff(want[ref], *l.View(ref, &ev)); diff != "" {
				t.Fatalf("event %d has changed: %s", ref, diff)
			}
		}
		if l.Len() != len(alive) {
			t.Fatalf("%d events are kept, want %d", l.Len(), len(alive))
		}
		for _, ref := range held {
			l.Release(ref)
		}
		if l.Len() != 0 || l.held != 0 || l.bytes > segmentWords*8 {
			t.Fatalf("%d events, %d bytes after the last release", l.Len(), l.bytes)
		}
	})
}

// kept is an event of so many bytes, as a log keeps it.
func kept(i, size int, late bool) event.Event {
	text := bytes.Repeat([]byte{byte(i), byte(size), 'x'}, size/3+1)[:size]
	ev := event.Event{Type: int32(i % 7), Part: int32(i % 3), Raw: uint32(size), Offset: int64(i) << 33, Time: int64(-i), At: int64(-i), Text: text}
	if late {
		ev.At++
	}
	if i%4 == 0 {
		ev.Offset, ev.Type = int64(i), int32(i%5)<<20
	}
	if i%6 == 0 {
		ev.Offset, ev.Part = -int64(i), -1
	}
	if i%2 == 0 && i%4 != 0 && i%6 != 0 {
		ev.Offset = 1<<32 - 1
	}
	return ev
}

// TestLogTakesTwiceWhatItHolds: where single events outlive all around them, their
// segments are emptied; a dense log takes half as much again as it holds.
func TestLogTakesTwiceWhatItHolds(t *testing.T) {
	for from, times := range map[int64]float64{0: 2, 1: 1.5} {
		t.Run(fmt.Sprintf("dense from %d", from), func(t *testing.T) { testLogTakes(t, &Log{DenseFrom: from}, times) })
	}
}

func testLogTakes(t *testing.T, l *Log, times float64) {
	var old, recent []Shown
	ev := kept(2, 100, false)
	for i := range 200_000 {
		ref := l.Hold(&ev)
		if i%100 == 0 {
			old = append(old, ref)
		} else {
			recent = append(recent, ref)
		}
		if len(recent) > 1000 {
			l.Release(recent[0])
			recent = recent[1:]
		}
	}
	held := int64(len(old)+len(recent)) * int64(headWords+wordsFor(100)) * 8
	if l.bytes > int64(times*float64(held))+slack+4*segmentWords*8 {
		t.Errorf("%d bytes in segments for %d held", l.bytes, held)
	}
	if 8*l.held != held {
		t.Errorf("%d bytes held, want %d", 8*l.held, held)
	}
	for _, ref := range append(old, recent...) {
		var got event.Event
		if diff := cmp.Diff(ev, *l.View(ref, &got)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestLogUsesItsRoomAgain(t *testing.T) {
	var l Log
	ev := kept(2, 100, false)
	held := make([]Shown, 5000)
	step := func() {
		for i := range held {
			l.Release(held[i])
			held[i] = l.Hold(&ev)
		}
	}
	for range 3 {
		step()
	}
	if n := testing.AllocsPerRun(10, step); n != 0 {
		t.Errorf("%v allocations to keep and release %d events", n, len(held))
	}
}

// TestLogUsesRoomThatIsFreeAtOnce: what is held in turns, and let go of all at once, takes
// no new room in the next turn; room that is not wanted any more is given up.
func TestLogUsesRoomThatIsFreeAtOnce(t *testing.T) {
	var l Log
	ev := kept(2, 100, false)
	held := make([]Shown, 60_000)
	turn := func(n int) {
		for i := range n {
			held[i] = l.Hold(&ev)
		}
		for i := range n {
			l.Release(held[i])
		}
	}
	turn(len(held))
	if n := testing.AllocsPerRun(10, func() { turn(len(held)) }); n != 0 {
		t.Errorf("%v allocations to keep and release %d events", n, len(held))
	}
	for range 2 * spareTurn {
		turn(1000)
	}
	if n := len(l.spare); n > 4 {
		t.Errorf("%d segments are spared for 1,000 events", n)
	}
}

func TestEventWithTooManyHoldersIsCopied(t *testing.T) {
	var l Log
	ev := kept(2, 100, false)
	first := l.Hold(&ev)
	held := []Shown{first}
	for range 2*maxHolders + 10 {
		held = append(held, l.Share(first))
	}
	for _, ref := range held {
		var got event.Event
		if l.View(ref, &got); string(got.Text) != string(ev.Text) || got.Offset != ev.Offset { // a Diff of each takes seconds
			t.Fatal(cmp.Diff(ev, got))
		}
		l.Release(ref)
	}
	if l.Len() != 0 {
		t.Errorf("%d events are kept", l.Len())
	}
}

// BenchmarkHold keeps an event and lets go of the one kept so many before.
func BenchmarkHold(b *testing.B) {
	ev := kept(2, 110, false)
	for _, n := range []int{100, 60_000} {
		b.Run(fmt.Sprintf("log/held=%d", n), func(b *testing.B) {
			var l Log
			held := make([]Shown, n)
			for i := 0; b.Loop(); i++ {
				ref := &held[i%n]
				l.Release(*ref)
				*ref = l.Hold(&ev)
			}
		})
		b.Run(fmt.Sprintf("store/held=%d", n), func(b *testing.B) {
			var s Store
			held := make([]Ref, n)
			ev.Slots = make([]uint64, 6)
			for i := 0; b.Loop(); i++ {
				ref := &held[i%n]
				s.Release(*ref)
				*ref = s.Hold(&ev)
			}
		})
	}
}
