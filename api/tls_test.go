package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir(), pool: x509.NewCertPool(), next: 1}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	self := &x509.Certificate{SerialNumber: big.NewInt(99), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, self, self, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	a.write("ca", der, nil)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name string, cert []byte, key *ecdsa.PrivateKey) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if key == nil {
		return
	}
	der, _ := x509.MarshalECPrivateKey(key)
	if err := os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes a certificate and its key, and returns its serial number.
func (a *authority) issue(name string) int64 {
	a.t.Helper()
	a.next++
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name, der, key)
	return a.next
}

func TestCertificates(t *testing.T) {
	ca := newAuthority(t)
	first := ca.issue("server")
	ca.issue("client")
	clock := time.Now()
	r := start(t, func(o *Options) {
		o.TLS = &TLS{Cert: ca.path("server.pem"), Key: ca.path("server.key"), ClientCA: ca.path("ca.pem")}
	})
	r.s.certs.clock = func() time.Time { clock = clock.Add(time.Minute); return clock }
	url := strings.Replace(r.serve(), "http:", "https:", 1)
	ask := func(certs ...tls.Certificate) (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.pool, Certificates: certs}}}
		a, err := client.Get(url + "/v1/status")
		if err == nil {
			_ = a.Body.Close()
		}
		return a, err
	}
	if _, err := ask(); err == nil {
		t.Error("a client without a certificate was answered")
	}
	pair, err := tls.LoadX509KeyPair(ca.path("client.pem"), ca.path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	wantSerial := func(want int64) {
		t.Helper()
		a, err := ask(pair)
		if err != nil || a.StatusCode != 200 || a.TLS.PeerCertificates[0].SerialNumber.Int64() != want {
			t.Fatalf("%v, want status 200 and certificate %d", err, want)
		}
	}
	wantSerial(first)
	second := ca.issue("server")
	wantSerial(second)
	if err := os.WriteFile(ca.path("server.pem"), []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantSerial(second)
}

func TestCertificatesThatCannotBeRead(t *testing.T) {
	if _, err := New(Options{TLS: &TLS{Cert: "/nowhere", Key: "/nowhere"}}); err == nil {
		t.Error("no error")
	}
}
