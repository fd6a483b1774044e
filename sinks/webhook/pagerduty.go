package webhook

import (
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// PagerDutyURL is where events go.
const PagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// PagerDuty writes for PagerDuty's Events API v2. The alert's id is the key by which
// PagerDuty knows a repeat.
type PagerDuty struct{ RoutingKey string } // of the integration

func (p PagerDuty) secret() string { return p.RoutingKey }

// Most is one: an event is one incident.
func (PagerDuty) Most() int { return 1 }

// pagerDutyBytes is a little less than the 512 KB that an event may have.
const pagerDutyBytes = 500 << 10

// Body writes an alert; where that is too large, with the beginnings of its values.
func (p PagerDuty) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	text, err := p.event(alerts[0], group, details(alerts[0]))
	if err == nil && len(text) > pagerDutyBytes {
		text, err = p.event(alerts[0], group, excerpt(alerts[0], pagerDutyBytes/16))
	}
	return text, err
}

func (p PagerDuty) event(a *sinks.Alert, group string, about any) ([]byte, error) {
	source := key(a)
	if source == "" {
		source = "cepheus"
	}
	event := object{
		"routing_key": p.RoutingKey, "event_action": "trigger", "dedup_key": a.ID, "client": "Cepheus",
		"payload": object{
			"summary": short(title(a), 1024), "source": short(source, 255), "severity": pagerDutySeverity(a.Severity),
			"timestamp": a.Time.UTC().Format(time.RFC3339Nano), "class": short(a.Rule, 255), "group": short(group, 255), "custom_details": about,
		},
	}
	if url, ok := page(a); ok {
		event["links"] = []object{{"href": url, "text": "Runbook"}}
	}
	text, err := asJSON(event)
	return []byte(text), err
}

func details(a *sinks.Alert) object {
	return object{
		"rule": a.Rule, "version": a.Version, "tags": a.Tags, "labels": a.Labels, "key": a.Key, "fields": a.Fields, "runbook": a.Runbook,
		"events_total": a.EventsTotal, "suppressed": a.Suppressed, "start": a.Start, "end": a.End,
	}
}

func pagerDutySeverity(severity string) string {
	switch severity {
	case "critical":
		return "critical"
	case "high":
		return "error"
	case "medium":
		return "warning"
	}
	return "info"
}
