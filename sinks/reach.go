package sinks

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Unreached is what an error on the way to a receiver, or back, says of delivery: one that is
// not trusted is a fault; all else may pass, a name that nobody knows too, for the one who
// knows names may be in trouble. It names the receiver, and the mend where one is known.
func Unreached(at string, err error) error {
	var (
		name *net.DNSError
		late net.Error
	)
	switch mend, untrusted := mendOfTrust(err); {
	case untrusted:
		return &FaultError{fmt.Errorf("%s is not trusted: %w; %s", at, err, mend)}
	case errors.As(err, &name) && name.IsNotFound:
		return &RetryError{Err: fmt.Errorf("no host of the name %s is known (%w); look at it in the configuration", name.Name, err)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &RetryError{Err: fmt.Errorf("no answer from %s: %w; nothing listens there: start it, or look at host and port", at, err)}
	case errors.As(err, &late) && late.Timeout():
		return &RetryError{Err: fmt.Errorf("no answer from %s in time: %w; %s", at, err, mendOfSilence)}
	}
	return &RetryError{Err: fmt.Errorf("no answer from %s: %w", at, err)}
}

// mendOfSilence is for receivers that take connections and say nothing.
const mendOfSilence = "look whether it is well and speaks this protocol at this port, or raise timeout"

// mendOfTrust tells whether, and why, a certificate is not accepted.
func mendOfTrust(err error) (mend string, untrusted bool) {
	var (
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		other   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew its certificate, or set the clock", true
	case errors.As(err, &host):
		return "give a name that its certificate is for", true
	case errors.As(err, &unknown):
		return "have the system trust who signed its certificate", true
	}
	return "look at its certificate", errors.As(err, &other)
}
