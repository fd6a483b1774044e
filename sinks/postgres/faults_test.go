package postgres

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestFaults(t *testing.T) {
	db := servers.StartPostgres(t)
	sinktest.Faults(t, sinktest.Receiver{
		Name: "postgres", Addr: db.Addr(), Once: true,
		Open: func(t testing.TB, addr string) sinks.Sink {
			return open(t, Options{URL: strings.Replace(url(db), db.Addr(), addr, 1)})
		},
		IDs: func(t testing.TB) []string { return query(t, db, "SELECT id FROM cepheus_alerts") },
	})
}
