package kafka

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// clientID is how the brokers' logs and quotas know us.
const clientID = "cepheus"

// maxResponse bounds what a length from the network may make us allocate, in bytes.
const maxResponse = 1 << 30

// errProtocol is of a response that cannot be what was asked for.
var errProtocol = errors.New("malformed response of the broker")

// encoder writes a request. Flexible versions of the protocol count strings and arrays
// in variable length and end each structure with tagged fields.
type encoder struct {
	b        []byte
	flexible bool
}

// begin writes the length's place and the request's header.
func (e *encoder) begin(api, version int16) {
	e.b = append(e.b[:0], 0, 0, 0, 0)
	e.int16(api)
	e.int16(version)
	e.int32(correlation)
	e.int16(int16(len(clientID)))
	e.b = append(e.b, clientID...)
	e.tags()
}

// end sets the length.
func (e *encoder) end() []byte {
	binary.BigEndian.PutUint32(e.b, uint32(len(e.b)-4))
	return e.b
}

func (e *encoder) int8(n int8)   { e.b = append(e.b, byte(n)) }
func (e *encoder) int16(n int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(n)) }
func (e *encoder) int32(n int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)) }
func (e *encoder) int64(n int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(n)) }

func (e *encoder) uuid(id topicID) { e.b = append(e.b, id[:]...) }

func (e *encoder) string(s string) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(len(s)+1))
	} else {
		e.int16(int16(len(s)))
	}
	e.b = append(e.b, s...)
}

// array writes a length; negative: null.
func (e *encoder) array(n int) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(n+1))
		return
	}
	e.int32(int32(n))
}

func (e *encoder) tags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

// decoder reads a response from the connection, so that records land in the memory they
// stay in. Its first error stays, and everything read after it is zero.
type decoder struct {
	r        io.Reader
	left     int // bytes of the response
	flexible bool
	err      error
	scratch  [16]byte
}

// correlation is the one that all requests have: a connection carries one at a time.
const correlation = 0x636570

// open reads the response's length and header.
func (d *decoder) open() {
	d.left = 4
	size := d.int32()
	if d.err == nil && (size < 4 || size > maxResponse) {
		d.err = fmt.Errorf("%w: %d bytes", errProtocol, size)
	}
	d.left = int(size)
	if got := d.int32(); d.err == nil && got != correlation {
		d.err = fmt.Errorf("%w: of another request", errProtocol)
	}
	d.tags()
}

// close says what went wrong; a response must be read to its end.
func (d *decoder) close() error {
	if d.err == nil && d.left != 0 {
		d.err = fmt.Errorf("%w: %d bytes too many", errProtocol, d.left)
	}
	return d.err
}

// take reads the next n bytes into the scratch, or into memory of their own.
func (d *decoder) take(n int) []byte {
	b := d.scratch[:]
	if n > len(b) {
		if n > d.left {
			n = 0
			d.fail()
		}
		b = make([]byte, n)
	}
	d.fill(b[:n])
	return b[:n]
}

func (d *decoder) fill(b []byte) {
	if d.err == nil && len(b) > d.left {
		d.fail()
	}
	if d.err == nil {
		_, d.err = io.ReadFull(d.r, b)
		d.left -= len(b)
	}
	if d.err != nil {
		clear(b)
	}
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: cut short", errProtocol)
	}
}

func (d *decoder) bool() bool   { return d.take(1)[0] != 0 }
func (d *decoder) int16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

func (d *decoder) uuid() topicID { return topicID(d.take(16)) }

// ReadByte makes the decoder an io.ByteReader for variable-length numbers.
func (d *decoder) ReadByte() (byte, error) {
	b := d.take(1)[0]
	return b, d.err
}

func (d *decoder) uvarint() int {
	n, err := binary.ReadUvarint(d)
	if d.err == nil && (err != nil || n > maxResponse) {
		d.fail()
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// array reads a length; null is 0. What it counts takes at least one byte each.
func (d *decoder) array() int {
	n := 0
	if d.flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.int32())
	}
	if n > d.left {
		d.fail()
	}
	if d.err != nil {
		return 0
	}
	return max(n, 0)
}

func (d *decoder) string() string {
	n := 0
	if d.flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.int16())
	}
	return string(d.take(max(n, 0)))
}

// bytes reads a byte array into memory, which is grown where it is too small.
func (d *decoder) bytes(memory []byte) []byte {
	n := d.array()
	if n > cap(memory) {
		memory = make([]byte, n)
	}
	d.fill(memory[:n])
	return memory[:n]
}

func (d *decoder) skip(n int) {
	for n > 0 && d.err == nil {
		step := min(n, len(d.scratch))
		d.fill(d.scratch[:step])
		n -= step
	}
}

// tags passes by the tagged fields of a structure.
func (d *decoder) tags() {
	if !d.flexible {
		return
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		d.uvarint()
		d.skip(d.uvarint())
	}
}

// exchangeOn writes a request and returns a decoder that stands behind the response's header.
func exchangeOn(rw io.ReadWriter, e *encoder) *decoder {
	d := &decoder{r: rw, flexible: e.flexible}
	if _, ok := rw.(interface{ Peek(int) ([]byte, error) }); !ok {
		d.r = bufio.NewReader(rw)
	}
	if _, d.err = rw.Write(e.end()); d.err == nil {
		d.open()
	}
	return d
}
