package engine

import (
	"testing"
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/machine"
)

// The entries of windows' keys are as long as some lines of the cache, so that each begins
// with one.
func TestKeysFillLines(t *testing.T) {
	for name, size := range map[string]uintptr{
		"window": unsafe.Sizeof(keyEntry[cell[machine.WindowKey]]{}),
		"bucket": unsafe.Sizeof(keyEntry[cell[machine.BucketKey]]{}),
	} {
		if size%64 != 0 {
			t.Errorf("an entry of a %s takes %d bytes", name, size)
		}
	}
}
