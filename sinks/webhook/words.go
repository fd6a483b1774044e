package webhook

import (
	"fmt"
	"maps"
	neturl "net/url"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

// pair is a name and a value as people read them.
type pair struct{ name, value string }

// key is an alert's key as one text: card=c1, n=7.
func key(a *sinks.Alert) string {
	var parts []string
	for _, p := range pairs(a.Key) {
		parts = append(parts, p.name+"="+p.value)
	}
	return strings.Join(parts, ", ")
}

// pairs are the members of an object, in order of their names.
func pairs[V any](object map[string]V) (all []pair) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		all = append(all, pair{name, plain(object[name])})
	}
	return all
}

// plain is a value as people read it: texts without quotes.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case string:
		return v
	case fmt.Stringer: // json.Number
		return v.String()
	}
	s, err := asJSON(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

// title is an alert's title, or its rule where it has none that can be seen.
func title(a *sinks.Alert) string {
	if strings.TrimSpace(a.Title) == "" {
		return a.Rule
	}
	return a.Title
}

// page is an alert's runbook where it is an address that services take for a link.
func page(a *sinks.Alert) (url string, ok bool) {
	u, err := neturl.Parse(a.Runbook)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	url = u.String() // which may be longer, for what it has to escape
	return url, len(url) <= maxLink && !strings.ContainsAny(url, " \"<>")
}

// maxLink is as many bytes as every service takes for a link.
const maxLink = 1000

// heading is a line above several alerts.
func heading(alerts []*sinks.Alert, group string) string {
	if len(alerts) == 1 {
		return strings.ToUpper(alerts[0].Severity) + ": " + title(alerts[0])
	}
	if group == "" {
		return fmt.Sprintf("%d alerts", len(alerts))
	}
	return fmt.Sprintf("%d alerts: %s", len(alerts), group)
}

// worst is the greatest severity of alerts.
func worst(alerts []*sinks.Alert) string {
	order := []string{"info", "low", "medium", "high", "critical"}
	most := -1
	for _, a := range alerts {
		most = max(most, slices.Index(order, a.Severity))
	}
	return order[max(0, most)]
}

// colour is what a severity is shown in, as 0xRRGGBB.
func colour(severity string) int {
	switch severity {
	case "critical":
		return 0xB00020
	case "high":
		return 0xE65100
	case "medium":
		return 0xF9A825
	case "low":
		return 0x1565C0
	}
	return 0x607D8B
}

// excerptValue bounds a value of an excerpt, in characters.
const excerptValue = 1000

// excerpt is what people look for in an alert, as names and texts of at most so many
// characters in all.
func excerpt(a *sinks.Alert, room int) map[string]string {
	all := []pair{
		{"rule", a.Rule}, {"version", a.Version}, {"time", a.Time.UTC().Format("2006-01-02T15:04:05.000Z")}, {"runbook", a.Runbook},
	}
	all = slices.Concat(all, pairs(a.Key), pairs(a.Fields), pairs(a.Labels))
	found := map[string]string{}
	for _, p := range all {
		name, value := short(p.name, excerptValue/10), short(p.value, excerptValue)
		if _, known := found[name]; known || value == "" {
			continue
		}
		if room -= units(name) + units(value); room < 0 {
			break
		}
		found[name] = value
	}
	return found
}
