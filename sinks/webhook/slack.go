package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Slack writes for Slack's incoming webhooks (https://api.slack.com/messaging/webhooks): a
// header, and a section for each alert. The secret is the URL.
type Slack struct{}

// Bounds of Slack: blocks a message, and characters of a header and a section.
const (
	slackBlocks  = 50
	slackHeader  = 150
	slackSection = 3000
)

// slackWords bounds one text of a section, and slackFields the fields that are shown, while
// there is room.
const (
	slackWords  = 250
	slackFields = 40
)

// Most is as many as a message has room for; the rest come in another.
func (Slack) Most() int { return slackBlocks - 2 }

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // nothing but what we write as a link is one
}

type slackBlock struct {
	Type string     `json:"type"`
	Text *slackText `json:"text,omitempty"`
}

// Body writes alerts. Its text is what a notification shows.
func (Slack) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	head := heading(alerts, group)
	blocks := []slackBlock{{"header", &slackText{Type: "plain_text", Text: slackFit(head, slackHeader)}}}
	for _, a := range alerts {
		blocks = append(blocks, slackBlock{"section", &slackText{"mrkdwn", slackAlert(a), true}})
	}
	text, err := asJSON(map[string]any{"text": slackFit(head, slackHeader), "blocks": blocks})
	return []byte(text), err
}

// slackAlert writes what there is room for: a text that is cut in the middle of what Slack
// reads as one thing would show it raw.
func slackAlert(a *sinks.Alert) string {
	lines := []string{fmt.Sprintf("*%s* · %s · %s", slackWord(title(a)), slackWord(a.Rule), a.Severity)}
	last := []string{fmt.Sprintf("<!date^%d^{date_num} {time_secs}|%s>", a.Time.Unix(), a.Time.Format("2006-01-02 15:04:05 MST"))}
	if a.Runbook != "" {
		last = append([]string{slackRunbook(a)}, last...)
	}
	if a.Suppressed > 0 {
		last = append([]string{fmt.Sprintf("%d more were suppressed", a.Suppressed)}, last...)
	}
	if k := key(a); k != "" {
		lines = append(lines, slackWord(k))
	}
	room := slackSection - units(strings.Join(append(slices.Clone(lines), last...), "\n")) - len("\n…\n")
	for i, p := range pairs(a.Fields) {
		line := "• " + slackWord(p.name) + ": " + slackWord(p.value)
		if room -= 1 + units(line); room < 0 || i == slackFields {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(append(lines, last...), "\n")
}

// slackRunbook is a link, where it can be one.
func slackRunbook(a *sinks.Alert) string {
	url, ok := page(a)
	if !ok || strings.ContainsAny(url, "|<>") || len(slackEscape(url)) > slackSection/4 {
		return "Runbook: " + slackWord(a.Runbook)
	}
	return "<" + slackEscape(url) + "|Runbook>"
}

func slackWord(s string) string { return slackFit(s, slackWords) }

func slackFit(s string, n int) string { return fit(s, n, slackEscape) }

// slackEscape escapes the three characters that Slack reads as the beginning of something:
// else an event's text could mention a whole channel.
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
