package api

import (
	"net"
	"testing"
)

// crowdOfIdle opens many connections that say nothing.
func crowdOfIdle(t *testing.T, address string) {
	t.Helper()
	for range 50 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}
