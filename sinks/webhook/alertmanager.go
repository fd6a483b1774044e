package webhook

import (
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Alertmanager writes for Prometheus' Alertmanager, API v2: URL/api/v2/alerts. Its labels
// are alertname (the rule), severity, the alert's labels and key; two alerts of one rule and
// key are one to it. How long one lasts is what Alertmanager's resolve_timeout says.
type Alertmanager struct{}

// Most bounds a request.
func (Alertmanager) Most() int { return 100 }

type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Body writes alerts.
func (Alertmanager) Body(alerts []*sinks.Alert, _ string) ([]byte, error) {
	var all []amAlert
	for _, a := range alerts {
		all = append(all, amOf(a))
	}
	text, err := asJSON(all)
	return []byte(text), err
}

func amOf(a *sinks.Alert) amAlert {
	labels := map[string]string{}
	for _, p := range append(pairs(a.Key), pairs(a.Labels)...) {
		labels[labelName(p.name)] = p.value
	}
	labels["alertname"], labels["severity"] = a.Rule, a.Severity
	about := map[string]string{"summary": title(a), "id": a.ID, "version": a.Version, "tags": strings.Join(a.Tags, ",")}
	for _, p := range pairs(a.Fields) {
		about[labelName(p.name)] = p.value
	}
	if a.Runbook != "" {
		about["runbook_url"] = a.Runbook
	}
	return amAlert{Labels: labels, Annotations: about, StartsAt: a.Time.UTC().Format(time.RFC3339Nano)}
}

// labelName makes a name one that Prometheus takes: letters, digits and _, no digit first.
func labelName(name string) string {
	odd := func(r rune) rune {
		if r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}
	name = strings.Map(odd, name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
