package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTracesAreRead(t *testing.T) {
	c, err := parse(least+"traces: { endpoint: https://otel:4318, headers: { Authorization: \"Bearer ${T}\" }, ratio: 0.25 }\n", "T", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	tr := c.Traces
	if tr.Collector() != "https://otel:4318/v1/traces" || tr.Headers["Authorization"].Reveal() != "Bearer hunter2" || tr.Ratio != (Ratio{true, 0.25}) {
		t.Errorf("read as %+v", tr)
	}
	if shown := fmt.Sprintf("%+v %v", tr, tr.Headers); strings.Contains(shown, "hunter2") {
		t.Errorf("a secret shows: %s", shown)
	}
	for given, want := range map[string]string{"{}": "", "{ endpoint: 'http://h:1/' }": "http://h:1/v1/traces", "{ endpoint: 'http://h/api/otel/v1/traces' }": "http://h/api/otel/v1/traces"} {
		c, err := parse(least + "traces: " + given + "\n")
		if err != nil || c.Traces.Collector() != want || c.Traces.Ratio.Given {
			t.Errorf("%s: %+v, %v; want %q", given, c, err, want)
		}
	}
	if c, err := parse(least); err != nil || c.Traces != nil {
		t.Errorf("without the key: %+v, %v", c.Traces, err)
	}
}

func TestFaultsOfTraces(t *testing.T) {
	for given, want := range map[string]string{
		"endpoint: otel:4318":                       "traces.endpoint: is no URL of a collector; write it as http://localhost:4318",
		"endpoint: ''":                              "traces.endpoint: is no URL",
		"endpoint: grpc://otel:4317":                "traces.endpoint: is no URL",
		"endpoint: 'http://u:hunter2@otel'":         "traces.endpoint: holds a user or password",
		"endpoint: 'http://otel?key=hunter2'":       "traces.endpoint: holds a query",
		"endpoint: 'http://hunter2 :1'":             "traces.endpoint: is no URL",
		"ratio: 2":                                  `traces.ratio: "2": not a part; write a number from 0 to 1`,
		"ratio: -0.1":                               "traces.ratio: ",
		"ratio: NaN":                                "traces.ratio: ",
		"ratio: ten":                                "traces.ratio: ",
		"headers: { 'a b': x }":                     "traces.headers.a b: cannot be the name of a header",
		"headers: { a: \"hunter2\\n\" }":            "traces.headers.a: the value cannot be that of a header",
		"headers: { a: x }, header: { b: hunter2 }": `did you mean "headers"?`,
	} {
		_, err := parse(least + "traces: { " + given + " }\n")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
}

func TestTracesThatChangeAreNamed(t *testing.T) {
	a, err := parse(least + "traces: { endpoint: 'http://a', headers: { x: one }, ratio: 1 }\n")
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse(least + "traces: { endpoint: 'http://b', headers: { x: two } }\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Changed(a, b), []string{"traces.endpoint", "traces.headers.x", "traces.ratio"}; !slices.Equal(got, want) {
		t.Errorf("changed: %v, want %v", got, want)
	}
}

func TestSchemaOfTraces(t *testing.T) {
	schema := schemaOfFile(t)
	for given, want := range map[string]bool{
		"{}": true, "{ endpoint: 'http://h', headers: { a: b, c: { file: d } }, ratio: 0.5 }": true, "{ ratio: '${R}' }": true,
		"{ ratio: 1.5 }": false, "{ ratio: all }": false, "{ url: 'http://h' }": false,
	} {
		if fits(t, schema, least+"traces: "+given+"\n") != want {
			t.Errorf("%s fits: %v, want %v", given, !want, want)
		}
	}
}
