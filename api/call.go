package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// call is one request under way.
type call struct {
	*gin.Context
	s     *Server
	route *endpoint
	who   *principal
	note  entry     // for the audit log
	sent  io.Reader // the body, without its bound
}

// answer is what a handler has to say. Its body is written as JSON, or, where there is a
// text, that.
type answer struct {
	status int // default 200
	etag   string
	body   any
	text   []byte
	media  string // of text
	done   bool   // the handler has answered itself
}

func ok(body any) (*answer, error) { return &answer{body: body}, nil }

// handle makes gin's handler of a route.
func (s *Server) handle(e *endpoint) gin.HandlerFunc {
	return func(g *gin.Context) {
		began := s.o.Now()
		c := &call{Context: g, s: s, route: e}
		a, err := c.serve()
		status := c.finish(a, err)
		s.meters.served(e, status, s.o.Now().Sub(began))
	}
}

// serve admits the request and runs the handler.
func (c *call) serve() (a *answer, err error) {
	defer func() {
		if what := recover(); what != nil {
			c.s.o.Log.Error("a handler panicked", "route", c.route.id, "err", what, "stack", string(debug.Stack()))
			a, err = nil, wrong(http.StatusInternalServerError, "internal", "look into the log of the process", "something went wrong that is not the request's fault")
		}
	}()
	end := c.limit() // also what is read, and thrown away, of who is refused
	defer end()
	if err := c.s.misdirected(c.Request); err != nil {
		return nil, err
	}
	if c.who, err = c.s.gate.admit(c.Request, c.route.scope); err != nil {
		return nil, err
	}
	if err := c.checkQuery(); err != nil {
		return nil, err
	}
	if err := c.auditable(); err != nil {
		return nil, err
	}
	return c.route.serve(c)
}

// limit bounds the size of the body, and the time of the request where it is no stream.
func (c *call) limit() (end func()) {
	l, w := &c.s.o.Limits, http.NewResponseController(c.Writer)
	c.sent = c.Request.Body
	body := &counted{ReadCloser: http.MaxBytesReader(c.Writer, c.Request.Body, l.Body), all: &c.s.bodies, most: l.Bodies}
	c.Request.Body = body
	_ = w.SetReadDeadline(c.s.o.Now().Add(l.Request)) // a recorder has none
	if c.route.stream {
		return body.release
	}
	_ = w.SetWriteDeadline(c.s.o.Now().Add(2 * l.Request))
	ctx, cancel := context.WithTimeout(c.Request.Context(), l.Request)
	c.Request = c.Request.WithContext(ctx)
	return func() { cancel(); body.release() }
}

// counted is a body whose bytes count among those of all requests until it is released: many
// that come slowly would fill the memory, though none is too large.
type counted struct {
	io.ReadCloser
	all       *atomic.Int64
	most, own int64
}

// Read reads, and fails where all bodies together are too large.
func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.own += int64(n)
	if b.all.Add(int64(n)) > b.most {
		return n, crowded(b.most)
	}
	return n, err
}

func (b *counted) release() { b.all.Add(-b.own) }

func crowded(most int64) *problem {
	p := wrong(http.StatusTooManyRequests, "bodies", "send it again, or less at once", "the bodies of all requests under way are larger than %d bytes together", most)
	p.retryAfter = time.Second
	return p
}

// finish answers, and writes the audit log before.
func (c *call) finish(a *answer, err error) (status int) {
	if err == nil && a.done {
		return http.StatusOK
	}
	if err != nil {
		p := asProblem(err)
		if p.cause != nil {
			c.s.o.Log.Error("a request failed", "route", c.route.id, "err", p.cause)
		}
		c.audit(p.Status, p.Detail)
		c.rest(p)
		p.write(c.Writer)
		return p.Status
	}
	a.status = or(a.status, http.StatusOK)
	c.audit(a.status, "")
	c.rest(nil)
	c.write(a)
	return a.status
}

// lingers is how long the server waits for what is left of a body that it does not read.
const lingers = 500 * time.Millisecond

// rest sees to what of the body has not been read. Of who may ask some more is taken, so that a client
// that sends all of it before it reads gets its answer, and not a connection that was reset. Of
// anybody else none is: the answer would wait for it, and a connection be held for as long.
func (c *call) rest(refused *problem) {
	switch {
	case c.Request.ContentLength == 0:
	case c.who == nil || c.route.scope == scopeNone:
		c.Writer.Header().Set("Connection", "close")
		_ = http.NewResponseController(c.Writer).SetReadDeadline(c.s.o.Now().Add(lingers)) // a recorder has none
	case refused != nil && !refused.is(kindRate):
		_, _ = io.CopyN(io.Discard, c.sent, 4*c.s.o.Limits.Body) // what is beyond has no answer
	}
}

func (c *call) write(a *answer) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.etag != "" {
		h.Set("ETag", a.etag)
		h.Set("Cache-Control", "no-cache")
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		c.Writer.WriteHeader(a.status)
		c.Writer.WriteHeaderNow()
		return
	}
	text, media := a.text, a.media
	if text == nil {
		var b bytes.Buffer
		if err := newEncoder(&b).Encode(a.body); err != nil {
			asProblem(err).write(c.Writer)
			return
		}
		text, media = b.Bytes(), "application/json"
	}
	h.Set("Content-Type", media)
	c.Writer.WriteHeader(a.status)
	_, _ = c.Writer.Write(text) // who asked is gone
}

func newEncoder(to io.Writer) *json.Encoder {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	return e
}

// misdirected refuses what a page in a browser could ask of a server that anybody on this
// machine may ask: by a name of its own that leads here.
func (s *Server) misdirected(r *http.Request) error {
	if !s.gate.open() || s.o.Insecure {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return crossed(r)
	}
	return wrong(http.StatusMisdirectedRequest, "host", "ask for localhost or 127.0.0.1, or give tokens", "without tokens only requests for this machine are answered, not for %q", clip(host))
}

// crossed refuses a change that a page of another origin sends from a browser on this machine: a
// request with no body needs nobody's permission for that.
func crossed(r *http.Request) error {
	if http.NewCrossOriginProtection().Check(r) == nil {
		return nil
	}
	return wrong(http.StatusForbidden, "origin", "send it from a program, or give tokens", "without tokens no change is taken from a page of another origin")
}

// address is where a request came from, without its port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

const mostShown = 200

// clip shortens what a message repeats of a request.
func clip(s string) string {
	if len(s) > mostShown {
		return s[:mostShown] + "…"
	}
	return s
}

// checkQuery refuses parameters that the route does not know.
func (c *call) checkQuery() error {
	if c.route.path == "" { // there is nothing at all
		return nil
	}
	for name, values := range c.Request.URL.Query() {
		at := slices.IndexFunc(c.route.query, func(q param) bool { return q.name == name })
		if at < 0 {
			return wrong(http.StatusBadRequest, "query", "see /openapi.json for those of this path", "there is no query parameter %q", clip(name))
		}
		if len(values) > 1 && !c.route.query[at].many {
			return wrong(http.StatusBadRequest, "query", "give it once", "the query parameter %s is given %d times", name, len(values))
		}
		for _, value := range values {
			if err := c.route.query[at].check(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// numberMost is the greatest of those numbers that say no less.
const numberMost = uint64(1<<63 - 1)

// check refuses a value that is not as the document says.
func (q *param) check(value string) error {
	var mend string
	switch {
	case q.number:
		if n, err := strconv.ParseUint(value, 10, 63); err == nil && n <= or(q.most, numberMost) {
			return nil
		}
		mend = fmt.Sprintf("write it as 17; the greatest is %d", or(q.most, numberMost))
	case q.values != nil:
		if slices.Contains(q.values, value) {
			return nil
		}
		mend = "say " + strings.Join(q.values, " or ")
	case q.time:
		if _, err := time.Parse(time.RFC3339, value); err == nil {
			return nil
		}
		mend = "write it as 2026-01-31T12:00:00Z, a + as %2B"
	case q.pattern != "":
		if regexp.MustCompile(q.pattern).MatchString(value) {
			return nil
		}
		mend = "leave it out, or send it as it came"
	default:
		return nil
	}
	return wrong(http.StatusBadRequest, "query", mend, "%s cannot be %q", q.name, clip(value))
}

// number reads a query parameter, 0 where it is not given.
func (c *call) number(name string) (uint64, error) {
	text := c.Query(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return n, err // it was looked at
}

// media refuses bodies that are not of one of the types, and returns the type.
func (c *call) media(types ...string) (string, error) {
	got, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || !slices.Contains(types, got) {
		p := wrong(http.StatusUnsupportedMediaType, "media-type", "send Content-Type: "+strings.Join(types, " or "), "a body of type %q is not taken here", clip(c.GetHeader("Content-Type")))
		p.header = http.Header{"Accept": {strings.Join(types, ", ")}}
		return "", p
	}
	if c.GetHeader("Content-Encoding") != "" {
		return "", wrong(http.StatusUnsupportedMediaType, "encoding", "send it without Content-Encoding", "bodies are not taken in the encoding %q", clip(c.GetHeader("Content-Encoding")))
	}
	return got, nil
}

// body reads all of the body.
func (c *call) body() ([]byte, error) {
	if most := c.s.o.Limits.Body; c.Request.ContentLength > most {
		return nil, &http.MaxBytesError{Limit: most} // before any of it is kept
	}
	text, err := io.ReadAll(c.Request.Body)
	if p := (*problem)(nil); err != nil && ofBody(err) == nil && !errors.As(err, &p) {
		return nil, wrong(http.StatusBadRequest, "body", "send it again", "the body ended early")
	}
	return text, err
}

// decode reads a JSON body, which has no members that are not known.
func (c *call) decode(into any) error {
	if _, err := c.media("application/json"); err != nil {
		return err
	}
	text, err := c.body()
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return notJSON(err)
	}
	if err := isWhole(text, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong(http.StatusBadRequest, "body", "send one JSON object", "there is more after the JSON object")
	}
	return nil
}

// isWhole asks for what encoding/json does not: that the body is an object, has every member
// that must be there, by its exact name, and that no value is null, which would count as one
// that is not given. What is decoded later may be null.
func isWhole(text []byte, as reflect.Type) error {
	var members map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&members); err != nil || members == nil {
		return wrong(http.StatusBadRequest, "body", "send one JSON object", "the body is no JSON object")
	}
	for _, f := range reflect.VisibleFields(as) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		value, given := members[name]
		if delete(members, name); !given && options == "" {
			return wrong(http.StatusBadRequest, "body", "send JSON as /openapi.json describes it", "%s is missing", name)
		}
		if given && (isNull(value) || f.Type != reflect.TypeFor[[]json.RawMessage]() && holdsNull(value)) {
			return wrong(http.StatusBadRequest, "body", "leave out what is not there", "%s cannot be null, nor hold it", name)
		}
	}
	for name := range members { // in other letters
		return wrong(http.StatusBadRequest, "body", "send JSON as /openapi.json describes it", "unknown field %q", clip(name))
	}
	return nil
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// holdsNull reports whether some value within one is null.
func holdsNull(value json.RawMessage) bool {
	for d := json.NewDecoder(bytes.NewReader(value)); ; {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if token == nil {
			return true
		}
	}
}

func notJSON(err error) *problem {
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	const mend = "send JSON as /openapi.json describes it"
	switch {
	case errors.As(err, &syntax):
		return wrong(http.StatusBadRequest, "body", mend, "malformed JSON at byte %d: %s", syntax.Offset, syntax.Error())
	case errors.As(err, &kind):
		return wrong(http.StatusBadRequest, "body", mend, "%s cannot be a %s", or(kind.Field, "the body"), kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return wrong(http.StatusBadRequest, "body", mend, "the JSON is not complete")
	}
	return wrong(http.StatusBadRequest, "body", mend, "%s", clip(strings.TrimPrefix(err.Error(), "json: ")))
}

func notServed(what string) error {
	return wrong(http.StatusNotFound, "not-served", "see docs/api.md for what a run needs to have it", "this run has no "+what)
}
