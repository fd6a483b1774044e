package email

import (
	"errors"
	"net/smtp"
	"slices"
	"strings"
)

// login is PLAIN, or LOGIN where a server offers nothing else.
func login(ways, user, password, host string) smtp.Auth {
	offered := strings.Fields(strings.ToUpper(ways))
	if slices.Contains(offered, "LOGIN") && !slices.Contains(offered, "PLAIN") {
		return &loginAuth{user, password}
	}
	return smtp.PlainAuth("", user, password, host)
}

// loginAuth is the login of old servers: they ask for the user, then for the password.
type loginAuth struct{ user, password string }

// Start refuses a connection that is not encrypted.
func (a *loginAuth) Start(server *smtp.ServerInfo) (proto string, toServer []byte, err error) {
	if !server.TLS {
		return "", nil, errors.New("the connection is not encrypted")
	}
	return "LOGIN", nil, nil
}

// Next answers the server's question.
func (a *loginAuth) Next(question []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if strings.Contains(strings.ToLower(string(question)), "pass") {
		return []byte(a.password), nil
	}
	return []byte(a.user), nil
}
