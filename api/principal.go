package api

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// The scopes. Admin holds all others.
const (
	scopeNone         = ""  // anybody
	scopeAny          = "*" // whoever is known
	scopeRulesRead    = "rules:read"
	scopeRulesWrite   = "rules:write"
	scopeEventsWrite  = "events:write"
	scopeAlertsRead   = "alerts:read"
	scopeAdmin        = "admin"
	anonymous         = "anonymous"
	failuresPerSecond = 1 // of one address
	failuresAtOnce    = 10
	notesPerSecond    = 1.0 / 60 // of an address, of what is refused without a look at who asks
	mostRemembered    = 10_000   // addresses and tokens
)

// principal is who asks.
type principal struct {
	name   string
	scopes []string
}

func (p *principal) may(scope string) bool {
	switch {
	case scope == scopeNone || scope == scopeAny:
		return true
	case scope == scopeRulesRead && slices.Contains(p.scopes, scopeRulesWrite): // who changes has to look
		return true
	}
	return slices.Contains(p.scopes, scope) || slices.Contains(p.scopes, scopeAdmin)
}

// gate knows who may ask. To check a token costs what its hash is meant to cost, so a token
// that was right is remembered, by a keyed hash of it; wrong ones, and none, are taken from
// an address so many a second.
type gate struct {
	tokens []Token
	certs  bool // clients have certificates
	limits Limits
	secret [32]byte
	hash   chan struct{} // held while a token is hashed: memory and time of few at once

	mu       sync.Mutex
	known    map[[32]byte]*principal
	failures map[string]*rate.Limiter // by network
	notes    map[string]*rate.Limiter // likewise
	rates    map[string]*rate.Limiter // by principal
}

func newGate(o *Options) (*gate, error) {
	g := &gate{tokens: o.Tokens, certs: o.TLS != nil && o.TLS.ClientCA != "", limits: o.Limits, hash: make(chan struct{}, 2)}
	g.known, g.failures, g.rates = map[[32]byte]*principal{}, map[string]*rate.Limiter{}, map[string]*rate.Limiter{}
	g.notes = map[string]*rate.Limiter{}
	if _, err := rand.Read(g.secret[:]); err != nil {
		return nil, err
	}
	for _, t := range o.Tokens {
		if _, err := matches(t.Hash, ""); err != nil {
			return nil, fmt.Errorf("token %s: %w", t.Name, err)
		}
	}
	return g, nil
}

// open says that anybody may ask.
func (g *gate) open() bool { return len(g.tokens) == 0 && !g.certs }

// admit says who asks, or why it must not.
func (g *gate) admit(r *http.Request, scope string) (*principal, error) {
	if scope == scopeNone {
		return &principal{name: anonymous}, nil
	}
	p, err := g.identify(r)
	if err != nil {
		return nil, err
	}
	if !g.limiter(g.rates, p.name, g.limits.Rate, g.limits.Burst).Allow() {
		return p, tooMany("%s asks more than %g times a second", p.name, g.limits.Rate)
	}
	if !p.may(scope) {
		return p, wrong(http.StatusForbidden, "scope", "use a token with that scope", "%s does not have the scope %s", p.name, scope)
	}
	return p, nil
}

const kindRate = "rate"

func tooMany(detail string, args ...any) *problem {
	p := wrong(http.StatusTooManyRequests, kindRate, "ask less often", detail, args...)
	p.retryAfter = time.Second
	return p
}

func (g *gate) identify(r *http.Request) (*principal, error) {
	if g.open() {
		return &principal{anonymous, []string{scopeAdmin}}, nil
	}
	if len(g.tokens) > 0 { // beside a certificate, where there must be one
		return g.byToken(r.Context(), address(r), bearer(r.Header.Get("Authorization")))
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return &principal{"certificate " + r.TLS.PeerCertificates[0].Subject.CommonName, []string{scopeAdmin}}, nil
	}
	return nil, unknown("no certificate was sent")
}

// bearer is the token of a header Authorization.
func bearer(header string) string {
	const scheme = "Bearer "
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		header = header[len(scheme):]
	}
	return strings.TrimSpace(header)
}

// network is whose address it is, as far as can be told: of IPv6 one has at least a /64, and all
// addresses in it.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() || ip.Is4In6() {
		return address
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}

func unknown(detail string) *problem {
	p := wrong(http.StatusUnauthorized, "token", "send Authorization: Bearer TOKEN with a token of api.tokens", detail)
	p.header = http.Header{"Www-Authenticate": {`Bearer realm="cepheus"`}}
	return p
}

func (g *gate) byToken(ctx context.Context, from, token string) (*principal, error) {
	mac := hmac.New(sha256.New, g.secret[:])
	mac.Write([]byte(token))
	id := [32]byte(mac.Sum(nil))
	g.mu.Lock()
	p := g.known[id]
	g.mu.Unlock()
	if p != nil {
		return p, nil
	}
	if !g.limiter(g.failures, network(from), failuresPerSecond, failuresAtOnce).Allow() {
		return nil, tooMany("too many requests without a token, or with an unknown one, come from %s", from)
	}
	if token == "" {
		return nil, unknown("no token was sent")
	}
	p, err := g.check(ctx, token)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= mostRemembered {
		clear(g.known)
	}
	g.known[id] = p
	return p, nil
}

// check hashes a token as each that is known was; all are, so that time tells nothing.
func (g *gate) check(ctx context.Context, token string) (found *principal, err error) {
	select {
	case g.hash <- struct{}{}:
		defer func() { <-g.hash }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, t := range g.tokens {
		if same, err := matches(t.Hash, token); err == nil && same && found == nil {
			found = &principal{t.Name, t.Scopes}
		}
	}
	if found == nil {
		return nil, unknown("the token is not known")
	}
	return found, nil
}

// noted reports whether one more attempt from an address is to be noted that was refused without
// a look at who asks: such attempts cost who makes them nothing.
func (g *gate) noted(from string) bool {
	return g.limiter(g.notes, network(from), notesPerSecond, 1).Allow()
}

func (g *gate) limiter(of map[string]*rate.Limiter, name string, perSecond float64, burst int) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := of[name]
	if l == nil {
		if len(of) >= mostRemembered {
			clear(of)
		}
		l = rate.NewLimiter(rate.Limit(perSecond), burst)
		of[name] = l
	}
	return l
}

var errHash = errors.New("its hash is neither bcrypt ($2a$…) nor argon2id ($argon2id$v=19$m=…,t=…,p=…$SALT$HASH)")

// matches reports whether a hash is that of a token, in a time that does not depend on how
// far they are alike. An empty token matches nothing, and costs nothing.
func matches(hash, token string) (bool, error) {
	if strings.HasPrefix(hash, "$argon2id$") {
		return argonMatches(hash, token)
	}
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		return false, errHash
	}
	if token == "" || len(token) > 72 { // bcrypt knows no more of it
		return false, nil
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(token)) == nil, nil
}

// Bounds of argon2id, beyond which a check would take the process with it.
const (
	argonMemory = 1 << 20 // KiB
	argonTime   = 64
)

func argonMatches(hash, token string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return false, errHash
	}
	var memory, times uint32
	var threads uint8
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &times, &threads); n != 3 || err != nil {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || len(want) < 16 || len(want) > 64 || memory > argonMemory || times < 1 || times > argonTime || threads < 1 {
		return false, errHash
	}
	if token == "" {
		return false, nil
	}
	got := argon2.IDKey([]byte(token), salt, times, memory, threads, uint32(len(want))) // at most 64
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
