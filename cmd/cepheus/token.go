package main

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/api"
)

type tokenVerb struct {
	Name  string   `arg:"" help:"What the token is called in logs, and as the author of changes."`
	Scope []string `name:"scope" required:"" enum:"rules:read,rules:write,events:write,alerts:read,admin" help:"What it is for: rules:read, rules:write, events:write, alerts:read, admin. May be given more than once."`
}

// Run makes a token and prints it, with its line for the configuration: the token alone on
// standard output, so that it can go where it is kept without being seen.
func (v tokenVerb) Run(w *world) error {
	token, hash := api.NewToken()
	_, err := fmt.Fprintf(w.stderr, "api.tokens of the configuration gets this line; the token itself is shown once, on standard output:\n- { name: %q, hash: %q, scopes: [%s] }\n", v.Name, hash, strings.Join(v.Scope, ", "))
	if err == nil {
		_, err = fmt.Fprintln(w.stdout, token)
	}
	return err
}
