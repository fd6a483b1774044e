package seal

import (
	"crypto/cipher"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Ring is the keys of one state directory. It never prints: its fields are no one's.
type Ring struct{ tree, journal []byte }

const (
	ringHead = "cepheus-keys 1\n"
	keyBytes = 32
)

// NewRing makes the keys of a fresh directory.
func NewRing() *Ring {
	r := &Ring{make([]byte, keyBytes), make([]byte, keyBytes)}
	fill(r.tree)
	fill(r.journal)
	return r
}

// Seal returns the ring as it is kept in a file, to be opened by the key alone.
func (r *Ring) Seal(k *Key) []byte {
	return k.wrap([]byte(ringHead), ringHead, append(append([]byte{}, r.tree...), r.journal...))
}

// OpenRing opens what Seal returned; the error is ErrKey where the key is another.
func OpenRing(sealed []byte, k *Key) (*Ring, error) {
	text, ok := strings.CutPrefix(string(sealed), ringHead)
	if !ok {
		return nil, ErrKey
	}
	keys, err := k.unwrap([]byte(text), ringHead)
	if err != nil || len(keys) != 2*keyBytes {
		return nil, ErrKey
	}
	return &Ring{keys[:keyBytes], keys[keyBytes:]}, nil
}

// Tree returns the key for Badger, of 32 bytes.
func (r *Ring) Tree() []byte { return r.tree }

// Journal returns the cipher for blocks of the journal, which is for random nonces, and for
// several goroutines.
func (r *Ring) Journal() cipher.AEAD { return newX(r.journal) }

// String stands for the ring.
func (r *Ring) String() string { return "(keys)" }

func newX(key []byte) cipher.AEAD {
	x, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic("seal: " + err.Error()) // of another length than keyBytes
	}
	return x
}
