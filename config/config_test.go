package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
)

// parse reads a configuration in the folder conf, with an environment and files.
func parse(text string, world ...string) (*Config, error) {
	all := map[string]string{}
	for i := 0; i < len(world); i += 2 {
		all[world[i]] = world[i+1]
	}
	return Parse("conf/c.yaml", []byte(text), Options{
		Env: func(name string) (string, bool) { v, ok := all[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := all[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	})
}

const whole = `
rules: [rules/fraud, /etc/more.cep]
state: { dir: data, commit: 500ms, cache: 1GiB, sync: false }
sources:
  payments:
    kafka:
      brokers: ["a:9092", "b:9092"]
      topics: [payments, refunds]
      pattern: pay\..*$
      group: cepheus
      start: 2026-01-31T12:00:00Z
      tls: { ca: ca.pem, cert: own.pem, key: own.key, server_name: kafka }
      sasl: { mechanism: SCRAM-SHA-256, user: ann, password: "${KAFKA_PASSWORD}" }
      out_of_range: stop
      skip_damaged: true
      max_record: 1MiB
      prefetch: 8MiB
      fetch_bytes: 64KiB
      wait: 100ms
      timeout: 3s
      start_timeout: 1m
      refresh: 1h
    format: csv
    columns: [card, amount]
    type: payment
    idle: 2s
    order: time
  replay:
    file: { paths: [a.jsonl, b.jsonl.gz], max_line: 4MiB }
    type_field: kind
  pipe: { stdin: }
sinks:
  console: { stdout: {} }
  log: { file: { path: alerts.jsonl } }
  ops:
    webhook:
      url: { file: hook }
      headers: { Authorization: "Bearer ${TOKEN:-none}", X-Trace: { file: trace } }
      batch: 1_000
      secret: { file: trace }
    timeout: 2s
    rate: 50
    fault: wait
    retry: { initial: 1s, max: 1m, after: 10m, elapsed: 7d }
    breaker: { failures: 2, open: 1m }
    backlog: { alerts: 5, bytes: 2MiB, full: drop_oldest }
dead_letter: { file: { dir: dead, max: 1MiB, age: 30d } }
limits: { runs_per_key: 5, waiting: 7 }
`

func path(given string) Path { return Path{given, "conf/" + given} }

func TestWholeFileIsRead(t *testing.T) {
	got, err := parse(whole, "KAFKA_PASSWORD", "p:w #{}", "conf/hook", "https://u:p@h/x\n", "conf/trace", "t\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Rules:      []Path{path("rules/fraud"), {"/etc/more.cep", "/etc/more.cep"}},
		RulesWatch: true,
		State:      &State{Dir: path("data"), Commit: Duration(500 * time.Millisecond), Cache: 1 << 30},
		Sources: map[string]*Source{
			"payments": {
				Kafka: &KafkaSource{
					Brokers: []string{"a:9092", "b:9092"}, Topics: []string{"payments", "refunds"}, Pattern: `pay\..*$`, Group: "cepheus",
					Start: Start{At: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)},
					TLS:   &ClientTLS{path("ca.pem"), path("own.pem"), path("own.key"), "kafka"},
					SASL:  &SASL{"SCRAM-SHA-256", "ann", NewSecret("p:w #{}")}, OutOfRange: "stop", SkipDamaged: true,
					MaxRecord: 1 << 20, Prefetch: 8 << 20, FetchBytes: 64 << 10, Wait: Duration(100 * time.Millisecond),
					Timeout: Duration(3 * time.Second), StartTimeout: Duration(time.Minute), Refresh: Duration(time.Hour),
				},
				Format: "csv", Columns: []string{"card", "amount"}, Type: "payment", Idle: Duration(2 * time.Second), Order: "time",
			},
			"replay": {
				File:   &FileSource{[]Path{path("a.jsonl"), path("b.jsonl.gz")}, 4 << 20},
				Format: "json", TypeField: "kind", Idle: Duration(time.Second), Order: "time",
			},
			"pipe": {Stdin: &StdinSource{}, Format: "json", Idle: Duration(time.Second), Order: "time"},
		},
		Sinks: map[string]*Sink{
			"console": {Stdout: &StdoutSink{}, Timeout: Duration(30 * time.Second), Concurrency: 1, Fault: "stop"},
			"log":     {File: &FileSink{path("alerts.jsonl")}, Timeout: Duration(30 * time.Second), Concurrency: 1, Fault: "stop"},
			"ops": {
				Webhook: &WebhookSink{URL: NewSecret("https://u:p@h/x"), Headers: map[string]Secret{"Authorization": NewSecret("Bearer none"), "X-Trace": NewSecret("t")}, Batch: 1000, Secret: NewSecret("t"), Method: "POST"},
				Timeout: Duration(2 * time.Second), Concurrency: 1, Rate: 50, Fault: "wait",
				Retry:   &Retry{Duration(time.Second), Duration(time.Minute), Duration(10 * time.Minute), Duration(7 * 24 * time.Hour)},
				Breaker: &Breaker{2, Duration(time.Minute)}, Backlog: &Backlog{5, 2 << 20, "drop_oldest"},
			},
		},
		DeadLetter: &DeadLetter{&LetterFile{path("dead"), 1 << 20, Duration(30 * 24 * time.Hour)}},
		Limits:     Limits{10_000_000, 5, 10_000, 1_000_000, 7, 1_000_000, 1_000_000},
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(isUnexported, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := got.Where("sources.payments.kafka.topics[1]").String(), "conf/c.yaml:8:26"; got != want {
		t.Errorf("a topic stands at %s, want %s", got, want)
	}
	if got, err := parse("rules: [r]\nsources: { a: { kafka: { brokers: [h:9092, 127.0.0.1:1, '[::1]:2'], topics: [a] } } }"); err != nil || len(got.Sources["a"].Kafka.Brokers) != 3 {
		t.Errorf("brokers without quotes: %v", err)
	}
	if got, want := got.Where("sources.payments.kafka.nothing").String(), "conf/c.yaml:6:5"; got != want {
		t.Errorf("what is not there is looked for at %s, want %s", got, want)
	}
}

func isUnexported(p cmp.Path) bool {
	f, ok := p.Last().(cmp.StructField)
	return ok && (f.Name() == "file" || f.Name() == "places")
}

// TestDeliveryIsThatOfTheFile: what is left out is the dispatcher's default.
func TestDeliveryIsThatOfTheFile(t *testing.T) {
	got, err := parse(whole, "KAFKA_PASSWORD", "p", "conf/hook", "https://h", "conf/trace", "t")
	if err != nil {
		t.Fatal(err)
	}
	want := sinks.Delivery{
		Timeout: 2 * time.Second, Concurrency: 1, Rate: 50,
		Backoff: time.Second, MaxBackoff: time.Minute, MaxRetryAfter: 10 * time.Minute, MaxElapsed: 7 * 24 * time.Hour,
		Failures: 2, Open: time.Minute, MaxRows: 5, MaxBytes: 2 << 20, DropOldest: true,
	}
	if diff := cmp.Diff(want, got.Sinks["ops"].delivery()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sinks.Delivery{Timeout: 30 * time.Second, Concurrency: 1, StopOnFault: true}, got.Sinks["log"].delivery()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const least = "rules: [r]\nsources: { a: { stdin: {} } }\n"

func TestKeysThatAreNotThereHaveTheirDefaults(t *testing.T) {
	got, err := parse("rules: [r]\nstate: { dir: d }\nsources: { a: { kafka: { brokers: ['b:1'], topics: [t] } } }\nsinks: { s: { webhook: { url: 'http://h' }, retry: } }\ndead_letter: { file: { dir: x } }")
	if err != nil {
		t.Fatal(err)
	}
	s := got.Sources["a"].Kafka
	for _, c := range []struct{ got, want any }{
		{got.State.Commit, Duration(time.Second)},
		{got.State.Cache, Size(512 << 20)},
		{got.State.Sync, true},
		{s.Wait.String() + s.Timeout.String() + s.StartTimeout.String(), "500ms10s15s"},
		{s.Prefetch.String() + s.FetchBytes.String(), "64MiB512KiB"},
		{s.Start.String() + s.OutOfRange, "earliestearliest"},
		{got.Sinks["s"].Retry.Max, Duration(30 * time.Second)},
		{got.DeadLetter.File.Max, Size(64 << 20)},
		{got.Limits.RunsPerKey, 10_000},
	} {
		if c.got != c.want {
			t.Errorf("default %v, want %v", c.got, c.want)
		}
	}
}

// TestFaults: each is told with its place, its key and the mend.
func TestFaults(t *testing.T) {
	source := "rules: [r]\nsources:\n  a:\n"
	kafka := source + "    kafka:\n      brokers: ['b:1']\n      topics: [t]\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                     {"", "conf/c.yaml: is empty; give rules and sources at least"},
		"a comment alone":             {"# x\n", "conf/c.yaml: is empty; give rules and sources at least"},
		"a list":                      {"- a\n", "conf/c.yaml:1:1: want keys with values, as { key: value }, and found a list"},
		"no YAML":                     {"rules: [a\n", "conf/c.yaml:1:8: not YAML: sequence end token ']' not found"},
		"a variable without quotes":   {"state: {dir: ${D}}\n", `conf/c.yaml:1:15: not YAML: ',' or '}' must be specified; within { } and [ ] write "${VAR}" with its quotes`},
		"a key twice":                 {"rules: [a]\nrules: [b]\n", `conf/c.yaml:2:1: not YAML: mapping key "rules" already defined at [1:1]`},
		"two documents":               {least + "---\n" + least, "conf/c.yaml:4:1: a second document (---); a configuration is one"},
		"no rules":                    {"sources: { a: { stdin: {} } }", "conf/c.yaml: the key rules is missing: name rule files, or folders of them"},
		"no sources":                  {"rules: [r]", "conf/c.yaml: sources: nothing to read: name at least one source"},
		"an unknown key":              {least + "stat: { dir: d }", `conf/c.yaml:3:1: unknown key "stat"; did you mean "state"?`},
		"an unknown key with no like": {least + "kubernetes: 1", `conf/c.yaml:3:1: unknown key "kubernetes"; there are rules, rules_watch, state, sources, sinks, routing, dead_letter, redact, limits, api, traces, log`},
		"an unknown key deep below":   {kafka + "      tpics: [x]\n", `conf/c.yaml:7:7: sources.a.kafka: unknown key "tpics"; did you mean "topics"?`},
		"a key of another type":       {least + "limits: 5", "conf/c.yaml:3:9: limits: want keys with values, as { key: value }, and found one value"},
		"no list":                     {"rules: r\nsources: { a: { stdin: {} } }", "conf/c.yaml:1:8: rules: want a list, as [a, b], and found one value"},
		"an empty list":               {"rules: []\nsources: { a: { stdin: {} } }", "conf/c.yaml:1:8: rules: the list is empty; leave the key out, or name something"},
		"a list for a value":          {least + "state: { dir: [a] }", "conf/c.yaml:3:15: state.dir: want one value, and found a list"},
		"nothing behind a key":        {least + "state: { dir: }", "conf/c.yaml:3:14: state.dir: has nothing behind it; give a value, or leave the key out"},
		"a missing key":               {least + "state: { commit: 1s }", "conf/c.yaml:3:1: state: the key dir is missing: The folder of the state, made where it is not there. A run goes on from what is in it."},
		"a duration without unit":     {least + "state: { dir: d, commit: 5 }", `conf/c.yaml:3:26: state.commit: "5": a duration needs its unit: ms, s, m, h or d`},
		"no duration":                 {least + "state: { dir: d, commit: soon }", `conf/c.yaml:3:26: state.commit: "soon": not a duration; write it as 500ms, 2s, 1h30m or 7d`},
		"a duration out of bounds":    {least + "state: { dir: d, commit: 2d }", `conf/c.yaml:3:26: state.commit: "2d": out of bounds: from 1ms to 1h`},
		"a size without unit":         {least + "state: { dir: d, cache: 512 }", `conf/c.yaml:3:25: state.cache: "512": a size needs its unit: KiB, MiB, GiB, kB, MB, GB or B`},
		"a size too small":            {least + "state: { dir: d, cache: 5kB }", `conf/c.yaml:3:25: state.cache: "5kB": out of bounds: at least 1MiB`},
		"no boolean":                  {least + "state: { dir: d, sync: yes }", `conf/c.yaml:3:24: state.sync: "yes": write true or false`},
		"no number":                   {least + "limits: { waiting: many }", `conf/c.yaml:3:20: limits.waiting: "many": not a whole number`},
		"a number out of bounds":      {least + "limits: { waiting: 0 }", `conf/c.yaml:3:20: limits.waiting: "0": out of bounds: at least 1`},
		"an unknown word":             {source + "    stdin:\n    format: jsn", `conf/c.yaml:5:13: sources.a.format: "jsn": one of json, csv, raw; did you mean "json"?`},
		"no kind":                     {source + "    format: json", "conf/c.yaml:3:3: sources.a: what is it? Give one of file, stdin, http, kafka"},
		"two kinds":                   {kafka + "    stdin:\n", "conf/c.yaml:4:5: sources.a.kafka: it is one thing: stdin or kafka"},
		"a name that is none":         {"rules: [r]\nsources: { 'a/b': { stdin: {} } }", `conf/c.yaml:2:12: sources: "a/b" cannot be a name; a letter, then letters, digits, _ and -, at most 64`},
		"an anchor":                   {"rules: &r [r]\nsources: { a: { stdin: {} } }", `conf/c.yaml:1:8: rules: anchors and aliases (& and *) are not taken; write the value out, or put it into "…" where it begins with such a sign`},
		"a tag":                       {least + "state: { dir: !!str d }", `conf/c.yaml:3:15: state.dir: tags (!) are not taken; put the value into "…" where it begins with that sign`},
		"an order that is not there":  {source + "    stdin: {}\n    order: arrival", "conf/c.yaml:5:5: sources.a.order: arrival is not there yet: partitions are merged by time; leave the key out"},
		"events for nobody":           {source + "    http: {}", "conf/c.yaml:3:3: sources.a: the API takes its events, and there is none: give api, at least api: { listen: 127.0.0.1:8080 }"},
		"two sources over HTTP":       {source + "    http: {}\n  b: { http: {} }\napi: {}", "conf/c.yaml:5:3: sources.b: events over HTTP come from source a already"},
		"CSV over HTTP":               {source + "    http: {}\n    format: csv\napi: {}", "conf/c.yaml:5:5: sources.a.format: events over HTTP are json"},
		"a variable that is not set":  {least + "state: { dir: \"${D}\" }", "conf/c.yaml:3:15: state.dir: the environment has no variable D; set it, or write a default as ${D:-…}"},
		"a variable without its end":  {least + "state: { dir: \"${D\" }", "conf/c.yaml:3:15: state.dir: ${ without its }; for the text ${ write $${"},
		"a secret's file":             {kafka + "      sasl: { mechanism: PLAIN, user: u, password: { file: pw } }", "conf/c.yaml:7:54: sources.a.kafka.sasl.password: the file of the secret cannot be read: open conf/pw: file does not exist"},
		"nothing to read of Kafka":    {source + "    kafka: { brokers: ['b:1'] }", "conf/c.yaml:4:5: sources.a.kafka: what is to be read? Name topics, or give a pattern"},
		"a broker without port":       {source + "    kafka: { brokers: [b], topics: [t] }", `conf/c.yaml:4:24: sources.a.kafka.brokers[0]: "b": write a broker as host:port`},
		"a pattern that is none":      {kafka + "      pattern: '('", "conf/c.yaml:7:7: sources.a.kafka.pattern: not a regular expression: error parsing regexp: missing closing ): `(`"},
		"CSV of topics":               {kafka + "    format: csv", "conf/c.yaml:3:3: sources.a.columns: the key columns is missing: CSV records of a topic have no first line that names them"},
		"a start that is none":        {kafka + "      start: now", `conf/c.yaml:7:14: sources.a.kafka.start: "now": one of "earliest", "latest", or a time as 2026-01-31T12:00:00Z`},
		"a certificate without key":   {kafka + "      tls: { cert: c }", "conf/c.yaml:7:7: sources.a.kafka.tls: cert and key go together"},
		"raw lines":                   {source + "    stdin:\n    format: raw", "conf/c.yaml:5:5: sources.a.format: raw is for Kafka; lines are json or csv"},
		"a file twice":                {source + "    file: { paths: [x, ./x] }", `conf/c.yaml:4:24: sources.a.file.paths[1]: "./x" is there twice`},
		"standard input twice":        {"rules: [r]\nsources: { a: { stdin: }, b: { stdin: } }", "conf/c.yaml:2:27: sources.b: standard input is read by source a already"},
		"type and type_field":         {source + "    stdin:\n    type: e\n    type_field: k", "conf/c.yaml:6:5: sources.a.type_field: give type, where all records are of one, or type_field, not both"},
		"order: arrival":              {source + "    stdin:\n    order: arrival", "conf/c.yaml:5:5: sources.a.order: arrival is not there yet: partitions are merged by time; leave the key out"},
		"a URL that is none":          {least + "sinks: { s: { webhook: { url: 'ftp://h' } } }", `conf/c.yaml:3:26: sinks.s.webhook.url: no receiver is known for URLs of the scheme "ftp"; there are http and https`},
		"a header that is none":       {least + "sinks: { s: { webhook: { url: 'http://h', headers: { 'a b': c } } } }", "conf/c.yaml:3:54: sinks.s.webhook.headers.a b: cannot be the name of a header"},
		"retry the wrong way round":   {least + "sinks: { s: { webhook: { url: 'http://h' }, retry: { initial: 2s, max: 1s } } }", "conf/c.yaml:3:67: sinks.s.retry.max: is less than initial, 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(c.text); err == nil || err.Error() != c.want {
				t.Errorf("of\n%s\nis said\n%v\nwant\n%s", c.text, err, c.want)
			}
		})
	}
}

func TestAllFaultsAtOnceInTheOrderOfPlaces(t *testing.T) {
	_, err := parse("rles: [r]\nsources:\n  a: { stdin: {}, format: xml }\n  b: { kafka: { brokers: [x] } }\nstate: { dir: \"${NO}\", commit: 3 }\n")
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%T: %v", err, err)
	}
	var at []string
	for _, f := range faults {
		at = append(at, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Key))
	}
	want := []string{"1:1 ", "3:27 sources.a.format", "4:8 sources.b.kafka", "4:27 sources.b.kafka.brokers[0]", "5:15 state.dir", "5:32 state.commit", "0:0 "}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, err)
	}
}

// TestWhatTheEnvironmentGivesIsNeverQuoted: it may be a secret in the wrong place.
func TestWhatTheEnvironmentGivesIsNeverQuoted(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		least + "state: { dir: d, commit: \"${S}\" }",
		least + "limits: { waiting: \"${S}\" }",
		"rules: [r]\nsources: { a: { stdin: {}, format: \"${S}\" } }",
		"rules: [r]\nsources: { a: { kafka: { brokers: ['b:1'], topics: [t], start: \"${S}\" } } }",
		least + "sinks: { s: { webhook: { url: \"${S}\" } } }",
		least + "sinks: { s: { webhook: { url: hunter2 } } }",
		least + "sinks: { s: { webhook: { url: 'http://h', headers: { a: \"${S}\\n\" } } } }",
		"rules: [r]\nsources: { a: { kafka: { brokers: ['b:1'], topics: [t], sasl: { mechanism: PLAIN, user: u, password: hunter2, x: } } } }",
		"rules: [r]\nsources: { a: { kafka: { sasl: { password: hunter2 mechanism: x } } } }",
	} {
		_, err := parse(text, "S", secret)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("of\n%s\nis said: %v", text, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "a", "EMPTY": "", "ODD": "${A}"}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "$": "$", "a$b$": "a$b$", "${A}": "a", "x${A}y${A}": "xaya",
		"${B:-b}": "b", "${B:-}": "", "${EMPTY}": "", "${EMPTY:-e}": "e", "${A:-b}": "a", "${B:-x:-y}": "x:-y",
		"$${A}": "${A}", "$${": "${", "$$${A}": "$${A}", "${ODD}": "${A}", "^pay.*$": "^pay.*$",
	} {
		if got, err := expand(text, env); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${", "${A", "${}", "${B}", "${1}", "${A-b}", "${:-b}", "${ A }"} {
		if got, err := expand(text, env); err == nil {
			t.Errorf("%q becomes %q, want an error", text, got)
		}
	}
}

// TestTextWithoutVariablesComesBack: what is escaped is as it was.
func TestTextWithoutVariablesComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("${}:-aA"))).Draw(t, "text")
		if strings.Contains(text, "$${") {
			t.Skip("a sign before what is escaped")
		}
		got, err := expand(strings.ReplaceAll(text, "${", "$${"), func(string) (string, bool) { return "", false })
		if err != nil || got != text {
			t.Fatalf("%q comes back as %q, %v", text, got, err)
		}
	})
}

func TestSizesAndDurationsAreWrittenAsTheyAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := Size(rapid.Int64Range(0, 1<<50).Draw(t, "size"))
		d := Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "duration"))
		var size2 Size
		var d2 Duration
		if err := errors.Join(size2.set(size.String()), d2.set(d.String())); err != nil || size2 != size || d2 != d {
			t.Fatalf("%s is read as %s, %s as %s, %v", size, size2, d, d2, err)
		}
	})
}

func TestAPIIsValidated(t *testing.T) {
	for text, want := range map[string]string{
		"listen: '0.0.0.0:80'": "it would be open to the network",
		"listen: nowhere":      "write it as",
		"tokens: [{ name: a, hash: h, scopes: [rule:read] }]": "did you mean \"rules:read\"?",
		"tokens: [{ name: a, hash: h }]":                      "the key scopes is missing",
		"tokens: [{ name: a, hash: h, scopes: [admin] }]":     "is neither by argon2id",
	} {
		if _, err := parse(least + "api: { " + text + " }"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{
		"", "listen: 'localhost:1'", "listen: '[::1]:1'", "listen: '0.0.0.0:80', insecure: true",
		"listen: ':80', tokens: [{ name: a, hash: '$2a$10$x', scopes: [admin] }]",
	} {
		if _, err := parse(least + "api: { " + text + " }"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestChangedKeysAreNamedWithoutValues(t *testing.T) {
	world := []string{"KAFKA_PASSWORD", "p", "conf/hook", "https://h", "conf/trace", "t"}
	before, err := parse(whole, world...)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"nothing":         {"", "", nil},
		"the layout":      {"commit: 500ms", "commit: 0.5s", nil},
		"a value":         {"commit: 500ms", "commit: 1s", []string{"state.commit"}},
		"a secret":        {"${KAFKA_PASSWORD}", "other", []string{"sources.payments.kafka.sasl.password"}},
		"a list":          {"[payments, refunds]", "[payments]", []string{"sources.payments.kafka.topics"}},
		"a name":          {"replay:", "again:", []string{"sources.again", "sources.replay"}},
		"a section":       {"dead_letter: { file: { dir: dead, max: 1MiB, age: 30d } }", "", []string{"dead_letter"}},
		"a header":        {"X-Trace", "X-Other", []string{"sinks.ops.webhook.headers.X-Other", "sinks.ops.webhook.headers.X-Trace"}},
		"a start":         {"2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", nil},
		"a default given": {"waiting: 7", "waiting: 7, silences: 1000000", nil},
	} {
		after, err := parse(strings.Replace(whole, c.from, c.to, 1), world...)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(c.want, Changed(before, after)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzParse: whatever the file holds, there is a configuration or faults that say where.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(least)
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parse(text); (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestOrderAndBurstNeedWhatTheyAreFor(t *testing.T) {
	for sink, want := range map[string]string{
		"{ stdout: {}, any_order: true }":                 "any_order: does nothing without concurrency",
		"{ stdout: {}, burst: 5 }":                        "burst: does nothing without rate",
		"{ stdout: {}, any_order: true, concurrency: 2 }": "",
		"{ stdout: {}, burst: 5, rate: 10 }":              "",
	} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte("sinks: { s: "+sink+" }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, Options{NoRules: true, NoSources: true})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sink, err, want)
		}
	}
}
