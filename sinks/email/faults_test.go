package email

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

// TestFaults is of one message an alert, by eight conversations at once. There are fewer
// alerts than of other sinks: some 500 a second go to a server that is well, so that 100,000
// took more than half an hour.
func TestFaults(t *testing.T) {
	var mu sync.Mutex
	var ids []string
	s := &server{fault: func(_ int, what string) error {
		var n int
		if _, title, ok := strings.Cut(what, "Card "); ok {
			fmt.Sscan(title, &n)
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, sinktest.ID(n))
		}
		return nil
	}, forget: true}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back := smtp.NewServer(s)
	back.ErrorLog = quiet{}
	go back.Serve(l)
	t.Cleanup(func() { back.Close() })
	sinktest.Faults(t, sinktest.Receiver{
		Name: "email", InProcess: true, Most: 20_000, Addr: l.Addr().String(), How: sinks.Delivery{Concurrency: 8},
		Open: func(t testing.TB, addr string) sinks.Sink {
			s, err := New(Options{Host: addr, From: "a@example.org", To: []string{"b@example.org"}, Encryption: None})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		IDs: func(testing.TB) []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(ids)
		},
	})
}
