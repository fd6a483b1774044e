package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf16"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Template writes alerts by a text of the author's: text/template, over the fields of
// sinks.Alert, and .Alerts and .Group where there are several. A field that an alert does
// not have is an error, which is told before anything is sent.
//
//	{"text": {{ json .Title }}, "amount": {{ json .Fields.amount }}}
//
// Functions: json writes a value as JSON, text in quotes and escaped; jsontext the same
// without the quotes, for the middle of a text; join, upper, lower, cut N (at most N
// characters), default OTHER (where a value is empty), unix.
type Template struct {
	text *template.Template
	json bool
	most int
}

// maxTemplate bounds what a template writes, in bytes.
const maxTemplate = 4 << 20

// NewTemplate reads a template. With asJSON what it writes is checked to be JSON, alert by
// alert; most is how many alerts it takes at once.
func NewTemplate(text string, asJSON bool, most int) (*Template, error) {
	parsed, err := template.New("template").Option("missingkey=error").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return &Template{parsed, asJSON, max(1, most)}, nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"json":     asJSON,
		"jsontext": jsonText,
		"join":     func(by string, all []string) string { return strings.Join(all, by) },
		"upper":    strings.ToUpper,
		"lower":    strings.ToLower,
		"cut":      func(n int, s string) string { return short(s, n) },
		"default": func(other, v any) any {
			if v == nil || v == "" {
				return other
			}
			return v
		},
		"unix": func(t time.Time) int64 { return t.Unix() },
	}
}

// jsonText is a text as it stands between quotes.
func jsonText(v any) (string, error) {
	s, err := asJSON(fmt.Sprint(v))
	return strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`), err
}

// asJSON leaves <, > and & as they are.
func asJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// short cuts a text to n characters, the last of which then is an ellipsis. Characters are
// counted as UTF-16 does, in which an emoji is two: services bound them so, or more generously.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	units, end := 0, 0 // end is where a text of n-1 ends
	for i, r := range s {
		if units < n {
			end = i
		}
		if units += max(1, utf16.RuneLen(r)); units > n {
			return s[:end] + "…"
		}
	}
	return s
}

// fit cuts a text so that it has n characters when it is escaped, and no escape is cut.
func fit(s string, n int, escape func(string) string) string {
	for most := n; ; most-- {
		if text := escape(short(s, most)); units(text) <= n {
			return text
		}
	}
}

// units counts characters as short does.
func units(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// templateData is what a template sees: the fields of the first alert are its own.
type templateData struct {
	*sinks.Alert
	Alerts []*sinks.Alert
	Group  string
}

// Most is how many alerts the template takes at once.
func (t *Template) Most() int { return t.most }

// Body writes alerts.
func (t *Template) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	var b bytes.Buffer
	if err := t.text.Execute(&bounded{&b, maxTemplate}, templateData{alerts[0], alerts, group}); err != nil {
		return nil, err
	}
	if t.json && !json.Valid(b.Bytes()) {
		return nil, fmt.Errorf("the template writes no JSON: %.200q; write values with {{ json … }}", b.String())
	}
	return b.Bytes(), nil
}

// bounded refuses more than left bytes.
type bounded struct {
	to   *bytes.Buffer
	left int
}

func (w *bounded) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("the template writes more than 4 MiB")
	}
	return w.to.Write(p)
}
