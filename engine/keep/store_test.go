package keep

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
	"pgregory.net/rapid"
)

// TestBlobsKeepTheirBytes compares the allocator with a map of copies.
func TestBlobsKeepTheirBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Blobs
		want := map[Blob][]byte{}
		var order []Blob
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(order) > 0 && rapid.IntRange(0, 2).Draw(t, "op") == 0 {
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				b.Free(order[i])
				delete(want, order[i])
				order = slices.Delete(order, i, i+1)
				continue
			}
			n := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(1, 200_000)).Draw(t, "size")
			p := bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(len(order))}, n/3+1)[:n]
			name := b.PutBytes(p)
			if _, taken := want[name]; taken {
				t.Fatalf("blob %x handed out twice", name)
			}
			want[name], order = p, append(order, name)
		}
		for name, p := range want {
			if !bytes.Equal(b.GetBytes(name, len(p)), p) {
				t.Fatalf("blob %x of %d bytes changed", name, len(p))
			}
		}
		for _, name := range order {
			b.Free(name)
		}
		if b.Bytes() != 0 {
			t.Fatalf("%d bytes in use after all was freed", b.Bytes())
		}
	})
}

func TestKeptEventOutlivesItsBatch(t *testing.T) {
	text := []byte(`{"a":"x"}tail`)
	ev := event.Event{Type: 3, Part: 2, Raw: 9, Offset: 77, Time: 5, At: 6, ID: event.MakeRef(6, 1), Text: text, Slots: []uint64{1, uint64(event.MakeRef(9, 4))}}
	var s Store
	ref := s.Hold(&ev)
	s.Share(ref)
	copy(text, "overwritten by the next batch")
	s.Release(ref)
	var got event.Event
	s.View(ref, &got)
	if string(got.JSON()) != `{"a":"x"}` || got.String(got.Slots[1]) != "tail" || string(got.ID.Bytes(got.Text)) != "x" {
		t.Fatalf("kept event reads %q, %q", got.JSON(), got.String(got.Slots[1]))
	}
	if got.Type != 3 || got.Part != 2 || got.Offset != 77 || got.Time != 5 || got.At != 6 {
		t.Fatalf("kept event is %+v", got)
	}
	s.Release(ref)
	if s.Len() != 0 || s.blobs.Bytes() != 0 {
		t.Fatalf("%d events, %d bytes after the last release", s.Len(), s.blobs.Bytes())
	}
}

func TestReleasedRoomIsUsedAgain(t *testing.T) {
	var s Store
	ev := event.Event{Text: bytes.Repeat([]byte("x"), 100), Slots: make([]uint64, 3)}
	s.Release(s.Hold(&ev))
	if n := testing.AllocsPerRun(100, func() { s.Release(s.Hold(&ev)) }); n != 0 {
		t.Fatalf("%v allocations to keep and release an event", n)
	}
}

func TestTooLargeABlobIsRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("its length does not fit its name, and nobody said so")
		}
	}()
	var b Blobs
	b.Put(maxWords + 1)
}

// TestRoomIsNoLessThanWhatIsHeld holds and lets go of events in a store and a log: the
// memory they have is never less than what is alive, and stays when that goes.
func TestRoomIsNoLessThanWhatIsHeld(t *testing.T) {
	var s Store
	var l Log
	var refs []Ref
	var shown []Shown
	for i := range 20_000 {
		ev := kept(i, i%700, false)
		ev.Slots = []uint64{1, 2}
		refs, shown = append(refs, s.Hold(&ev)), append(shown, l.Hold(&ev))
		if s.Room() < s.Bytes() || l.Room() < l.Bytes() {
			t.Fatalf("%d events: room of %d and %d bytes, %d and %d held", i, s.Room(), l.Room(), s.Bytes(), l.Bytes())
		}
	}
	most := s.Room()
	for i := range refs {
		s.Release(refs[i])
		l.Release(shown[i])
	}
	if s.Room() < most || l.Room() < l.Bytes() {
		t.Errorf("room of %d bytes of %d, and %d", s.Room(), most, l.Room())
	}
}
