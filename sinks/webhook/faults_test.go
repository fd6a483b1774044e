package webhook

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

// TestFaults is of one request for a hundred alerts.
func TestFaults(t *testing.T) {
	var mu sync.Mutex
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var came []string
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			if id, err := id(lines.Bytes()); err == nil {
				came = append(came, id)
			}
		}
		if lines.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, came...)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	sinktest.Faults(t, sinktest.Receiver{
		Name: "webhook", Addr: server.Listener.Addr().String(),
		Open: func(t testing.TB, addr string) sinks.Sink {
			s, err := New("http://"+addr+"/hook", Options{Batch: 100})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
		IDs: func(testing.TB) []string {
			mu.Lock()
			defer mu.Unlock()
			return ids
		},
	})
}
