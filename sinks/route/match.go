package route

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Match says what of an alert must hold: all that is given. The zero value matches every
// alert. Patterns are those of path.Match: * stands for any text.
type Match struct {
	Rules       []string          // patterns of the rule's name, of which one matches
	Severities  []string          // of which it has one
	MinSeverity string            // info, low, medium, high, critical: it or more
	Tags        []string          // patterns, of which one matches one of its tags
	Labels      map[string]string // by name, patterns
	Key         map[string]string // by name, patterns of the parts of its key
}

// severities are in order.
var severities = [...]string{"info", "low", "medium", "high", "critical"}

func rank(severity string) int { return slices.Index(severities[:], severity) }

// Validate refuses patterns and severities that are none.
func (m *Match) Validate() error {
	patterns := slices.Concat(m.Rules, m.Tags, slices.Collect(maps.Values(m.Labels)), slices.Collect(maps.Values(m.Key)))
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("the pattern %q cannot be read; escape [, *, ? and \\ with \\ where they stand for themselves", p)
		}
	}
	for _, s := range append(slices.Clone(m.Severities), m.MinSeverity) {
		if s != "" && rank(s) < 0 {
			return fmt.Errorf("there is no severity %q; there are %s", s, strings.Join(severities[:], ", "))
		}
	}
	return nil
}

// head is what matchers and dimensions read of an alert.
type head struct {
	ID       string                     `json:"id"`
	Rule     string                     `json:"rule"`
	Severity string                     `json:"severity"`
	Tags     []string                   `json:"tags"`
	Labels   map[string]string          `json:"labels"`
	Key      map[string]json.RawMessage `json:"key"`
	Time     time.Time                  `json:"time"`
}

func readHead(alert []byte) (*head, error) {
	h := new(head)
	if err := json.Unmarshal(alert, h); err != nil {
		return nil, fmt.Errorf("read an alert: %w", err)
	}
	return h, nil
}

// text is a part of a key as people write it: a text without quotes.
func text(part json.RawMessage) string {
	var s string
	if json.Unmarshal(part, &s) == nil {
		return s
	}
	return string(part)
}

// matches reports whether all that is given holds.
func (m *Match) matches(h *head) bool {
	return (len(m.Rules) == 0 || one(m.Rules, h.Rule)) &&
		(len(m.Severities) == 0 || slices.Contains(m.Severities, h.Severity)) &&
		(m.MinSeverity == "" || rank(h.Severity) >= rank(m.MinSeverity)) &&
		(len(m.Tags) == 0 || one(m.Tags, h.Tags...)) &&
		m.labelsMatch(h) && m.keyMatches(h)
}

func (m *Match) labelsMatch(h *head) bool {
	for name, pattern := range m.Labels {
		if value, ok := h.Labels[name]; !ok || !like(pattern, value) {
			return false
		}
	}
	return true
}

func (m *Match) keyMatches(h *head) bool {
	for name, pattern := range m.Key {
		if value, ok := h.Key[name]; !ok || !like(pattern, text(value)) {
			return false
		}
	}
	return true
}

// one reports whether one of the patterns matches one of the texts.
func one(patterns []string, texts ...string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return like(p, t) })
	})
}

// like is path.Match in which * stands for any text, with slashes too.
func like(pattern, text string) bool {
	const slash = "\x00" // in no text that is read from JSON by people's intent
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(text, "/", slash))
	return ok && err == nil
}

// dimension reads a part of an alert.
type dimension struct{ what, name string }

// parseDimension reads rule, severity, key, key.NAME or label.NAME.
func parseDimension(text string) (dimension, error) {
	what, name, named := strings.Cut(text, ".")
	switch {
	case !named && (what == "rule" || what == "severity" || what == "key"),
		named && name != "" && (what == "key" || what == "label"):
		return dimension{what, name}, nil
	}
	return dimension{}, fmt.Errorf("%q is no part of an alert to compare; there are rule, severity, key, key.NAME and label.NAME", text)
}

func parseDimensions(texts []string) (all []dimension, err error) {
	for _, t := range texts {
		d, err := parseDimension(t)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// values names what an alert has in some dimensions, so that two are equal where all are.
func (h *head) values(of []dimension) string {
	var b strings.Builder
	for i, d := range of {
		if i > 0 {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "%s=%q", d, h.value(d))
	}
	return b.String()
}

func (h *head) value(d dimension) string {
	switch d.what {
	case "rule":
		return h.Rule
	case "severity":
		return h.Severity
	case "label":
		return h.Labels[d.name]
	}
	if d.name != "" {
		return text(h.Key[d.name])
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(h.Key)) {
		parts = append(parts, name+"="+text(h.Key[name]))
	}
	return strings.Join(parts, ",")
}

// String is the dimension as it is written.
func (d dimension) String() string {
	if d.name == "" {
		return d.what
	}
	return d.what + "." + d.name
}
