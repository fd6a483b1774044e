package api

import (
	"math"
	"net/http"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/sinks"
)

type status struct {
	Program    string             `json:"program" doc:"version of the program"`
	Started    time.Time          `json:"started"`
	Ready      bool               `json:"ready"`
	Reasons    []string           `json:"reasons" doc:"why it is not ready"`
	RuleSet    uint64             `json:"rule_set" doc:"version in service; 0: there is none"`
	Trouble    string             `json:"trouble,omitempty" doc:"why the folders of rules are not in service as they are"`
	Durable    bool               `json:"durable" doc:"what is committed outlives the process"`
	Committed  *time.Time         `json:"committed" doc:"when an epoch was last committed"`
	PerSecond  float64            `json:"records_per_second" doc:"of the last ten to twenty seconds"`
	Watermark  *time.Time         `json:"watermark" doc:"up to when events are worked"`
	Lag        *float64           `json:"watermark_lag_seconds" doc:"how far it is behind the clock"`
	Totals     map[string]uint64  `json:"totals" doc:"of the run, as of its last commit"`
	Sinks      []sinks.Stats      `json:"sinks"`
	Files      []engine.FileStats `json:"files" doc:"lists and tables"`
	Queued     int                `json:"queued_events" doc:"pushed, and not read by the engine"`
	QueueBytes int64              `json:"queued_bytes"`
}

type ruleStatus struct {
	Name            string            `json:"name"`
	Table           bool              `json:"table" doc:"it is a projection, which never alerts"`
	Keys            int               `json:"keys"`
	Alerts          uint64            `json:"alerts" doc:"sent"`
	Suppressed      uint64            `json:"suppressed"`
	Shadowed        uint64            `json:"shadowed" doc:"alerts of a shadow rule, which are not sent"`
	NilKeys         uint64            `json:"nil_keys" doc:"events passed by because their key was nil"`
	Errors          uint64            `json:"errors" doc:"evaluations that failed"`
	LastError       string            `json:"last_error,omitempty"`
	Dropped         map[string]uint64 `json:"dropped" doc:"forgotten for the sake of limits"`
	SilencesDropped uint64            `json:"silences_dropped"`
	RunsOpen        int64             `json:"runs_open" doc:"about, of keys in memory"`
	Bytes           int64             `json:"bytes" doc:"about, of keys in memory"`
	Evaluation      float64           `json:"evaluation_seconds" doc:"that went into its events, from a sample"`
}

type health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons" doc:"why not"`
}

// reasons are why the process cannot do its work.
func (s *Server) reasons() []string {
	all := append([]string{}, s.o.Ready()...)
	if why := s.ledger.trouble(); why != "" {
		all = append(all, why)
	}
	if s.ending.Load() {
		all = append(all, "the process is ending")
	}
	return all
}

// alive is GET /healthz: the process answers.
func alive(*call) (*answer, error) { return ok(health{"alive", []string{}}) }

// ready is GET /readyz.
func ready(c *call) (*answer, error) {
	reasons := c.s.reasons()
	if len(reasons) > 0 {
		p := wrong(http.StatusServiceUnavailable, "not-ready", "see the reasons", strings.Join(reasons, "; "))
		p.retryAfter = time.Second
		return nil, p
	}
	return ok(health{"ready", reasons})
}

func totalsOf(s *engine.Stats) map[string]uint64 {
	return map[string]uint64{
		"records": s.Records, "events": s.Events, "undeclared": s.Undeclared, "undecodable": s.Undecodable,
		"late": s.Late, "late_dropped": s.LateDropped, "raised": s.Raised, "ahead": s.Ahead, "copies": s.Copies,
		"marks_dropped": s.MarksDropped, "idle_steps": s.IdleSteps, "epochs": s.Epochs, "alerts": s.Alerts,
	}
}

// getStatus is GET /v1/status.
func getStatus(c *call) (*answer, error) {
	o := &c.s.o
	t := o.Totals.read()
	out := status{Program: o.Version, Started: c.s.started.UTC(), Reasons: c.s.reasons(), Durable: o.Durable, PerSecond: t.Rate, Totals: totalsOf(&t.Stats)}
	out.Ready = len(out.Reasons) == 0
	out.Sinks, out.Files = []sinks.Stats{}, append([]engine.FileStats{}, t.Files...)
	if o.Rules != nil {
		out.RuleSet, out.Trouble = o.Rules.Current().Number, o.Rules.Trouble()
	}
	if !t.At.IsZero() {
		at := t.At.UTC()
		out.Committed = &at
	}
	if t.Commits > 0 && t.Watermark != math.MinInt64 {
		at := time.Unix(0, t.Watermark).UTC()
		lag := o.Now().Sub(at).Seconds()
		out.Watermark, out.Lag = &at, &lag
	}
	if o.Sinks != nil {
		out.Sinks = append(out.Sinks, o.Sinks.Stats()...)
	}
	if o.Events != nil {
		out.Queued, out.QueueBytes = o.Events.Waiting()
	}
	return ok(out)
}

// getRuleStatus is GET /v1/rules/{name}/status.
func getRuleStatus(c *call) (*answer, error) {
	t := c.s.o.Totals.read()
	for i := range t.Rules {
		if r := &t.Rules[i]; r.Name == c.Param("name") {
			return ok(c.statusOf(r))
		}
	}
	return nil, wrong(http.StatusNotFound, "not-found", "see GET /v1/rules for those there are; a new rule has a status after its first commit", "no rule that runs is named "+clip(c.Param("name")))
}

func (c *call) statusOf(r *engine.RuleStats) ruleStatus {
	s := statusOf(r)
	if redactor := c.s.o.Redact; redactor != nil && s.LastError != "" {
		s.LastError = redactor.Reason(s.LastError)
	}
	return s
}

func statusOf(r *engine.RuleStats) ruleStatus {
	return ruleStatus{
		Name: r.Name, Table: r.Table, Keys: r.Keys, Alerts: r.Alerts, Suppressed: r.Suppressed, Shadowed: r.Shadowed,
		NilKeys: r.NilKeys, Errors: r.Errors, LastError: r.LastError, SilencesDropped: r.SilencesDropped, Dropped: droppedOf(r),
		RunsOpen: r.Runs, Bytes: r.Bytes, Evaluation: r.Evaluated.Seconds(),
	}
}

func droppedOf(r *engine.RuleStats) map[string]uint64 {
	d := &r.Dropped
	return map[string]uint64{"runs": d.Runs, "run_events": d.RunEvents, "window_events": d.WindowEvents, "keys": d.Keys}
}

// profile is GET /debug/pprof/{name}.
func profile(c *call) (*answer, error) {
	p := pprof.Lookup(c.Param("name"))
	if c.Param("name") == "profile" {
		return cpuProfile(c)
	}
	if p == nil {
		return nil, wrong(http.StatusNotFound, "not-found", "ask for profile, heap, goroutine, allocs, block or mutex", "there is no such profile")
	}
	var b strings.Builder
	if err := p.WriteTo(&b, 0); err != nil {
		return nil, err
	}
	return &answer{text: []byte(b.String()), media: "application/octet-stream"}, nil
}

const profileMost = 600 // seconds

// cpuProfile profiles for as many seconds as asked for, 5 by default.
func cpuProfile(c *call) (*answer, error) {
	n, err := c.number("seconds")
	if err != nil {
		return nil, err
	}
	most := c.s.o.Limits.Request / 2
	var b strings.Builder
	if err := pprof.StartCPUProfile(&b); err != nil {
		return nil, wrong(http.StatusConflict, "busy", "wait until the other profile is done", err.Error())
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(min(most, time.Duration(min(or(n, 5), profileMost))*time.Second)):
	case <-c.Request.Context().Done():
		return nil, c.Request.Context().Err()
	}
	pprof.StopCPUProfile()
	return &answer{text: []byte(b.String()), media: "application/octet-stream"}, nil
}
