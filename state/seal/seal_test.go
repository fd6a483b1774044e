package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func newKey(t *testing.T, n int) *Key {
	t.Helper()
	b := make([]byte, n)
	rand.Read(b)
	k, err := ParseKey(base64.StdEncoding.EncodeToString(b) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysAreWrittenInTwoWays(t *testing.T) {
	for text, want := range map[string]int{
		strings.Repeat("0f", 16): 16, strings.Repeat("0F", 24): 24, " " + strings.Repeat("0f", 32) + "\r\n": 32,
		base64.StdEncoding.EncodeToString(make([]byte, 32)): 32,
		"":                       0,
		"password":               0,
		strings.Repeat("0f", 17): 0,
		strings.Repeat("xy", 15): 0,
	} {
		k, err := ParseKey(text)
		switch {
		case want == 0 && err == nil:
			t.Errorf("%q is taken for a key", text)
		case want == 0 && text != "" && strings.Contains(err.Error(), text):
			t.Errorf("%q: the error shows it: %v", text, err)
		case want > 0 && (err != nil || len(k.secret) != want):
			t.Errorf("%q: %v, want %d bytes", text, err, want)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k, err := ParseKey(strings.Repeat("41", 32)) // "AAAA…"
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		fmt.Fprintf(&out, verb, k)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("key", "key", k)
	for _, shown := range []string{"AAAA", "4141", "65 65", "0x41"} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("a key shows: %s", out.String())
		}
	}
}

func TestRingOpensUnderItsKeyAlone(t *testing.T) {
	for _, n := range []int{16, 24, 32} {
		key, ring := newKey(t, n), NewRing()
		sealed := ring.Seal(key)
		got, err := OpenRing(sealed, key)
		if err != nil || !bytes.Equal(got.tree, ring.tree) || !bytes.Equal(got.journal, ring.journal) {
			t.Fatalf("key of %d bytes: %v, or other keys", n, err)
		}
		if bytes.Contains(sealed, ring.tree) || bytes.Contains(sealed, ring.journal) {
			t.Error("the keys stand in the file as they are")
		}
		if _, err := OpenRing(sealed, newKey(t, n)); !errors.Is(err, ErrKey) {
			t.Errorf("another key: %v", err)
		}
		for i := range sealed {
			broken := bytes.Clone(sealed)
			broken[i] ^= 1
			if _, err := OpenRing(broken, key); !errors.Is(err, ErrKey) {
				t.Errorf("byte %d changed: %v", i, err)
			}
			if _, err := OpenRing(sealed[:i], key); !errors.Is(err, ErrKey) {
				t.Errorf("cut at byte %d: %v", i, err)
			}
		}
	}
}

func TestStreamComesBackWhole(t *testing.T) {
	key := newKey(t, 32)
	for _, n := range []int{0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3*chunkBytes + 17} {
		text := make([]byte, n)
		rand.Read(text)
		sealed := sealAll(t, key, text)
		got, err := openAll(sealed, key)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes: %d bytes back, %v", n, len(got), err)
		}
		if _, err := openAll(sealed, newKey(t, 32)); !errors.Is(err, ErrKey) {
			t.Errorf("another key: %v", err)
		}
	}
}

func TestStreamThatWasChangedDoesNotOpen(t *testing.T) {
	key, text := newKey(t, 16), make([]byte, 2*chunkBytes+5)
	rand.Read(text)
	sealed := sealAll(t, key, text)
	for at := 0; at < len(sealed); at += 997 {
		if _, err := openAll(sealed[:at], key); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at byte %d: %v", at, err)
		}
		broken := bytes.Clone(sealed)
		broken[at] ^= 4
		if _, err := openAll(broken, key); err == nil {
			t.Errorf("byte %d changed, and it opens", at)
		}
	}
	chunk := 4 + chunkBytes + 16
	head := wrapped(keyBytes)
	swapped := bytes.Clone(sealed)
	copy(swapped[head:], sealed[head+chunk:head+2*chunk])
	copy(swapped[head+chunk:], sealed[head:head+chunk])
	for name, other := range map[string][]byte{
		"chunks that changed places": swapped,
		"without its last chunk":     sealed[:head+2*chunk],
		"with something behind it":   append(bytes.Clone(sealed), 0),
	} {
		if _, err := openAll(other, key); err == nil {
			t.Errorf("%s: it opens", name)
		}
	}
}

func sealAll(t *testing.T, key *Key, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, key)
	for err == nil && len(text) > 0 {
		n := min(len(text), 1000)
		_, err = w.Write(text[:n])
		text = text[n:]
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openAll(sealed []byte, key *Key) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(sealed), key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
