package api

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cepheus-cep/cepheus/engine"
)

// meters are what Prometheus scrapes: what this package counts, and, of the engine and the
// sinks, what they count themselves, as it is at the scrape.
type meters struct {
	s        *Server
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMeters(s *Server) *meters {
	m := &meters{s: s, registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cepheus_http_request_duration_seconds", Help: "How long requests took, by route and status code.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
	}, []string{"route", "code"})
	m.registry.MustRegister(m.requests, m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// served counts a request.
func (m *meters) served(e *endpoint, status int, took time.Duration) {
	m.requests.WithLabelValues(e.id, strconv.Itoa(status)).Observe(took.Seconds())
}

// Describe implements prometheus.Collector: what there is depends on the rules.
func (*meters) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *meters) Collect(to chan<- prometheus.Metric) {
	t := m.s.o.Totals.read()
	p := pen{to}
	p.totals(&t.Stats)
	p.gauge("cepheus_rule_set_version", "Version of the rule set in service; 0: there is none.", float64(m.version()))
	if t.Commits > 0 {
		p.gauge("cepheus_last_commit_timestamp_seconds", "When an epoch was last committed.", float64(t.At.UnixNano())/1e9)
	}
	if t.Commits > 0 && t.Watermark != math.MinInt64 {
		p.gauge("cepheus_watermark_timestamp_seconds", "Up to when events are worked.", float64(t.Watermark)/1e9)
		p.gauge("cepheus_watermark_lag_seconds", "How far the watermark is behind the clock.", m.s.o.Now().Sub(time.Unix(0, t.Watermark)).Seconds())
	}
	if m.s.o.Kept != nil {
		kept := m.s.o.Kept.Stats()
		p.gauge("cepheus_recent_records", "Records kept in memory, to try rules over.", float64(kept.Records))
		p.gauge("cepheus_recent_bytes", "Memory that they take.", float64(kept.Bytes))
		p.gauge("cepheus_recent_limit_bytes", "Memory that they may take.", float64(kept.Most))
	}
	p.gauge("cepheus_ready", "1 while the process can do its work; GET /readyz says why not.", oneIf(len(m.s.reasons()) == 0))
	if m.s.o.Sources != nil {
		p.sources(m.s.o.Sources())
	}
	p.rules(summed(t.Rules, m.s.o.Limits.Labels), m.s.o.Timings != nil)
	if m.s.o.Timings != nil {
		p.timings(m.s.o.Timings)
	}
	if m.s.o.Sinks != nil {
		p.sinks(m.s.o.Sinks)
	}
	if m.s.o.Events != nil {
		n, bytes := m.s.o.Events.Waiting()
		p.gauge("cepheus_http_queue_events", "Events pushed that the engine has not read.", float64(n))
		p.gauge("cepheus_http_queue_bytes", "Bytes of them.", float64(bytes))
	}
}

func (m *meters) version() uint64 {
	if m.s.o.Rules == nil {
		return 0
	}
	return m.s.o.Rules.Current().Number
}

// otherRules is the label of the rules that have none of their own; no rule has that name.
const otherRules = "(others)"

// summed returns at most so many rules, and the sum of the rest.
func summed(all []engine.RuleStats, most int) []engine.RuleStats {
	if len(all) <= most {
		return all
	}
	sum := engine.RuleStats{Name: otherRules}
	for i := range all[most:] {
		r := &all[most+i]
		sum.Alerts += r.Alerts
		sum.Suppressed += r.Suppressed
		sum.Shadowed += r.Shadowed
		sum.NilKeys += r.NilKeys
		sum.Errors += r.Errors
		sum.Keys += r.Keys
		sum.Runs += r.Runs
		sum.Bytes += r.Bytes
		sum.Evaluated += r.Evaluated
		sum.SilencesDropped += r.SilencesDropped
		sum.Dropped.Runs += r.Dropped.Runs
		sum.Dropped.RunEvents += r.Dropped.RunEvents
		sum.Dropped.WindowEvents += r.Dropped.WindowEvents
		sum.Dropped.Keys += r.Dropped.Keys
	}
	return append(append([]engine.RuleStats{}, all[:most]...), sum)
}

// pen writes metrics.
type pen struct{ to chan<- prometheus.Metric }

func (p pen) write(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
	names, values := pairs(labels)
	p.to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
}

// pairs takes names and values of labels apart.
func pairs(labels []string) (names, values []string) {
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "?"))
	}
	return names, values
}

func (p pen) gauge(name, help string, value float64, labels ...string) {
	p.write(prometheus.GaugeValue, name, help, value, labels...)
}

func (p pen) count(name, help string, n uint64, labels ...string) {
	p.write(prometheus.CounterValue, name, help, float64(n), labels...)
}

func (p pen) totals(s *engine.Stats) {
	p.count("cepheus_records_total", "Records read.", s.Records)
	p.count("cepheus_events_total", "Events decoded and worked.", s.Events)
	p.count("cepheus_alerts_total", "Alerts sent.", s.Alerts)
	p.count("cepheus_epochs_total", "Epochs committed.", s.Epochs)
	p.count("cepheus_undeclared_records_total", "Records of types that no rule file declares.", s.Undeclared)
	p.count("cepheus_late_events_total", "Events older than their partition's watermark.", s.Late)
	p.count("cepheus_copies_total", "Events dropped by dedup.", s.Copies)
	const dead, help = "cepheus_dead_records_total", "Records that could not be taken, by reason."
	p.count(dead, help, s.Undecodable, "reason", "undecodable")
	p.count(dead, help, s.LateDropped, "reason", "late")
	p.count(dead, help, s.Ahead, "reason", "ahead")
}

func (p pen) rules(all []engine.RuleStats, timed bool) {
	for i := range all {
		r := &all[i]
		p.count("cepheus_rule_alerts_total", "Alerts sent, by rule.", r.Alerts, "rule", r.Name)
		p.count("cepheus_rule_suppressed_total", "Alerts not sent because of suppress.", r.Suppressed, "rule", r.Name)
		p.count("cepheus_rule_shadowed_total", "Alerts of shadow rules.", r.Shadowed, "rule", r.Name)
		p.count("cepheus_rule_errors_total", "Evaluations that failed.", r.Errors, "rule", r.Name)
		p.count("cepheus_rule_nil_keys_total", "Events passed by because their key was nil.", r.NilKeys, "rule", r.Name)
		p.gauge("cepheus_rule_keys", "Keys remembered.", float64(r.Keys), "rule", r.Name)
		if timed {
			p.gauge("cepheus_rule_open_runs", "Open runs of keys in memory, about.", float64(r.Runs), "rule", r.Name)
			p.gauge("cepheus_rule_bytes", "What the rule's keys take in memory, about.", float64(r.Bytes), "rule", r.Name)
			p.write(prometheus.CounterValue, "cepheus_rule_evaluation_seconds_total", "Time that went into the rule's events, from a sample.", r.Evaluated.Seconds(), "rule", r.Name)
		}
		for what, n := range droppedOf(r) {
			p.count("cepheus_rule_dropped_total", "What was forgotten for the sake of limits.", n, "rule", r.Name, "what", what)
		}
	}
}

func (p pen) sources(all []SourceStats) {
	for i := range all {
		s := &all[i]
		labels := []string{"source", s.Source, "topic", s.Topic, "partition", strconv.Itoa(int(s.Partition))}
		if s.Behind >= 0 {
			p.gauge("cepheus_source_lag_records", "Records of the log that are not read.", float64(s.Behind), labels...)
		}
		p.count("cepheus_source_fetch_failures_total", "Fetches that failed.", s.Failures, labels...)
		p.count("cepheus_source_lost_records_total", "Records that were gone before they could be read, at most.", s.Lost, labels...)
		p.count("cepheus_source_damaged_batches_total", "Batches of the log that were passed by for their damage.", s.Damaged, labels...)
	}
}

func (p pen) sinks(of Sinks) {
	for _, s := range of.Stats() {
		p.count("cepheus_sink_delivered_total", "Alerts delivered.", s.Delivered, "sink", s.Sink)
		p.count("cepheus_sink_retries_total", "Attempts that came to nothing.", s.Retries, "sink", s.Sink)
		p.count("cepheus_sink_dead_total", "Alerts refused for good.", s.Dead, "sink", s.Sink)
		p.count("cepheus_sink_dropped_total", "Alerts dropped for want of room.", s.Dropped, "sink", s.Sink)
		p.gauge("cepheus_sink_backlog_alerts", "Alerts that wait.", float64(s.Rows), "sink", s.Sink)
		p.gauge("cepheus_sink_backlog_bytes", "Bytes of them.", float64(s.Bytes), "sink", s.Sink)
		p.gauge("cepheus_sink_oldest_seconds", "How long the oldest has waited.", s.Oldest.Seconds(), "sink", s.Sink)
		for _, is := range []string{"closed", "open", "half-open"} {
			p.gauge("cepheus_sink_breaker_state", "1 for the state the breaker is in.", oneIf(s.Breaker == is), "sink", s.Sink, "state", is)
		}
		for why, n := range s.Skipped {
			p.count("cepheus_sink_skipped_total", "Alerts not delivered, by reason.", n, "sink", s.Sink, "reason", why)
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// scrape is GET /metrics.
func scrape(c *call) (*answer, error) {
	h := promhttp.HandlerFor(c.s.meters.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, ErrorHandling: promhttp.HTTPErrorOnError})
	c.Writer.WriteHeader(http.StatusOK)
	h.ServeHTTP(c.Writer, c.Request)
	return &answer{done: true}, nil
}
