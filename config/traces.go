package config

import (
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// Traces says where spans of alerts and deliveries are sent.
type Traces struct {
	Endpoint string            `yaml:"endpoint" help:"The collector, as http://localhost:4318; /v1/traces is added unless it ends so. Default: what OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT says, or else http://localhost:4318."`
	Headers  map[string]Secret `yaml:"headers" help:"Headers that are sent with spans, instead of OTEL_EXPORTER_OTLP_HEADERS."`
	Ratio    Ratio             `yaml:"ratio" help:"Which part of the alerts have spans, chosen by their ids. Default: what OTEL_TRACES_SAMPLER says, or else 1, all."`
}

func (t *Traces) check(at section) {
	if at.has("endpoint") && !at.faulty("endpoint") {
		if err := checkCollector(t.Endpoint); err != nil {
			at.fault("endpoint", "%v", err)
		}
	}
	checkHeaders(at, t.Headers)
}

// checkCollector refuses what is no place to send spans to. It does not quote it: the environment may
// have put a secret into it.
func checkCollector(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("is no URL of a collector; write it as http://localhost:4318, or with https")
	case u.User != nil:
		return errors.New("holds a user or password, which would be passed by; give headers, as { Authorization: \"Basic ${CREDENTIALS}\" }")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("holds a query (?) or a fragment (#), which would be passed by; give the URL alone")
	}
	return nil
}

// tracesPath is where collectors take spans.
const tracesPath = "/v1/traces"

// Collector is the URL that spans are posted to; empty: the configuration does not say.
func (t *Traces) Collector() string {
	if t.Endpoint == "" || strings.HasSuffix(t.Endpoint, tracesPath) {
		return t.Endpoint
	}
	return strings.TrimRight(t.Endpoint, "/") + tracesPath
}

// Ratio is a part of a whole, from 0 to 1.
type Ratio struct {
	Given bool // else nothing is said
	Of    float64
}

// String returns the ratio as it may be written.
func (r Ratio) String() string { return strconv.FormatFloat(r.Of, 'g', -1, 64) }

func (r *Ratio) set(text string) error {
	of, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(of) || of < 0 || of > 1 {
		return errors.New("not a part; write a number from 0 to 1, as 0.25")
	}
	*r = Ratio{Given: true, Of: of}
	return nil
}
