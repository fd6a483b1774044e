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

// teamsBytes is a little less than what Teams takes. A workflow says that it has taken a
// larger one too, and then drops it.
const teamsBytes = 27 << 10

// teamsSize bounds a card: the characters of one text, and the facts of an alert.
type teamsSize struct{ text, facts int }

// teamsSizes are tried until a card is small enough; the last always is.
func teamsSizes() []teamsSize {
	return []teamsSize{{400, 12}, {200, 12}, {100, 8}, {40, 6}, {20, 3}}
}

type object = map[string]any

// Body writes alerts.
func (Teams) Body(alerts []*sinks.Alert, group string) (text []byte, err error) {
	for _, size := range teamsSizes() {
		if text, err = size.card(alerts, group); err != nil || len(text) <= teamsBytes {
			break
		}
	}
	return text, err
}

func (s teamsSize) card(alerts []*sinks.Alert, group string) ([]byte, error) {
	body := []any{object{"type": "TextBlock", "text": s.escape(heading(alerts, group)), "weight": "Bolder", "size": "Medium", "wrap": true, "color": teamsColour(worst(alerts))}}
	for _, a := range alerts {
		body = append(body, s.alert(a)...)
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	text, err := asJSON(object{"type": "message", "attachments": []any{object{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card,
	}}})
	return []byte(text), err
}

func (s teamsSize) alert(a *sinks.Alert) []any {
	facts := []object{{"title": "Rule", "value": s.escape(a.Rule)}, {"title": "Severity", "value": a.Severity}, {"title": "Time", "value": a.Time.Format("2006-01-02 15:04:05 MST")}}
	for _, p := range append(pairs(a.Key), pairs(a.Fields)...) {
		if len(facts) < s.facts {
			facts = append(facts, object{"title": s.escape(p.name), "value": s.escape(p.value)})
		}
	}
	parts := []any{
		object{"type": "TextBlock", "text": s.escape(title(a)), "wrap": true, "separator": true},
		object{"type": "FactSet", "facts": facts},
	}
	if a.Runbook != "" {
		parts = append(parts, object{"type": "TextBlock", "text": "Runbook: " + s.escape(a.Runbook), "wrap": true})
	}
	return parts
}

// escape takes the meaning that Markdown gives characters, so that no event's text
// makes a link.
func (s teamsSize) escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`).Replace(short(text, s.text))
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
