package webhook

import (
	"fmt"
	"maps"
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

// title is an alert's title, or its rule where it has none.
func title(a *sinks.Alert) string {
	if a.Title == "" {
		return a.Rule
	}
	return a.Title
}

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
