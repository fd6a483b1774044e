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

// Body writes an alert.
func (p PagerDuty) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	a := alerts[0]
	source := key(a)
	if source == "" {
		source = "cepheus"
	}
	event := object{
		"routing_key": p.RoutingKey, "event_action": "trigger", "dedup_key": a.ID, "client": "Cepheus",
		"payload": object{
			"summary": short(title(a), 1024), "source": short(source, 255), "severity": pagerDutySeverity(a.Severity),
			"timestamp": a.Time.UTC().Format(time.RFC3339Nano), "class": a.Rule, "group": group, "custom_details": details(a),
		},
	}
	if a.Runbook != "" {
		event["links"] = []object{{"href": a.Runbook, "text": "Runbook"}}
	}
	text, err := asJSON(event)
	return []byte(text), err
}

func details(a *sinks.Alert) object {
	return object{
		"rule": a.Rule, "version": a.Version, "tags": a.Tags, "labels": a.Labels, "key": a.Key, "fields": a.Fields,
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
