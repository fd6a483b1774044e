package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// message writes alerts as a message of RFC 5322, text and HTML.
func (s *Sink) message(alerts []*sinks.Alert, group string) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	id := idOf(alerts)
	if err := parts.SetBoundary("cepheus-" + id); err != nil { // the same alerts, the same message
		return nil, err
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	header := []pair{
		{"From", s.from.String()},
		{"To", addresses(s.to)},
		{"Subject", mime.QEncoding.Encode("utf-8", subject(alerts, group))},
		{"Date", s.o.Now().Format(time.RFC1123Z)},
		{"Message-ID", "<" + id + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/alternative; boundary=\"" + parts.Boundary() + "\""},
	}
	for _, h := range header {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n")
	var text, page bytes.Buffer
	for _, a := range alerts {
		writeText(&text, a)
	}
	if err := pageTemplate().Execute(&page, alerts); err != nil {
		return nil, err
	}
	if err := addPart(parts, "text/plain", text.Bytes()); err != nil {
		return nil, err
	}
	if err := addPart(parts, "text/html", page.Bytes()); err != nil {
		return nil, err
	}
	err := parts.Close()
	return b.Bytes(), err
}

func addresses(all []*mail.Address) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

func addPart(to *multipart.Writer, kind string, content []byte) error {
	w, err := to.CreatePart(textproto.MIMEHeader{"Content-Type": {kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(w)
	if _, err := q.Write(content); err != nil {
		return err
	}
	return q.Close()
}

func idOf(alerts []*sinks.Alert) string {
	h := sha256.New()
	for _, a := range alerts {
		fmt.Fprintln(h, a.ID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// subject is one line, whatever the title holds.
func subject(alerts []*sinks.Alert, group string) string {
	text := fmt.Sprintf("[%s] %s", alerts[0].Severity, title(alerts[0]))
	if len(alerts) > 1 {
		text = fmt.Sprintf("%d alerts: %s", len(alerts), group)
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 200 {
		text = string(r[:199]) + "…"
	}
	return text
}

func title(a *sinks.Alert) string {
	if a.Title == "" {
		return a.Rule
	}
	return a.Title
}

// pair is a name and a value as people read them.
type pair struct{ Name, Value string }

// facts are what there is to say of an alert.
func facts(a *sinks.Alert) (all []pair) {
	all = []pair{{"Rule", a.Rule}, {"Severity", a.Severity}, {"Time", a.Time.UTC().Format("2006-01-02 15:04:05.000 MST")}}
	for _, of := range []map[string]any{a.Key, a.Fields} {
		for _, name := range slices.Sorted(maps.Keys(of)) {
			all = append(all, pair{name, fmt.Sprint(of[name])})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		all = append(all, pair{name, a.Labels[name]})
	}
	if len(a.Tags) > 0 {
		all = append(all, pair{"Tags", strings.Join(a.Tags, ", ")})
	}
	if a.Suppressed > 0 {
		all = append(all, pair{"Suppressed", strconv.FormatUint(a.Suppressed, 10)})
	}
	return append(all, pair{"Id", a.ID})
}

func writeText(b *bytes.Buffer, a *sinks.Alert) {
	fmt.Fprintf(b, "%s\n\n", title(a))
	for _, f := range facts(a) {
		fmt.Fprintf(b, "%s: %s\n", f.Name, f.Value)
	}
	if a.Runbook != "" {
		fmt.Fprintf(b, "Runbook: %s\n", a.Runbook)
	}
	fmt.Fprintf(b, "\nEvents (%d of %d):\n", len(a.Events), a.EventsTotal)
	for _, e := range a.Events {
		fmt.Fprintf(b, "%s %s %s\n", e.Time.UTC().Format(time.RFC3339), e.Step, e.Event)
	}
	b.WriteString("\n")
}

// pageTemplate escapes what it shows: html/template.
func pageTemplate() *template.Template {
	text := func(e sinks.Evidence) string { return string(e.Event) }
	return template.Must(template.New("page").Funcs(template.FuncMap{"title": title, "facts": facts, "text": text}).Parse(`<!doctype html>
<html><body style="font-family:sans-serif">
{{range .}}<h2>{{title .}}</h2>
<table>{{range facts .}}<tr><th align="left">{{.Name}}</th><td>{{.Value}}</td></tr>
{{end}}</table>
{{if .Runbook}}<p><a href="{{.Runbook}}">Runbook</a></p>
{{end}}<ul>{{range .Events}}<li>{{.Time}} {{.Step}} <code>{{text .}}</code></li>
{{end}}</ul>
{{end}}</body></html>
`))
}
