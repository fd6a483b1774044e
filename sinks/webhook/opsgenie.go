package webhook

import (
	"net/http"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

// OpsgenieURL is where alerts go; in Europe it is OpsgenieURLEU.
const (
	OpsgenieURL   = "https://api.opsgenie.com/v2/alerts"
	OpsgenieURLEU = "https://api.eu.opsgenie.com/v2/alerts"
)

// Opsgenie writes for Opsgenie's Alert API. The alert's id is the alias by which Opsgenie
// knows a repeat. It needs OpsgenieHeader among the options.
type Opsgenie struct{}

// OpsgenieHeader is the header with a key of the API.
func OpsgenieHeader(apiKey string) http.Header {
	return http.Header{"Authorization": {"GenieKey " + apiKey}}
}

// opsgenieDetails is how many characters details may have.
const opsgenieDetails = 8000

// Most is one.
func (Opsgenie) Most() int { return 1 }

// Body writes an alert.
func (Opsgenie) Body(alerts []*sinks.Alert, _ string) ([]byte, error) {
	a := alerts[0]
	tags := []string{}
	for _, t := range a.Tags {
		if len(tags) < 20 && strings.TrimSpace(t) != "" {
			tags = append(tags, short(t, 50))
		}
	}
	text, err := asJSON(object{
		"message": short(title(a), 130), "alias": short(a.ID, 512), "description": short(a.Rule+"\n"+key(a)+"\n"+a.Runbook, 15000),
		"tags": tags, "details": excerpt(a, opsgenieDetails), "entity": short(key(a), 512), "source": "cepheus", "priority": opsgeniePriority(a.Severity),
	})
	return []byte(text), err
}

func opsgeniePriority(severity string) string {
	switch severity {
	case "critical":
		return "P1"
	case "high":
		return "P2"
	case "medium":
		return "P3"
	case "low":
		return "P4"
	}
	return "P5"
}
