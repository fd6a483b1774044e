package api

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Cost of the hashes that NewToken makes, as OWASP advises: 19 MiB, two passes.
const (
	newMemory  = 19 << 10 // KiB
	newTime    = 2
	newThreads = 1
	newBytes   = 32 // of the token, and of its hash
)

// NewToken makes a bearer token, at random, and its hash for the configuration, by argon2id.
func NewToken() (token, hash string) {
	random := make([]byte, newBytes+16)
	rand.Read(random) // it never fails
	token = base64.RawURLEncoding.EncodeToString(random[:newBytes])
	salt := random[newBytes:]
	sum := argon2.IDKey([]byte(token), salt, newTime, newMemory, newThreads, newBytes)
	text := base64.RawStdEncoding.EncodeToString
	return token, fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", newMemory, newTime, newThreads, text(salt), text(sum))
}
