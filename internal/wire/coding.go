package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ClientID is how the brokers' logs and quotas know us.
const ClientID = "cepheus"

// MaxResponse bounds what a length from the network may make us allocate, in bytes.
const MaxResponse = 1 << 30

// ErrProtocol is of a response that cannot be what was asked for.
var ErrProtocol = errors.New("malformed response of the broker")

// Encoder writes a request. Flexible versions of the protocol count strings and arrays
// in variable length and end each structure with tagged fields.
type Encoder struct {
	b        []byte
	Flexible bool
}

// Begin writes the length's place and the request's header.
func (e *Encoder) Begin(api, version int16) {
	e.b = append(e.b[:0], 0, 0, 0, 0)
	e.Int16(api)
	e.Int16(version)
	e.Int32(correlation)
	e.Int16(int16(len(ClientID)))
	e.b = append(e.b, ClientID...)
	e.Tags()
}

// end sets the length.
func (e *Encoder) end() []byte {
	binary.BigEndian.PutUint32(e.b, uint32(len(e.b)-4))
	return e.b
}

// Int8 writes a number of 8 bits.
func (e *Encoder) Int8(n int8) { e.b = append(e.b, byte(n)) }

// Int16 writes a number of 16 bits.
func (e *Encoder) Int16(n int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(n)) }

// Int32 writes a number of 32 bits.
func (e *Encoder) Int32(n int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)) }

// Int64 writes a number of 64 bits.
func (e *Encoder) Int64(n int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(n)) }

// UUID writes the id of a topic.
func (e *Encoder) UUID(id TopicID) { e.b = append(e.b, id[:]...) }

// Text writes a string.
func (e *Encoder) Text(s string) {
	if e.Flexible {
		e.b = binary.AppendUvarint(e.b, uint64(len(s)+1))
	} else {
		e.Int16(int16(len(s)))
	}
	e.b = append(e.b, s...)
}

// Null writes that there is no string.
func (e *Encoder) Null() {
	if e.Flexible {
		e.Int8(0)
		return
	}
	e.Int16(-1)
}

// Bytes writes a byte array.
func (e *Encoder) Bytes(b []byte) {
	e.Array(len(b))
	e.b = append(e.b, b...)
}

// Array writes a length; negative: null.
func (e *Encoder) Array(n int) {
	if e.Flexible {
		e.b = binary.AppendUvarint(e.b, uint64(n+1))
		return
	}
	e.Int32(int32(n))
}

// Tags writes that there are no tagged fields; nothing where the version has none.
func (e *Encoder) Tags() {
	if e.Flexible {
		e.b = append(e.b, 0)
	}
}

// Decoder reads a response from the connection, so that records land in the memory they
// stay in. Its first error stays, and everything read after it is zero.
type Decoder struct {
	r        io.Reader
	left     int // bytes of the response
	Flexible bool
	Err      error
	scratch  [16]byte
}

// correlation is the one that all requests have: a connection carries one at a time.
const correlation = 0x636570

// open reads the response's length and header.
func (d *Decoder) open() {
	d.left = 4
	size := d.Int32()
	if d.Err == nil && (size < 4 || size > MaxResponse) {
		d.Err = fmt.Errorf("%w: %d bytes", ErrProtocol, size)
	}
	d.left = int(size)
	if got := d.Int32(); d.Err == nil && got != correlation {
		d.Err = fmt.Errorf("%w: of another request", ErrProtocol)
	}
	d.Tags()
}

// Close says what went wrong; a response must be read to its end.
func (d *Decoder) Close() error {
	if d.Err == nil && d.left != 0 {
		d.Err = fmt.Errorf("%w: %d bytes too many", ErrProtocol, d.left)
	}
	return d.Err
}

// take reads the next n bytes into the scratch, or into memory of their own.
func (d *Decoder) take(n int) []byte {
	b := d.scratch[:]
	if n > len(b) {
		if n > d.left {
			n = 0
			d.Fail()
		}
		b = make([]byte, n)
	}
	d.fill(b[:n])
	return b[:n]
}

func (d *Decoder) fill(b []byte) {
	if d.Err == nil && len(b) > d.left {
		d.Fail()
	}
	if d.Err == nil {
		_, d.Err = io.ReadFull(d.r, b)
		d.left -= len(b)
	}
	if d.Err != nil {
		clear(b)
	}
}

// Fail notes that the response cannot be what was asked for.
func (d *Decoder) Fail() {
	if d.Err == nil {
		d.Err = fmt.Errorf("%w: cut short", ErrProtocol)
	}
}

// Bool reads a byte as yes or no.
func (d *Decoder) Bool() bool { return d.take(1)[0] != 0 }

// Int16 reads a number of 16 bits.
func (d *Decoder) Int16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }

// Int32 reads a number of 32 bits.
func (d *Decoder) Int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }

// Int64 reads a number of 64 bits.
func (d *Decoder) Int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

// UUID reads the id of a topic.
func (d *Decoder) UUID() TopicID { return TopicID(d.take(16)) }

// ReadByte makes the Decoder an io.ByteReader for variable-length numbers.
func (d *Decoder) ReadByte() (byte, error) {
	b := d.take(1)[0]
	return b, d.Err
}

// Uvarint reads a number of variable length, 0 where it cannot be a length.
func (d *Decoder) Uvarint() int {
	n, err := binary.ReadUvarint(d)
	if d.Err == nil && (err != nil || n > MaxResponse) {
		d.Fail()
	}
	if d.Err != nil {
		return 0
	}
	return int(n)
}

// Array reads a length; null is 0. What it counts takes at least one byte each.
func (d *Decoder) Array() int {
	n := 0
	if d.Flexible {
		n = d.Uvarint() - 1
	} else {
		n = int(d.Int32())
	}
	if n > d.left {
		d.Fail()
	}
	if d.Err != nil {
		return 0
	}
	return max(n, 0)
}

// Text reads a string; null is empty.
func (d *Decoder) Text() string {
	n := 0
	if d.Flexible {
		n = d.Uvarint() - 1
	} else {
		n = int(d.Int16())
	}
	return string(d.take(max(n, 0)))
}

// Bytes reads a byte array into memory, which is grown where it is too small.
func (d *Decoder) Bytes(memory []byte) []byte {
	n := d.Array()
	if n > cap(memory) {
		memory = make([]byte, n)
	}
	d.fill(memory[:n])
	return memory[:n]
}

// Skip passes by n bytes.
func (d *Decoder) Skip(n int) {
	for n > 0 && d.Err == nil {
		step := min(n, len(d.scratch))
		d.fill(d.scratch[:step])
		n -= step
	}
}

// Tags passes by the tagged fields of a structure.
func (d *Decoder) Tags() {
	if !d.Flexible {
		return
	}
	for n := d.Uvarint(); n > 0 && d.Err == nil; n-- {
		d.Uvarint()
		d.Skip(d.Uvarint())
	}
}

// Ask writes a request and returns a decoder that stands behind the response's header.
func Ask(rw io.ReadWriter, e *Encoder) *Decoder {
	d := &Decoder{r: rw, Flexible: e.Flexible}
	if _, ok := rw.(interface{ Peek(int) ([]byte, error) }); !ok {
		d.r = bufio.NewReader(rw)
	}
	if _, d.Err = rw.Write(e.end()); d.Err == nil {
		d.open()
	}
	return d
}
