package kafka

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// TestHeadAgreesWithJSON compares the head of random alerts with what a decoder finds.
func TestHeadAgreesWithJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune(`ab"\{}[]:,é 1`)), 0, 12, -1)
		a := event.Alert{
			ID: text.Draw(t, "id"), Rule: text.Draw(t, "rule"), Severity: text.Draw(t, "severity"), Title: text.Draw(t, "title"),
			Tags: rapid.SliceOfN(text, 0, 3).Draw(t, "tags"),
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "parts") {
			a.Key = append(a.Key, event.Named{Name: fmt.Sprintf("%s%d", text.Draw(t, "name"), i), Value: event.ParseJSON(jsonValue(t, text))})
		}
		alert := a.AppendJSON(nil)
		h := headOf(alert)
		var want struct {
			ID, Rule, Severity json.RawMessage
			Key                map[string]json.RawMessage
		}
		if err := json.Unmarshal(alert, &want); err != nil {
			t.Fatalf("%v: %s", err, alert)
		}
		for got, want := range map[string]json.RawMessage{string(h.id): want.ID, string(h.rule): want.Rule, string(h.severity): want.Severity} {
			if `"`+got+`"` != string(want) {
				t.Fatalf("%q in %s", got, alert)
			}
		}
		if got, want := string(h.recordKey()), plainKey(t, h.key, want.Key); got != want {
			t.Fatalf("key %q, want %q of %s", got, want, alert)
		}
	})
}

func jsonValue(t *rapid.T, text *rapid.Generator[string]) []byte {
	value := rapid.SampledFrom([]any{17, 2.5, true, text.Draw(t, "value"), []string{"x", `]`}}).Draw(t, "of")
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainKey is recordKey by the library.
func plainKey(t *rapid.T, whole []byte, parts map[string]json.RawMessage) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		for _, v := range parts {
			var s string
			if json.Unmarshal(v, &s) == nil {
				return s
			}
			return string(v)
		}
	}
	var compact map[string]json.RawMessage
	if err := json.Unmarshal(whole, &compact); err != nil || len(compact) != len(parts) {
		t.Fatalf("%v: %s", err, whole)
	}
	return string(whole)
}

func TestHeadOfNoAlert(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `"x"`, "{}", `{"id"`, `{"id":`, `{"id":"`, `{"id":"a`, `{"id":"a\`, `{"key":{`, `{"key":}`, `{"id":1,"key":{"a":`, "}}"} {
		h := headOf([]byte(text))
		_, _ = h.recordKey(), h.partitionKey()
	}
}
