package engine

import (
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
	"pgregory.net/rapid"
)

// TestKeyTableIsAMap compares the table with a Go map, on few hashes, so that keys
// collide and places move.
func TestKeyTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table keyTable[int32]
		want := map[string]int32{}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			n := rapid.OneOf(rapid.IntRange(0, 60), rapid.SampledFrom([]int{12345, 123456789, 1234567890123, 1 << 62})).Draw(t, "key")
			key, hash := fmt.Sprint("key", n), uint64(n%7)<<8|uint64(n%3)<<32
			if n%5 == 0 {
				key += " that is too long to stand in its entry"
			}
			id, entry := table.find(hash, []byte(key))
			if id >= 0 && &entry.value != table.at(id) {
				t.Fatalf("find(%s) gives the value of another", key)
			}
			had, ok := want[key]
			if ok != (id >= 0) || ok && had != id {
				t.Fatalf("find(%s) = %d, want %d, %v", key, id, had, ok)
			}
			if ok {
				table.remove(id)
				delete(want, key)
				continue
			}
			id = table.add(hash, []byte(key))
			if *table.at(id) != 0 {
				t.Fatalf("number %d has the value of a removed key", id)
			}
			want[key], *table.at(id) = id, id+1
		}
		taken := map[int32]bool{}
		for key, id := range want {
			if string(table.key(id)) != key || taken[id] || *table.at(id) != id+1 || !table.isKey(id) {
				t.Fatalf("number %d: %q, want %q", id, table.key(id), key)
			}
			taken[id] = true
		}
		if table.len() != len(want) {
			t.Fatalf("len %d, want %d", table.len(), len(want))
		}
	})
}

// TestFindTextIsFindOfItsKey compares the search by a text with that by its key.
func TestFindTextIsFindOfItsKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table keyTable[int32]
		text := rapid.StringMatching("[ab]{5,8}|[ab]{15,18}|a{20,26}[ab]{2}")
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			text := []byte(text.Draw(t, "text"))
			key, hash := event.AppendTextKey(nil, text), event.TextKeyHash(text)&^(3<<62) // some tags are the same
			want, _ := table.find(hash, key)
			got, entry := table.findText(hash, text)
			if got != want || got >= 0 && &entry.value != table.at(got) {
				t.Fatalf("findText(%q) = %d, want %d", text, got, want)
			}
			if want < 0 {
				table.add(hash, key)
			}
		}
	})
}

// TestPagesHaveAPlaceForEach adds values beyond the pages that double: each has a place of
// its own, and there is no room for many more.
func TestPagesHaveAPlaceForEach(t *testing.T) {
	var p pages[int32]
	for i := range int32(5*longFrom + 3) {
		if n := p.add(); n != i {
			t.Fatalf("value %d has the number %d", i, n)
		}
		*p.at(i) = i + 1
		if room := p.room(); room > int64(2*i)+firstPage+longFrom && i < longFrom || room > int64(i)+1+longFrom && i > 2*longFrom {
			t.Fatalf("%d values have room for %d", i+1, room)
		}
	}
	for i := range p.n {
		if *p.at(i) != i+1 {
			t.Fatalf("value %d is %d", i, *p.at(i)-1)
		}
	}
}
