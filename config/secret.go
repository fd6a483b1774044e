package config

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden stands for every secret wherever it would be shown.
const hidden = "(secret)"

// Secret is a text that never prints, whatever prints it. The zero value is no secret: it
// is not set.
type Secret struct {
	// A pointer: what prints structs by reflection, without asking for methods, shows an
	// address.
	text *string
}

// NewSecret returns a secret that is set.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text, empty where the secret is not set. What it returns prints.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is one.
func (s Secret) IsSet() bool { return s.text != nil }

// Equal reports whether two secrets are the same.
func (s Secret) Equal(other Secret) bool {
	return s.IsSet() == other.IsSet() && s.Reveal() == other.Reveal()
}

// String returns what stands for a secret.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return hidden
}

// Format writes what stands for a secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) {
	io.WriteString(f, s.String()) //nolint:errcheck // fmt has no use for it
}

// GoString returns what stands for a secret.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns what stands for a secret, for JSON and others.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what stands for a secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s *Secret) set(text string) error {
	*s = NewSecret(text)
	return nil
}
