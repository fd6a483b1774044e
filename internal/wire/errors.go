package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// SettingError says that something cannot work before a setting is mended.
type SettingError struct {
	Setting string // its name in the settings of the source or the sink, e.g. "sasl.password"
	Fact    string
	Err     error // may be nil
}

// Error names the fact and the setting.
func (e *SettingError) Error() string {
	text := "kafka: " + e.Fact
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return text + "; mend " + e.Setting
}

// Unwrap returns what was found.
func (e *SettingError) Unwrap() error { return e.Err }

// Mend makes a [SettingError].
func Mend(setting, fact string, err error) *SettingError {
	return &SettingError{Setting: setting, Fact: fact, Err: err}
}

// Explain finds the setting that a failed attempt to talk to brokers is about. What may
// pass by itself comes back as it is, or as a SettingError that waiting reports.
func (a *Access) Explain(err error) error {
	brokers := strings.Join(a.Brokers, ", ")
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		plaintext tls.RecordHeaderError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, new(*SettingError)):
		return err
	case errors.Is(err, kafka.SASLAuthenticationFailed), refusedLogin(err):
		return &SettingError{"sasl.user and sasl.password", fmt.Sprintf("the brokers refuse the login of user %q by %s", a.User(), a.loginBy()), nil}
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return &SettingError{"sasl.mechanism", "the brokers do not take logins by " + a.loginBy(), nil}
	case errors.As(err, &authority):
		return &SettingError{"tls.ca", "the brokers' certificate is signed by an authority that is not trusted", err}
	case errors.As(err, &host):
		return &SettingError{"tls.server_name (or brokers)", "the brokers' certificate is for another name", err}
	case errors.As(err, &invalid):
		return &SettingError{"the brokers' certificate, or tls.ca", "the brokers' certificate is not valid", err}
	case errors.As(err, &plaintext):
		return &SettingError{"tls (leave it out), or the port in brokers", "the listener at " + brokers + " does not speak TLS", err}
	case strings.Contains(err.Error(), "remote error: tls:"):
		return &SettingError{"tls.cert and tls.key", "the brokers refuse our certificate, or want one", err}
	case errors.As(err, &dns):
		return &SettingError{"brokers", "no address is known for " + dns.Name, err}
	}
	return a.explainSilence(err, brokers)
}

// refusedLogin reports whether SCRAM ended with the server's error or a wrong proof: the
// library says so by text alone.
func refusedLogin(err error) bool {
	return strings.Contains(err.Error(), "invalid-proof") || strings.Contains(err.Error(), "server-error")
}

// User is who logs in, empty where nobody does.
func (a *Access) User() string {
	if a.SASL == nil {
		return ""
	}
	return a.SASL.User
}

func (a *Access) loginBy() string {
	if a.SASL == nil {
		return "no mechanism"
	}
	return a.SASL.Mechanism
}

// explainSilence is Explain for connections that end, or never begin.
func (a *Access) explainSilence(err error, brokers string) error {
	var op *net.OpError
	switch {
	case hungUp(err):
		return &SettingError{a.whatIsMissing(), "the broker at " + brokers + " ends the connection: its listener may want another protocol", err}
	case CutShort(err):
		return &SettingError{"brokers", "no answer from " + brokers, err}
	case errors.As(err, &op) && op.Op == "dial":
		return &SettingError{"brokers", "no connection to " + brokers, err}
	}
	return err
}

// whatIsMissing guesses what a listener wants that hangs up on us.
func (a *Access) whatIsMissing() string {
	switch {
	case a.TLS == nil && a.SASL == nil:
		return "tls or sasl, or the port in brokers"
	case a.TLS == nil:
		return "tls, or the port in brokers"
	case a.SASL == nil:
		return "sasl (it may want a login), tls (it may not speak it), or the port in brokers"
	}
	return "tls (it may not speak it), sasl, or the port in brokers"
}

// hungUp reports whether the other side has ended the connection: a listener of another
// protocol does so, and a broker that is being killed.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "connection reset")
}

// CutShort reports whether time was over before there was an answer: what was found before
// that says more.
func CutShort(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "deadline exceeded") || strings.Contains(err.Error(), "i/o timeout")
}

// Fatal reports whether waiting does not help: all settings but those that may only seem
// wrong, because brokers do not answer or hang up.
func Fatal(err error) bool {
	var s *SettingError
	return errors.As(err, &s) && s.Setting != "brokers" && !hungUp(err)
}
