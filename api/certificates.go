package api

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates are read from files, and again when these have changed.
type certificates struct {
	o     TLS
	log   *slog.Logger
	clock func() time.Time

	mu     sync.Mutex
	now    *tls.Config
	looked time.Time
	stamp  string
}

const lookEvery = time.Second

func newCertificates(o *TLS, log *slog.Logger, clock func() time.Time) (*certificates, error) {
	c := &certificates{o: *o, log: log, clock: clock}
	var err error
	c.stamp = c.stampOf()
	c.now, err = c.read()
	return c, err
}

// config asks for the certificates of now at each handshake.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil }}
}

func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.clock()
	if at.Sub(c.looked) < lookEvery {
		return c.now
	}
	c.looked = at
	stamp := c.stampOf()
	if stamp == c.stamp {
		return c.now
	}
	c.stamp = stamp
	fresh, err := c.read()
	if err != nil {
		c.log.Error("the certificate has changed and cannot be read; the old one stays", "err", err)
		return c.now
	}
	c.now = fresh
	c.log.Info("the certificate was read again")
	return fresh
}

// stampOf is another when a file has changed.
func (c *certificates) stampOf() string {
	var stamp []byte
	for _, path := range []string{c.o.Cert, c.o.Key, c.o.ClientCA} {
		if at, err := os.Stat(path); err == nil {
			stamp = fmt.Append(stamp, at.ModTime().UnixNano(), at.Size(), ";")
		}
	}
	return string(stamp)
}

func (c *certificates) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.o.Cert, c.o.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if c.o.ClientCA == "" {
		return out, nil
	}
	text, err := os.ReadFile(c.o.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of those who sign: %w", err)
	}
	out.ClientCAs, out.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !out.ClientCAs.AppendCertsFromPEM(text) {
		return nil, errors.New(c.o.ClientCA + " has no certificate in PEM form")
	}
	return out, nil
}
