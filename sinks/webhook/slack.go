package webhook

import (
	"fmt"
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

// Most is as many as a message has room for; the rest come in another.
func (Slack) Most() int { return slackBlocks - 2 }

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type slackBlock struct {
	Type string     `json:"type"`
	Text *slackText `json:"text,omitempty"`
}

// Body writes alerts. Its text is what a notification shows.
func (Slack) Body(alerts []*sinks.Alert, group string) ([]byte, error) {
	head := heading(alerts, group)
	blocks := []slackBlock{{"header", &slackText{"plain_text", short(slackEscape(head), slackHeader)}}}
	for _, a := range alerts {
		blocks = append(blocks, slackBlock{"section", &slackText{"mrkdwn", short(slackAlert(a), slackSection)}})
	}
	text, err := asJSON(map[string]any{"text": slackEscape(short(head, slackSection)), "blocks": blocks})
	return []byte(text), err
}

func slackAlert(a *sinks.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s* · %s · %s", slackEscape(title(a)), slackEscape(a.Rule), a.Severity)
	if k := key(a); k != "" {
		fmt.Fprintf(&b, "\n%s", slackEscape(k))
	}
	for _, p := range pairs(a.Fields) {
		fmt.Fprintf(&b, "\n• %s: %s", slackEscape(p.name), slackEscape(p.value))
	}
	if a.Suppressed > 0 {
		fmt.Fprintf(&b, "\n%d more were suppressed", a.Suppressed)
	}
	if a.Runbook != "" {
		fmt.Fprintf(&b, "\nRunbook: %s", slackEscape(a.Runbook))
	}
	fmt.Fprintf(&b, "\n<!date^%d^{date_num} {time_secs}|%s>", a.Time.Unix(), a.Time.Format("2006-01-02 15:04:05 MST"))
	return b.String()
}

// slackEscape escapes the three characters that Slack reads as the beginning of something:
// else an event's text could mention a whole channel.
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
