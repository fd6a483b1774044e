package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// serverFlags name the API of a running engine.
type serverFlags struct {
	Server string `name:"server" type:"given" default:"http://127.0.0.1:8080" env:"CEPHEUS_SERVER" placeholder:"URL" help:"The API of the running engine, also CEPHEUS_SERVER; default http://127.0.0.1:8080. A token is taken from CEPHEUS_TOKEN, for flags can be seen by others."`
	CA     string `name:"ca" type:"given" placeholder:"FILE" help:"PEM file of the certificates that sign the server's. Without it, those that the system trusts."`
	Cert   string `name:"cert" type:"given" placeholder:"FILE" help:"PEM file of our own certificate, where the server asks for one; with --key."`
	Key    string `name:"key" type:"given" placeholder:"FILE" help:"PEM file of the key of --cert."`
}

// remote is a client of the API.
type remote struct {
	at     *url.URL
	token  string
	client *http.Client
}

// answerTimeout is how long an answer may take to begin, longer than the server lets a request
// take.
const answerTimeout = 45 * time.Second

// tokenVariable is the variable that holds the token.
const tokenVariable = "CEPHEUS_TOKEN" // #nosec G101 -- the name of it, and no token

func (f *serverFlags) connect() (*remote, error) {
	at, err := url.Parse(f.Server)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, usage(errors.New("--server: write it as http://127.0.0.1:8080 or https://HOST:PORT"))
	}
	config, err := f.tls()
	if err != nil {
		return nil, usage(err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ResponseHeaderTimeout: answerTimeout}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &remote{at: at, token: os.Getenv(tokenVariable), client: client}, nil
}

func (f *serverFlags) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s holds no certificate", f.CA)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("--cert and --key: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// request is what is asked of the server.
type request struct {
	method, path string // the path with its query, escaped
	media        string // of the body
	body         []byte
	header       map[string]string
}

// problem is an answer that says what is wrong.
type problem struct {
	Status int              `json:"status"`
	Title  string           `json:"title"`
	Detail string           `json:"detail"`
	Mend   string           `json:"mend"`
	Errors []source.Message `json:"errors"`

	Version uint64 `json:"version"` // of the rules in service, where another was expected

	after time.Duration // when to try again; 0: it does not say
}

// Error says what is wrong, and what would help.
func (p *problem) Error() string {
	text := "the server says: " + strings.TrimSpace(p.Detail)
	if p.Detail == "" {
		text = fmt.Sprintf("the server answers %d %s", p.Status, p.Title)
	}
	if p.Mend != "" {
		text += "; " + p.Mend
	}
	return text
}

// ask asks the server. The body of the answer is the caller's to close.
func (r *remote) ask(ctx context.Context, q request) (*http.Response, error) {
	at, err := r.at.Parse(strings.TrimSuffix(r.at.EscapedPath(), "/") + q.path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, q.method, at.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.media != "" {
		req.Header.Set("Content-Type", q.media)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", r.at.Redacted(), withoutURL(err))
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		defer answer.Body.Close()
		return nil, problemOf(answer)
	}
	return answer, nil
}

// withoutURL is the cause alone: the address is said already, and the query is of no use.
func withoutURL(err error) error {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		return of.Err
	}
	return err
}

// maxProblem bounds what is read of an answer that says what is wrong, in bytes.
const maxProblem = 4 << 20

func problemOf(answer *http.Response) error {
	p := &problem{}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if json.Unmarshal(text, p) != nil {
		p = &problem{}
	}
	p.Status, p.Title = answer.StatusCode, http.StatusText(answer.StatusCode)
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		p.after = time.Duration(seconds) * time.Second
	}
	return p
}

// into asks the server and reads the JSON of its answer.
func (r *remote) into(ctx context.Context, q request, to any) error {
	answer, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(to); err != nil {
		return fmt.Errorf("the answer of %s is not what was asked for: %w", r.at.Redacted(), err)
	}
	return nil
}

// text asks the server and returns its answer as it is.
func (r *remote) text(ctx context.Context, path string) (string, error) {
	answer, err := r.ask(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}
