package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// API says how the HTTP API is served.
type API struct {
	Listen   string     `yaml:"listen" default:"127.0.0.1:8080" help:"Address and port."`
	Tokens   []Token    `yaml:"tokens" help:"Who may do what."`
	TLS      *ServerTLS `yaml:"tls" help:"Encrypt. Without it, connections are not."`
	Audit    Path       `yaml:"audit" help:"A file to which every change and refused attempt is appended, a line of JSON each. Without it they are in the log."`
	Rate     int        `yaml:"rate" default:"1000" min:"1" max:"1000000" help:"How many requests a second a token may make, or all who need none; twice as many at once."`
	Recent   Size       `yaml:"recent" default:"16MiB" max:"16GiB" help:"How much memory the last records may take that were read, of all sources together, for POST /v1/rules:try; 0B: none are kept."`
	Past     []Path     `yaml:"past" help:"Folders of files that rules may be given before they are in service. Without any, none may be."`
	Insecure bool       `yaml:"insecure" default:"false" help:"Listen beyond this machine though anybody may ask."`
}

// Token is a bearer token.
type Token struct {
	Name   string   `yaml:"name" required:"true" help:"What it is called in logs."`
	Hash   Secret   `yaml:"hash" required:"true" help:"Its hash, by argon2id or bcrypt."`
	Scopes []string `yaml:"scopes" required:"true" enum:"rules:read,rules:write,events:write,alerts:read,admin" help:"What it is for."`
}

// ServerTLS is our side of encrypted connections.
type ServerTLS struct {
	Cert     Path `yaml:"cert" required:"true" help:"PEM file of the certificate, with those that signed it."`
	Key      Path `yaml:"key" required:"true" help:"PEM file of its key."`
	ClientCA Path `yaml:"client_ca" help:"PEM file of the certificates that sign those of clients, which must have one."`
}

func (a *API) check(at section) {
	host, _, err := net.SplitHostPort(a.Listen)
	if err != nil {
		at.fault("listen", "write it as 127.0.0.1:8080")
		return
	}
	asks := len(a.Tokens) > 0 || a.TLS != nil && a.TLS.ClientCA.Given != ""
	if !isLoopback(host) && !asks && !a.Insecure {
		at.fault("listen", "it would be open to the network: give tokens or tls.client_ca, listen on 127.0.0.1, or say insecure: true")
	}
	for i, t := range a.Tokens {
		if hash := t.Hash.Reveal(); t.Hash.IsSet() && !strings.HasPrefix(hash, "$2") && !strings.HasPrefix(hash, "$argon2id$") {
			at.fault("tokens", "the hash of %q is neither by argon2id ($argon2id$…) nor by bcrypt ($2…); cepheus token makes a token and its hash", clip(t.Name))
		}
		if slices.ContainsFunc(a.Tokens[:i], func(other Token) bool { return other.Name == t.Name }) {
			at.fault("tokens", "two are named %q", clip(t.Name))
		}
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
