package webhook

import (
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Discord writes for Discord's webhooks: an embed for each alert. Nobody is mentioned,
// whatever a text says. The secret is the URL.
type Discord struct{}

// Bounds of Discord: embeds and characters a message, characters of the parts of an embed.
// The parts are cut so that a message of Most alerts stays below the 6,000 of all.
const (
	discordEmbeds = 10
	discordFields = 8
	discordTitle  = 120
	discordName   = 20
	discordValue  = 30
)

// Most is as many as a message takes.
func (Discord) Most() int { return discordEmbeds }

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

// Body writes alerts.
func (Discord) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	var embeds []object
	for _, a := range alerts {
		embeds = append(embeds, discordAlert(a))
	}
	text, err := asJSON(object{"content": short(heading(alerts, group), 500), "embeds": embeds, "allowed_mentions": object{"parse": []string{}}})
	return []byte(text), err
}

func discordAlert(a *sinks.Alert) object {
	fields := []discordField{{"severity", a.Severity, true}}
	for _, p := range append(pairs(a.Key), pairs(a.Fields)...) {
		if len(fields) < discordFields && p.value != "" {
			fields = append(fields, discordField{short(p.name, discordName), short(p.value, discordValue), true})
		}
	}
	embed := object{
		"title": short(title(a), discordTitle), "color": colour(a.Severity), "fields": fields,
		"timestamp": a.Time.UTC().Format(time.RFC3339), "footer": object{"text": short(a.Rule, discordName)},
	}
	if a.Runbook != "" {
		embed["url"] = a.Runbook
	}
	return embed
}
