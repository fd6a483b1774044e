package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrKey says that what was sealed does not open: it was sealed under another key, or is
// damaged. The two cannot be told apart.
var ErrKey = errors.New("it was encrypted under another key, or is damaged")

// Key is a master key. It never prints.
type Key struct{ secret []byte }

// errKeyText tells nothing of the text, which may be a key with a typing error.
var errKeyText = errors.New("it is no key: write 16, 24 or 32 bytes as hexadecimal digits or in base64, as openssl rand -hex 32 makes them")

// ParseKey reads a master key of 16, 24 or 32 bytes, written as hexadecimal digits or in
// base64. Space around it does not count.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	if b, err := hex.DecodeString(text); err == nil && isKeyLength(len(b)) {
		return &Key{b}, nil
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && isKeyLength(len(b)) {
		return &Key{b}, nil
	}
	return nil, errKeyText
}

func isKeyLength(n int) bool { return n == 16 || n == 24 || n == 32 }

// String stands for the key.
func (k *Key) String() string { return "(key)" }

// Format writes what stands for the key, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) {
	io.WriteString(f, k.String()) //nolint:errcheck // fmt has no use for it
}

// LogValue returns what stands for the key.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k *Key) gcm() cipher.AEAD {
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		panic("seal: " + err.Error()) // of a length that ParseKey does not let pass
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return gcm
}

// wrap appends keys, sealed together with the text that stands before them, to b.
func (k *Key) wrap(b []byte, head string, keys []byte) []byte {
	gcm := k.gcm()
	at := len(b)
	b = append(b, make([]byte, gcm.NonceSize())...)
	fill(b[at:])
	return gcm.Seal(b, b[at:], keys, []byte(head))
}

// unwrap opens what wrap has made.
func (k *Key) unwrap(sealed []byte, head string) ([]byte, error) {
	gcm := k.gcm()
	if len(sealed) < gcm.NonceSize() {
		return nil, ErrKey
	}
	n := gcm.NonceSize()
	keys, err := gcm.Open(nil, sealed[:n], sealed[n:], []byte(head))
	if err != nil {
		return nil, ErrKey
	}
	return keys, nil
}

// wrapped is how long n bytes of keys are when they are wrapped.
func wrapped(n int) int { return 12 + n + 16 }

// fill makes b random. The system's source does not fail: Go ends the process if it does.
func fill(b []byte) { rand.Read(b) } // it never fails
