package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/event"
)

// SettingError says that something cannot work before a setting is mended.
type SettingError struct {
	Setting string // its name in the source's settings, e.g. "sasl.password"
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

// ReplacedError says that a topic is not the one of which a position was stored.
type ReplacedError struct {
	Partition event.Partition
	Offset    int64 // where reading was to go on
	Was, Is   string
}

// Error names the topic, what was found and the mend.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("topic %s was deleted and made again since partition %d was read up to offset %d (its id was %s and is %s); read it under another source name, or start with a fresh state directory",
		e.Partition.Topic, e.Partition.Number, e.Offset, e.Was, e.Is)
}

// RangeError says that a partition does not have the offset that reading was to go on at,
// and that the options want the run to end then.
type RangeError struct {
	Partition  event.Partition
	Offset     int64
	Start, End int64 // what the log has
}

// Error names the offsets and the mend.
func (e *RangeError) Error() string {
	if e.Offset > e.End {
		return fmt.Sprintf("partition %s ends at offset %d, before %d, which has been read: the log has lost records (an unclean election of a leader, or a restored disk); set out_of_range: latest to go on with what comes from now on, or start with a fresh state directory",
			e.Partition.AppendName(nil), e.End, e.Offset)
	}
	return fmt.Sprintf("partition %s begins at offset %d, and reading was to go on at %d: %d records are gone by retention; set out_of_range: earliest to go on without them",
		e.Partition.AppendName(nil), e.Start, e.Offset, e.Start-e.Offset)
}

// explain finds the setting that a failed attempt to talk to brokers is about. What may
// pass by itself comes back as it is, or as a SettingError that waiting reports.
func (o *Options) explain(err error) error {
	brokers := strings.Join(o.Brokers, ", ")
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
		return &SettingError{"sasl.user and sasl.password", fmt.Sprintf("the brokers refuse the login of user %q by %s", o.user(), o.loginBy()), nil}
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return &SettingError{"sasl.mechanism", "the brokers do not take logins by " + o.loginBy(), nil}
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
	return o.explainSilence(err, brokers)
}

// refusedLogin reports whether SCRAM ended with the server's error or a wrong proof: the
// library says so by text alone.
func refusedLogin(err error) bool {
	return strings.Contains(err.Error(), "invalid-proof") || strings.Contains(err.Error(), "server-error")
}

func (o *Options) user() string {
	if o.SASL == nil {
		return ""
	}
	return o.SASL.User
}

func (o *Options) loginBy() string {
	if o.SASL == nil {
		return "no mechanism"
	}
	return o.SASL.Mechanism
}

// explainSilence is explain for connections that end, or never begin.
func (o *Options) explainSilence(err error, brokers string) error {
	var op *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "connection reset"):
		return &SettingError{o.whatIsMissing(), "the broker at " + brokers + " ends the connection: its listener may want another protocol", err}
	case errors.Is(err, os.ErrDeadlineExceeded), strings.Contains(err.Error(), "deadline exceeded"), strings.Contains(err.Error(), "i/o timeout"):
		return &SettingError{"brokers", "no answer from " + brokers, err}
	case errors.As(err, &op) && op.Op == "dial":
		return &SettingError{"brokers", "no connection to " + brokers, err}
	}
	return err
}

// whatIsMissing guesses what a listener wants that hangs up on us.
func (o *Options) whatIsMissing() string {
	switch {
	case o.TLS == nil && o.SASL == nil:
		return "tls or sasl, or the port in brokers"
	case o.TLS == nil:
		return "tls, or the port in brokers"
	case o.SASL == nil:
		return "sasl (it may want a login), tls (it may not speak it), or the port in brokers"
	}
	return "tls (it may not speak it), sasl, or the port in brokers"
}

// fatal reports whether waiting does not help: all settings but brokers that do not answer.
func fatal(err error) bool {
	var s *SettingError
	if !errors.As(err, &s) {
		return false
	}
	return s.Setting != "brokers" && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// topicError says what an error code of a topic means at the start; nil where it passes.
func (o *Options) topicError(topic string, code int16) error {
	switch kafka.Error(code) {
	case kafka.UnknownTopicOrPartition:
		return &SettingError{"topics", fmt.Sprintf("topic %q does not exist", topic), nil}
	case kafka.InvalidTopic:
		return &SettingError{"topics", fmt.Sprintf("%q cannot be the name of a topic", topic), nil}
	case kafka.TopicAuthorizationFailed:
		return &SettingError{"topics or sasl.user, or allow the user to READ and DESCRIBE the topic", fmt.Sprintf("user %q may not read topic %q", o.user(), topic), nil}
	}
	return nil
}
