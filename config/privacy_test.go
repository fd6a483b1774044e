package config

import (
	"strings"
	"testing"
)

const privacy = `
rules: [r]
sources: { a: { stdin: {} } }
state: { dir: data, encryption: { key: KEY } }
redact: { key: HASHES, types: { payment: [MEMBER] } }
`

func TestKeysOfStateAndHashes(t *testing.T) {
	good := strings.NewReplacer("KEY", strings.Repeat("a7", 16), "HASHES", "0123456789abcdef", "MEMBER", "card, customer.email")
	c, err := parse(good.Replace(privacy))
	if err != nil {
		t.Fatal(err)
	}
	if c.State.Key() == nil || c.Redact.Mode != "hash" || len(c.Redact.Types["payment"]) != 2 {
		t.Errorf("read as %+v, %+v", c.State, c.Redact)
	}
	if plain, err := parse("rules: [r]\nsources: { a: { stdin: {} } }\nstate: { dir: data }\n"); err != nil || plain.State.Key() != nil {
		t.Errorf("without encryption: %v, %v", plain, err)
	}
	for name, c := range map[string]struct {
		key, hashes, member, want string
	}{
		"a short key of state":   {"hunter2", "0123456789abcdef", "card", "state.encryption.key: it is no key: write 16, 24 or 32 bytes"},
		"a short key of hashes":  {strings.Repeat("a7", 16), "hunter2", "card", "redact.key: is shorter than 16 bytes"},
		"a member without names": {strings.Repeat("a7", 16), "0123456789abcdef", "customer..email", "redact.types.payment: write members as card or customer.email"},
	} {
		_, err := parse(strings.NewReplacer("KEY", c.key, "HASHES", c.hashes, "MEMBER", c.member).Replace(privacy))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
