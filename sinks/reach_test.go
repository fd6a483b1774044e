package sinks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/sinks/webhook"
)

// certificate is one of 127.0.0.1, signed by itself, that ends at a time.
func certificate(t *testing.T, until time.Time) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// TestReceiversThatCannotBeReached: the message names the receiver and the mend, and no
// secret.
func TestReceiversThatCannotBeReached(t *testing.T) {
	expired, roots := certificate(t, time.Now().Add(-time.Hour))
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{expired}}
	server.StartTLS()
	t.Cleanup(server.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, c := range map[string]struct {
		url   string
		roots *x509.CertPool
		fault bool
		want  []string
	}{
		"expired":      {server.URL, roots, true, []string{server.URL + " is not trusted", "expired", "renew its certificate"}},
		"unknown":      {server.URL, nil, true, []string{"is not trusted", "certificate"}},
		"no such host": {"http://nobody.invalid", nil, false, []string{"no host of the name nobody.invalid is known", "look at it in the configuration"}},
		"silent":       {"http://" + silent.Addr().String(), nil, false, []string{"no answer within 100ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}}
			defer transport.CloseIdleConnections()
			s, err := webhook.New(c.url+"/s3cret", webhook.Options{Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			timeout := time.Minute
			if name == "silent" {
				timeout = 100 * time.Millisecond
			}
			got := sinktest.Deliver(t, s, sinks.Delivery{StopOnFault: true, Timeout: timeout, MaxElapsed: time.Millisecond}, sinktest.Alerts(1))
			said := got.Dead[1]
			if fault := (*sinks.FaultError)(nil); errors.As(got.Err, &fault) != c.fault {
				t.Errorf("%v, %v", got.Err, got.Dead)
			} else if c.fault {
				said = got.Err.Error()
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) || strings.Contains(said, "s3cret") {
					t.Errorf("%q does not say %q", said, want)
				}
			}
		})
	}
}
