package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
)

// endpoint is a line of the table: what is served, and what is said of it.
type endpoint struct {
	method, path string // path as OpenAPI writes it
	id, summary  string
	scope        string
	audited      bool
	precondition bool // it needs If-Match
	stream       bool
	query        []param
	body         any         // an empty value of its type; nil: none
	bodyMedia    []string    // default application/json
	status       int         // of success; default 200
	out          any         // an empty value of its type; nil: no body, or text
	outMedia     string      // default application/json
	other        map[int]any // of other statuses of success
	problems     []int       // beside those that any route has
	serve        func(*call) (*answer, error)
}

// param is a query parameter.
type param struct {
	name, doc string
	many      bool // it may be given several times
	number    bool
	most      uint64   // of a number; default what fits
	values    []string // that it may have; none: any
	pattern   string   // that it must match
	time      bool
}

var (
	limitParam   = param{name: "limit", doc: "How many at most; default 100.", number: true, most: pageMost}
	cursorParam  = param{name: "cursor", doc: "next of the page before.", pattern: cursorPattern}
	versionParam = param{name: "version", doc: "Those of a version that is kept; default: in service.", number: true}
	noteParam    = param{name: "note", doc: "Why, for the list of versions."}
	ruleParam    = param{name: "rule", doc: "Those of one rule."}
)

// changeProblems are those of a change of the rule set.
var changeProblems = []int{400, 404, 412, 413, 415, 422, 428}

// endpoints is the table.
func endpoints() []endpoint {
	var all []endpoint
	for _, some := range [][]endpoint{ruleEndpoints(), runEndpoints(), eventEndpoints(), alertEndpoints(), plainEndpoints()} {
		all = append(all, some...)
	}
	return all
}

func ruleEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/v1/rules", id: "listRules", summary: "The rule set: its files and rules.", scope: scopeRulesRead, query: []param{versionParam, {name: "text", doc: "true: with the texts of the files.", values: []string{"true", "false"}}}, out: ruleSet{}, problems: []int{400, 404}, serve: listRules},
		{method: "PUT", path: "/v1/rules", id: "putRules", summary: "Put a whole set in service.", scope: scopeRulesWrite, audited: true, precondition: true, query: append([]param{noteParam}, warmParams...), body: wholeSet{}, out: change{}, other: map[int]any{http.StatusAccepted: warming{}}, problems: append([]int{409}, changeProblems...), serve: putSet},
		{method: "GET", path: "/v1/rules/{name}", id: "getRuleFile", summary: "The text of a rule file; a / in its name is written as %2F.", scope: scopeRulesRead, query: []param{versionParam}, outMedia: "text/plain", problems: []int{400, 404}, serve: getRules},
		{method: "PUT", path: "/v1/rules/{name}", id: "putRuleFile", summary: "Put one rule file in service.", scope: scopeRulesWrite, audited: true, precondition: true, query: append([]param{noteParam}, warmParams...), body: "", bodyMedia: []string{"text/plain", "application/octet-stream"}, out: change{}, other: map[int]any{http.StatusAccepted: warming{}}, problems: append([]int{409}, changeProblems...), serve: putFile},
		{method: "DELETE", path: "/v1/rules/{name}", id: "deleteRuleFile", summary: "Take a rule file out of service.", scope: scopeRulesWrite, audited: true, precondition: true, query: []param{noteParam}, out: change{}, problems: changeProblems, serve: deleteFile},
		{method: "GET", path: "/v1/rules/{name}/status", id: "getRuleStatus", summary: "What a rule has done and remembers; by the rule's name.", scope: scopeRulesRead, out: ruleStatus{}, problems: []int{404}, serve: getRuleStatus},
		{method: "GET", path: "/v1/rules/versions", id: "listVersions", summary: "The versions that are kept.", scope: scopeRulesRead, out: versionList{}, problems: []int{404}, serve: listVersions},
		{method: "POST", path: "/v1/rules:check", id: "checkRules", summary: "Check a change and make none.", scope: scopeRulesRead, body: draft{}, out: checked{}, problems: []int{400, 404, 413, 415}, serve: checkRules},
		{method: "POST", path: "/v1/rules:try", id: "tryRules", summary: "What a change would alert over the events of the request, or over recent ones.", scope: scopeRulesWrite, body: trialOf{}, out: tried{}, problems: []int{400, 404, 413, 415, 422}, serve: tryRules},
		{method: "POST", path: "/v1/rules:rollback", id: "rollbackRules", summary: "Put an earlier version in service again.", scope: scopeRulesWrite, audited: true, precondition: true, body: rollback{}, out: change{}, problems: changeProblems, serve: rollBack},
		{method: "GET", path: "/v1/warmings", id: "listWarmings", summary: "Changes whose rules are given the past first: those under way, and the last that have ended.", scope: scopeRulesRead, out: warmingList{}, problems: []int{404}, serve: listWarmings},
		{method: "GET", path: "/v1/warmings/{number}", id: "getWarming", summary: "How far a warming has come.", scope: scopeRulesRead, out: warming{}, problems: []int{404}, serve: getWarming},
		{method: "DELETE", path: "/v1/warmings/{number}", id: "endWarming", summary: "End a warming; its change is not made.", scope: scopeRulesWrite, audited: true, status: http.StatusNoContent, problems: []int{404}, serve: endWarming},
		{method: "GET", path: "/v1/shadows", id: "listShadows", summary: "The last alerts that shadow rules would have sent.", scope: scopeAlertsRead, query: []param{ruleParam, limitParam}, out: shadowList{}, problems: []int{400, 404}, serve: listShadows},
	}
}

func runEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/v1/status", id: "getStatus", summary: "How the run stands.", scope: scopeAny, out: status{}, serve: getStatus},
		{method: "GET", path: "/v1/explain", id: "explain", summary: "What a rule remembers of a key: its open runs, windows, what suppress keeps back.", scope: scopeAlertsRead, query: []param{{name: "rule", doc: "Whose key it is."}, {name: "key", doc: "A part of the key as alerts write it, once for each part, in order; or each as NAME=VALUE.", many: true}}, out: engine.KeyView{}, problems: []int{400, 404}, serve: explain},
		{method: "GET", path: "/v1/tables/{name}/{key}", id: "getTableRow", summary: "What a table holds of a key.", scope: scopeAlertsRead, out: engine.KeyView{}, problems: []int{400, 404}, serve: tableRow},
		{method: "POST", path: "/v1/config:reload", id: "reloadConfig", summary: "Read the configuration again.", scope: scopeAdmin, audited: true, out: reloaded{}, problems: []int{404, 422}, serve: reload},
		{method: "GET", path: "/debug/pprof/{name}", id: "profile", summary: "A profile of the process: profile (of its CPU), heap, goroutine, allocs, block, mutex.", scope: scopeAdmin, query: []param{{name: "seconds", doc: "How long; default 5.", number: true, most: profileMost}}, outMedia: "application/octet-stream", problems: []int{400, 404, 409}, serve: profile},
	}
}

func eventEndpoints() []endpoint {
	return []endpoint{
		{method: "POST", path: "/v1/events", id: "pushEvents", summary: "Send events: one, an array, or JSON lines. All are taken or none.", scope: scopeEventsWrite, query: []param{{name: "wait", doc: "commit: answer when they are committed, with 200. Else they are queued in memory.", values: []string{"commit", "queue"}}}, body: someEvents{}, bodyMedia: []string{mediaJSON, mediaLines, mediaLines2, mediaCloud, mediaClouds}, status: http.StatusAccepted, out: taken{}, problems: []int{400, 404, 413, 415, 422}, serve: pushEvents},
		{method: "GET", path: "/v1/dead-letters", id: "listDeadLetters", summary: "Records that came to nothing.", scope: scopeAdmin, query: []param{limitParam, {name: "cursor", doc: "next of the page before."}, {name: "all", doc: "true: also those that are done with.", values: []string{"true", "false"}}}, out: letterPage{}, problems: []int{400, 404}, serve: listLetters},
		{method: "POST", path: "/v1/dead-letters:replay", id: "replayDeadLetters", summary: "Send records again, answered when they are committed where there is a state folder, and alerts to the sink that refused them.", scope: scopeAdmin, audited: true, body: letterIDs{}, out: replayed{}, problems: []int{400, 404, 413, 415, 422}, serve: replayLetters},
	}
}

func alertEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/v1/alerts", id: "listAlerts", summary: "The last alerts, the newest first.", scope: scopeAlertsRead, query: []param{ruleParam, {name: "key", doc: "Those with a part of their key that is written so."}, {name: "from", doc: "Those of this time or later.", time: true}, {name: "to", doc: "Those before this time.", time: true}, limitParam, cursorParam}, out: alertPage{}, problems: []int{400, 404}, serve: listAlerts},
		{method: "GET", path: "/v1/alerts/stream", id: "streamAlerts", summary: "Alerts as they are committed, as server-sent events; goes on after Last-Event-ID. An event gap says which are not to be had any more.", scope: scopeAlertsRead, stream: true, query: []param{ruleParam, {name: "after", doc: "As Last-Event-ID.", number: true}}, outMedia: "text/event-stream", problems: []int{400, 404}, serve: streamAlerts},
		{method: "GET", path: "/v1/silences", id: "listSilences", summary: "The silences that hold.", scope: scopeAlertsRead, out: silenceList{}, problems: []int{404}, serve: listSilences},
		{method: "POST", path: "/v1/silences", id: "addSilence", summary: "Keep alerts back for a while.", scope: scopeAdmin, audited: true, body: silence{}, status: http.StatusCreated, out: silence{}, problems: []int{400, 404, 413, 415, 422}, serve: addSilence},
		{method: "DELETE", path: "/v1/silences/{name}", id: "endSilence", summary: "End a silence.", scope: scopeAdmin, audited: true, status: http.StatusNoContent, problems: []int{404}, serve: endSilence},
	}
}

func plainEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/healthz", id: "healthz", summary: "The process answers.", out: health{}, serve: alive},
		{method: "GET", path: "/readyz", id: "readyz", summary: "The process does its work; else 503 with why not.", out: health{}, serve: ready},
		{method: "GET", path: "/metrics", id: "metrics", summary: "Metrics for Prometheus.", scope: scopeAny, outMedia: "text/plain", serve: scrape},
		{method: "GET", path: "/openapi.json", id: "openapi", summary: "This document.", out: json.RawMessage{}, serve: document},
	}
}

// ginPath writes a path as gin does: a colon that is one has a backslash.
func (e *endpoint) ginPath() string {
	p := strings.ReplaceAll(e.path, ":", `\:`)
	return strings.NewReplacer("{", ":", "}", "").Replace(p)
}
