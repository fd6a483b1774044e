package webhook

import (
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Teams writes for the webhook of a Microsoft Teams workflow: an adaptive card. The secret
// is the URL.
type Teams struct{}

// Most keeps a card below the 28 KB that Teams takes.
func (Teams) Most() int { return 15 }

// teamsText bounds one text of a card, in characters.
const teamsText = 400

type object = map[string]any

// Body writes alerts.
func (Teams) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	body := []any{object{"type": "TextBlock", "text": teamsEscape(heading(alerts, group)), "weight": "Bolder", "size": "Medium", "wrap": true, "color": teamsColour(worst(alerts))}}
	for _, a := range alerts {
		body = append(body, teamsAlert(a)...)
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	text, err := asJSON(object{"type": "message", "attachments": []any{object{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card,
	}}})
	return []byte(text), err
}

func teamsAlert(a *sinks.Alert) []any {
	facts := []object{{"title": "Rule", "value": teamsEscape(a.Rule)}, {"title": "Severity", "value": a.Severity}, {"title": "Time", "value": a.Time.Format("2006-01-02 15:04:05 MST")}}
	for _, p := range append(pairs(a.Key), pairs(a.Fields)...) {
		if len(facts) < 12 {
			facts = append(facts, object{"title": teamsEscape(p.name), "value": teamsEscape(p.value)})
		}
	}
	parts := []any{
		object{"type": "TextBlock", "text": teamsEscape(title(a)), "wrap": true, "separator": true},
		object{"type": "FactSet", "facts": facts},
	}
	if a.Runbook != "" {
		parts = append(parts, object{"type": "TextBlock", "text": "Runbook: " + teamsEscape(a.Runbook), "wrap": true})
	}
	return parts
}

// teamsEscape takes the meaning that Markdown gives characters, so that no event's text
// makes a link.
func teamsEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`).Replace(short(s, teamsText))
}

func teamsColour(severity string) string {
	switch severity {
	case "critical", "high":
		return "Attention"
	case "medium":
		return "Warning"
	}
	return "Accent"
}
