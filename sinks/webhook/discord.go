package webhook

import (
	"strings"
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

	discordContent = 500
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
	text, err := asJSON(object{"content": discordEscape(heading(alerts, group), discordContent), "embeds": embeds, "allowed_mentions": object{"parse": []string{}}})
	return []byte(text), err
}

func discordAlert(a *sinks.Alert) object {
	fields := []discordField{{"severity", a.Severity, true}}
	add := func(name, value string) {
		name, value = discordEscape(name, discordName), discordEscape(value, discordValue)
		if len(fields) < discordFields && strings.TrimSpace(name) != "" && strings.TrimSpace(value) != "" { // which Discord refuses
			fields = append(fields, discordField{name, value, true})
		}
	}
	url, linked := page(a)
	if !linked {
		add("runbook", a.Runbook)
	}
	for _, p := range append(pairs(a.Key), pairs(a.Fields)...) {
		add(p.name, p.value)
	}
	embed := object{
		"title": discordEscape(title(a), discordTitle), "color": colour(a.Severity), "fields": fields,
		"timestamp": a.Time.UTC().Format(time.RFC3339), "footer": object{"text": short(a.Rule, discordName)},
	}
	if linked {
		embed["url"] = url
	}
	return embed
}

// discordEscape cuts a text so that it has n characters when what Markdown gives a meaning to is
// escaped, so that no event's text makes a link that shows another address.
func discordEscape(s string, n int) string {
	escape := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "|", `\|`)
	return fit(s, n, escape.Replace)
}
