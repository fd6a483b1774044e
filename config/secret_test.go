package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestSecretNeverPrints: alone, in structs, behind pointers, in errors, in logs.
func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2"
	s := NewSecret(text)
	holder := struct {
		Shown  Secret
		hidden Secret
		In     map[string]Secret
		All    []Secret
		To     *Secret
	}{s, s, map[string]Secret{"a": s}, []Secret{s}, &s}
	out := map[string]string{"String": s.String(), "error": fmt.Errorf("x: %w: %v", errors.New("y"), s).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%10.3s"} {
		for i, v := range []any{s, &s, holder, &holder, []any{s}, SASL{Password: s}, &Config{Sources: map[string]*Source{"a": {Kafka: &KafkaSource{SASL: &SASL{Password: s}}}}}} {
			out[fmt.Sprintf("%s of %d", verb, i)] = fmt.Sprintf(verb, v)
		}
	}
	j, err := json.Marshal(holder)
	out["JSON"] = string(j)
	y, err2 := yaml.Marshal(&holder)
	out["YAML"] = string(y)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "a", s, "b", &s, "c", holder, "d", &holder, "e", SASL{Password: s})
	}
	out["log"] = log.String()
	for how, got := range out {
		if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) || strings.Contains(got, fmt.Sprintf("%X", text)) {
			t.Errorf("%s shows it: %s", how, got)
		}
	}
	if err := errors.Join(err, err2); err != nil {
		t.Error(err)
	}
	if s.Reveal() != text || s.String() != "(secret)" || (Secret{}).String() != "" {
		t.Errorf("reveals %q, prints %q and %q", s.Reveal(), s, Secret{})
	}
}
