package main

import (
	"bytes"
	"html/template"
	"os"
	"time"

	"github.com/cepheus-cep/cepheus/rules/backtest"
)

// page is one file: no script, no font and no picture comes from elsewhere.
const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Cepheus replay</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#223}
table{border-collapse:collapse;width:100%;margin:.5em 0 2em}td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}td.bar{width:45%}
.bar i{display:block;height:1em;background:#3a6ea5;border-radius:2px}.critical i,.high i{background:#b5392f}.low i,.info i{background:#7d97b3}
@media(prefers-color-scheme:dark){body{background:#15181c;color:#dde}}
</style>
<h1>Replay</h1>
<p>{{.Events}} events, {{.Alerts}} alerts{{with .Late}}, {{.}} late{{end}}{{with .Undecodable}}, {{.}} undecodable{{end}}.</p>
{{range .Tables}}<h2>{{.Title}}</h2>
<table><tr><th>{{.Head}}<th>{{.Unit}}<th><th>
{{range .Rows}}<tr class="{{.Class}}"><td>{{.Name}}<td class="n">{{.N}}<td class="bar"><i style="width:{{.Percent}}%"></i><td>{{.Note}}
{{end}}</table>
{{end}}
{{with .Change}}<h2>Against the rules as they were</h2>
<p>{{.Same}} the same, {{len .Appeared}} appear, {{len .Vanished}} vanish, {{len .Moved}} move.</p>
<table><tr><th><th>time<th>rule<th>key
{{range .Appeared}}<tr><td>appears<td>{{.Time}}<td>{{.Rule}}<td>{{.Key.Key}}
{{end}}{{range .Vanished}}<tr><td>vanishes<td>{{.Time}}<td>{{.Rule}}<td>{{.Key.Key}}
{{end}}{{range .Moved}}<tr><td>moves<td>{{.From}} to {{.Time}}<td>{{.Rule}}<td>{{.Key.Key}}
{{end}}</table>{{end}}
</html>
`

// pageTable is a table with bars.
type pageTable struct {
	Title, Head, Unit string
	Rows              []pageRow
}

type pageRow struct {
	Name, Class, Note string
	N                 uint64
	Percent           float64
}

func (t *pageTable) add(name, class, note string, n uint64) {
	t.Rows = append(t.Rows, pageRow{Name: name, Class: class, Note: note, N: n})
}

// scaled is the table with its bars as parts of the longest.
func (t *pageTable) scaled() *pageTable {
	most := uint64(1)
	for _, r := range t.Rows {
		most = max(most, r.N)
	}
	for i := range t.Rows {
		t.Rows[i].Percent = 100 * float64(t.Rows[i].N) / float64(most)
	}
	return t
}

// writeHTML writes the page as a whole.
func (r *replayed) writeHTML(path string) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	data := struct {
		*replayJSON
		Tables []*pageTable
		Change *changeJSON
	}{replayJSON: r.json()}
	data.Change = data.Against
	for _, table := range r.tables() {
		if len(table.Rows) > 0 {
			data.Tables = append(data.Tables, table.scaled())
		}
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600) // alerts, as in all files of them
}

func (r *replayed) tables() []*pageTable {
	rules := &pageTable{Title: "By rule", Head: "rule", Unit: "alerts"}
	for i := range r.rules {
		rules.add(r.rules[i].Rule, r.rules[i].Severity, r.rules[i].Severity, r.rules[i].Alerts)
	}
	list, span := r.tally.Hours(mostSpans)
	name, layout := spanNames(span)
	hours := &pageTable{Title: "By " + name, Head: name, Unit: "alerts"}
	if span > 24*backtest.Hour {
		hours.Title = "By time"
	}
	for _, h := range list {
		hours.add(time.Unix(0, h.Start).UTC().Format(layout), "", "", h.Alerts)
	}
	keys := &pageTable{Title: "Top keys", Head: "key", Unit: "alerts"}
	for _, k := range r.tally.Top(r.top) {
		keys.add(k.Key.Key, "", k.Rule, k.Alerts)
	}
	costs := &pageTable{Title: "Cost of each rule alone", Head: "rule", Unit: "ns an event"}
	for _, c := range r.costs {
		costs.add(c.Rule, "", "", uint64(c.Nanos))
	}
	return []*pageTable{rules, hours, keys, costs}
}
