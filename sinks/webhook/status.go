package webhook

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer; as an error, one that does not accept.
type StatusError struct {
	Status int
	Answer string // its first bytes
	after  time.Duration
}

// Error says what was answered, and what to do about it where that is known.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Answer != "" {
		text += fmt.Sprintf(": %q", e.Answer)
	}
	switch {
	case e.Status/100 == 3:
		text += "; redirects are not followed: give the URL that it points to"
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		text += "; look at the credentials in the URL"
	case e.Status == http.StatusNotFound, e.Status == http.StatusMethodNotAllowed, e.Status == http.StatusGone:
		text += "; look at the path of the URL"
	}
	return text
}

// passing reports whether the same message may be accepted later. 409 is what receivers say
// while an earlier request with the same Idempotency-Key is under way.
func (e *StatusError) passing() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// aboutTheAlert reports whether it is the message that is refused, and others may not be.
func (e *StatusError) aboutTheAlert() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// retryAfter reads the header: seconds or a date; 0 where there is none that makes sense.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)) // Discord has parts of them
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// hide returns what takes all that may be secret out of a text.
func hide(u *url.URL, header http.Header, more ...string) *strings.Replacer {
	secrets := append(more, u.String(), u.RequestURI(), u.Path, u.RawQuery)
	password, _ := u.User.Password()
	secrets = append(secrets, u.User.String(), u.User.Username(), password)
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	for _, values := range header {
		for _, value := range values {
			secrets = append(append(secrets, value), strings.Fields(value)...) // "Bearer TOKEN"
		}
	}
	return hiding(secrets)
}

// hiding takes some texts out of another; those so short that they stand everywhere stay.
func hiding(secrets []string) *strings.Replacer {
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 4 })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // of two that begin alike the longer goes first
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, hidden)
	}
	return strings.NewReplacer(pairs...)
}
