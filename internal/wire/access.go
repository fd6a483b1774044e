package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Access is how brokers are reached.
type Access struct {
	Brokers []string      // host:port of some; they name the others
	TLS     *TLS          // nil: not encrypted
	SASL    *SASL         // nil: no login
	Timeout time.Duration // for a connection to be made
}

// TLS says how connections are encrypted. The paths name PEM files.
type TLS struct {
	CA         string // certificates that sign the brokers'; default: those of the system
	Cert, Key  string // our own, where the brokers ask for one
	ServerName string // the name in the brokers' certificates; default: their host names
}

// SASL is a login.
type SASL struct {
	Mechanism      string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User, Password string
}

// tlsConfig reads the files that the options name.
func (a *Access) tlsConfig() (*tls.Config, error) {
	if a.TLS == nil {
		return nil, nil
	}
	c := &tls.Config{ServerName: a.TLS.ServerName, MinVersion: tls.VersionTLS12}
	if a.TLS.CA != "" {
		pem, err := os.ReadFile(a.TLS.CA)
		if err != nil {
			return nil, fmt.Errorf("kafka: tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka: tls.ca: %s holds no certificate in PEM form", a.TLS.CA)
		}
	}
	if a.TLS.Cert == "" && a.TLS.Key == "" {
		return c, nil
	}
	own, err := tls.LoadX509KeyPair(a.TLS.Cert, a.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("kafka: tls.cert and tls.key: %w", err)
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}

// mechanism returns nil where there is no login.
func (a *Access) mechanism() (sasl.Mechanism, error) {
	if a.SASL == nil {
		return nil, nil
	}
	if a.SASL.User == "" {
		return nil, errors.New("kafka: sasl.user is empty")
	}
	switch a.SASL.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: a.SASL.User, Password: a.SASL.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, a.SASL.User, a.SASL.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, a.SASL.User, a.SASL.Password)
	}
	return nil, fmt.Errorf("kafka: sasl.mechanism %q: one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", a.SASL.Mechanism)
}
