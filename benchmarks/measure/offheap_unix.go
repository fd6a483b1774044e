//go:build unix

package measure

import (
	"fmt"
	"syscall"
	"unsafe"
)

// offHeap returns room for n values outside of Go's heap, which is never given back. On
// the heap, loaded events would be most of what the collector sees: it would run seldom
// and find much, which is not what it does in production. The values must not point into
// the heap.
func offHeap[T any](n int) ([]T, error) {
	var one T
	if n == 0 {
		return nil, nil
	}
	room, err := syscall.Mmap(-1, 0, n*int(unsafe.Sizeof(one)), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map room for %d values: %w", n, err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(room))), n), nil
}
