package keep

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// Blob names a run of 8-byte words in a [Blobs]. The zero Blob is empty.
type Blob uint64

const (
	pageShift  = 13
	pageWords  = 1 << pageShift // 64 KiB: the most that a page has
	maxClass   = 48             // the class of pageWords words; larger blobs get a page of their own
	ownPage    = 255            // in place of 1 + the class of those
	blobLenBit = 24
	maxWords   = 1 << 32 // of a blob: 32 GiB
)

// Blobs keeps runs of 8-byte words in pages, by size class: four classes to each
// power of two, so that at most a fifth of a blob is unused. Freed room is used again
// by blobs of its class. A blob has at most 32 GiB, and all that have no page of their
// own as much together: what is beyond either is a panic. Sources bound a record, by
// default to 1 MiB, and limits bound what is kept of them.
//
// A name says where its blob is, page and word, so that it is found without a look at
// its class.
type Blobs struct {
	pages   []*[pageWords]uint64
	classes [maxClass + 1]class
	large   [][]uint64
	freed   []uint32 // free places in large
	bytes   int64
}

// class is where blobs of one size go. A place is the number of a page, then the word
// within it.
type class struct {
	free []uint32
	next uint32 // the place after the last one that was handed out
	left uint32 // how many places its page has from there on
}

// classOf returns the class for n words and the words of its blobs.
func classOf(n int) (int, int) {
	if n <= 4 {
		return n, n
	}
	shift := bits.Len(uint(n-1)) - 3
	words := (n + 1<<shift - 1) >> shift << shift
	return 4*shift + words>>shift, words
}

// Put stores room for n words and returns it with its name. The words hold what was
// there before: the caller fills all of them.
func (b *Blobs) Put(n int) (Blob, []uint64) {
	if n == 0 {
		return 0, nil
	}
	if n > maxWords {
		panic(fmt.Sprintf("a blob of %d words; at most %d", n, maxWords))
	}
	c, words := classOf(n)
	b.bytes += int64(words) * 8
	if c > maxClass || words > pageWords {
		return b.putLarge(n)
	}
	at := b.place(&b.classes[c], uint32(words))
	name := Blob(uint64(c+1)<<56 | uint64(at)<<blobLenBit | uint64(n))
	return name, b.Get(name)
}

// place finds room for a blob of a class whose blobs have so many words.
func (b *Blobs) place(cl *class, words uint32) uint32 {
	if last := len(cl.free) - 1; last >= 0 {
		at := cl.free[last]
		cl.free = cl.free[:last]
		return at
	}
	if cl.left == 0 {
		if len(b.pages) == 1<<(32-pageShift) {
			panic("32 GiB of blobs")
		}
		cl.left = pageWords / words
		cl.next = uint32(len(b.pages)) << pageShift
		b.pages = append(b.pages, new([pageWords]uint64))
	}
	at := cl.next
	cl.next += words
	cl.left--
	return at
}

func (b *Blobs) putLarge(n int) (Blob, []uint64) {
	var at uint32
	if last := len(b.freed) - 1; last >= 0 {
		at, b.freed = b.freed[last], b.freed[:last]
		b.large[at] = make([]uint64, n)
	} else {
		at = uint32(len(b.large))
		b.large = append(b.large, make([]uint64, n))
	}
	return Blob(uint64(ownPage)<<56 | uint64(at)<<blobLenBit), b.large[at] // its length is that of its slice
}

// Get returns a blob's words; the slice is valid until the blob is freed.
func (b *Blobs) Get(name Blob) []uint64 {
	if name>>56-1 >= ownPage-1 {
		return b.getLarge(name)
	}
	at := uint32(name >> blobLenBit)
	words := b.pages[at>>pageShift][at&(pageWords-1):]
	return words[: name&(1<<blobLenBit-1) : name&(1<<blobLenBit-1)]
}

// First returns a blob's first word, nil of the empty one: for what reads and writes so
// much at each event that the bounds of each access cost more than the access. The others
// follow it, as many as Put was asked for.
func (b *Blobs) First(name Blob) *uint64 {
	if name>>56-1 >= ownPage-1 {
		return unsafe.SliceData(b.getLarge(name))
	}
	at := uint32(name >> blobLenBit)
	return &b.pages[at>>pageShift][at&(pageWords-1)]
}

// getLarge returns the words of a blob with a page of its own, and none of the empty one.
func (b *Blobs) getLarge(name Blob) []uint64 {
	if name == 0 {
		return nil
	}
	return b.large[uint32(name>>blobLenBit)]
}

// Free gives a blob's room back.
func (b *Blobs) Free(name Blob) {
	if name == 0 {
		return
	}
	c, at, n := int(name>>56), uint32(name>>blobLenBit), int(name&(1<<blobLenBit-1))
	if c == ownPage {
		n = len(b.large[at])
		b.large[at] = nil
		b.freed = append(b.freed, at)
	}
	_, words := classOf(n)
	b.bytes -= int64(words) * 8
	if c == ownPage {
		return
	}
	cl := &b.classes[c-1]
	cl.free = append(cl.free, at)
}

// Bytes is the room in use, in bytes.
func (b *Blobs) Bytes() int64 { return b.bytes }

// Room is the memory it has, in bytes: pages stay, whatever is freed in them.
func (b *Blobs) Room() int64 {
	n := int64(len(b.pages)) * pageWords * 8
	for _, words := range b.large {
		n += int64(len(words)) * 8
	}
	return n
}

// wordsFor is the number of words that hold n bytes.
func wordsFor(n int) int { return (n + 7) / 8 }

// asBytes views words as bytes.
func asBytes(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
}

// PutBytes stores a copy of p. Its length is kept by the caller.
func (b *Blobs) PutBytes(p []byte) Blob {
	name, words := b.Put(wordsFor(len(p)))
	copy(asBytes(words), p)
	return name
}

// GetBytes returns the first n bytes of a blob.
func (b *Blobs) GetBytes(name Blob, n int) []byte {
	if n == 0 {
		return nil
	}
	return asBytes(b.Get(name))[:n:n]
}
