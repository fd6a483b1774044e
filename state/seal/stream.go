package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A stream is a wrapped key, then chunks: their length (4 bytes, little-endian) and as many
// sealed bytes. A chunk's nonce is its number; what is sealed with it says whether it is the
// last.
const (
	streamHead = "cepheus-stream 1\n"
	chunkBytes = 64 << 10
)

var chunkMore, chunkLast = []byte{0}, []byte{1}

// Writer seals what is written to it. Close ends the stream, and does not close what it
// writes to.
type Writer struct {
	to     io.Writer
	aead   cipher.AEAD
	number uint64
	plain  []byte
	sealed []byte
}

// NewWriter begins a stream to be opened by a key.
func NewWriter(to io.Writer, k *Key) (*Writer, error) {
	key := make([]byte, keyBytes)
	fill(key)
	_, err := to.Write(k.wrap(nil, streamHead, key))
	return &Writer{to: to, aead: newX(key), plain: make([]byte, 0, chunkBytes)}, err
}

// Write seals b; it goes on in whole chunks.
func (w *Writer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(w.plain) == chunkBytes {
			if err := w.chunk(chunkMore); err != nil {
				return n, err
			}
		}
		m := min(len(b), chunkBytes-len(w.plain))
		w.plain, b, n = append(w.plain, b[:m]...), b[m:], n+m
	}
	return n, nil
}

// Close writes the last chunk.
func (w *Writer) Close() error { return w.chunk(chunkLast) }

func (w *Writer) chunk(which []byte) error {
	w.sealed = binary.LittleEndian.AppendUint32(w.sealed[:0], uint32(len(w.plain)+w.aead.Overhead()))
	w.sealed = w.aead.Seal(w.sealed, chunkNonce(w.number), w.plain, which)
	w.number, w.plain = w.number+1, w.plain[:0]
	_, err := w.to.Write(w.sealed)
	return err
}

func chunkNonce(number uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 16, 24), number)
}

// Reader opens a stream. Its errors are io.ErrUnexpectedEOF where the stream was cut, ErrKey
// where a chunk does not open, and those of what it reads.
type Reader struct {
	from   io.Reader
	aead   cipher.AEAD
	number uint64
	buf    []byte
	plain  []byte // of buf, not yet given
	ended  bool
}

// NewReader begins to open a stream; the error is ErrKey where the key is another.
func NewReader(from io.Reader, k *Key) (*Reader, error) {
	sealed := make([]byte, wrapped(keyBytes))
	if _, err := io.ReadFull(from, sealed); err != nil {
		return nil, cut(err)
	}
	key, err := k.unwrap(sealed, streamHead)
	if err != nil {
		return nil, err
	}
	return &Reader{from: from, aead: newX(key), buf: make([]byte, chunkBytes+chacha20poly1305.Overhead)}, nil
}

// Read gives what was sealed. io.EOF comes behind the last chunk alone.
func (r *Reader) Read(b []byte) (int, error) {
	for len(r.plain) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.chunk(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

func (r *Reader) chunk() error {
	var length [4]byte
	if _, err := io.ReadFull(r.from, length[:]); err != nil {
		return cut(err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > uint32(len(r.buf)) {
		return ErrKey
	}
	sealed := r.buf[:n]
	if _, err := io.ReadFull(r.from, sealed); err != nil {
		return cut(err)
	}
	return r.open(sealed)
}

func (r *Reader) open(sealed []byte) (err error) {
	nonce := chunkNonce(r.number)
	r.number++
	if r.plain, err = r.aead.Open(nil, nonce, sealed, chunkMore); err == nil {
		return nil
	}
	if r.plain, err = r.aead.Open(nil, nonce, sealed, chunkLast); err != nil {
		return ErrKey
	}
	r.ended = true
	return r.nothingBehind()
}

// nothingBehind refuses what stands behind the last chunk.
func (r *Reader) nothingBehind() error {
	var one [1]byte
	switch _, err := io.ReadFull(r.from, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ErrKey
}

// cut is the error of a stream that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
