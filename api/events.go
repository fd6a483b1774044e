package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
)

type taken struct {
	Events    int  `json:"events"`
	Committed bool `json:"committed" doc:"they are worked, and what follows from them is on disk; else they are in memory, and lost with the process"`
}

// pushEvents is POST /v1/events.
func pushEvents(c *call) (*answer, error) {
	if c.s.o.Events == nil {
		return nil, notServed("source that takes events over HTTP")
	}
	wait := c.Query("wait")
	if wait == "commit" && !c.s.o.Durable {
		return nil, wrong(http.StatusUnprocessableEntity, "not-durable", "run with a state folder, or leave wait out", "this run keeps nothing on disk, so there is no commit to wait for")
	}
	records, err := c.records()
	if err != nil {
		return nil, err
	}
	return c.push(records, wait == "commit")
}

// trace is the context of the request, W3C's traceparent, as headers beside its events.
func (c *call) trace() []byte {
	const name = "traceparent"
	if value := c.GetHeader(name); c.s.o.Traced && value != "" && len(value) < 256 {
		return event.AppendHeader(nil, name, []byte(value))
	}
	return nil
}

// push queues records, and waits for their commit where that is wanted.
func (c *call) push(records [][]byte, wait bool) (*answer, error) {
	end, err := c.s.o.Events.PushWith(records, c.trace())
	if err != nil {
		return nil, c.refusedEvents(err)
	}
	if !wait {
		return &answer{status: http.StatusAccepted, body: taken{Events: len(records)}}, nil
	}
	if err := c.s.o.Events.Wait(c.Request.Context(), end); err != nil {
		p := wrong(http.StatusServiceUnavailable, "not-committed", "send the same again; with dedup and ids no event counts twice", "the events are queued, and it is not known whether they will be committed")
		if errors.Is(err, context.DeadlineExceeded) {
			p.Detail = "the events are queued, and were not committed in time"
		}
		return nil, p
	}
	return ok(taken{len(records), true})
}

// refusedEvents says what an error of Push means that asks for no patience.
func (c *call) refusedEvents(err error) error {
	switch {
	case ofQueue(err) != nil:
		return err
	case c.s.ending.Load():
		return context.Canceled
	}
	return wrong(http.StatusUnprocessableEntity, "not-taken", "send fewer at once, or, where the run is ending, later", err.Error())
}

// Media types of events.
const (
	mediaJSON   = "application/json"
	mediaLines  = "application/x-ndjson"
	mediaLines2 = "application/jsonl"
	mediaCloud  = "application/cloudevents+json"
	mediaClouds = "application/cloudevents-batch+json"
)

// records reads the body: an object, an array of them, or one a line.
func (c *call) records() ([][]byte, error) {
	media, err := c.media(mediaJSON, mediaLines, mediaLines2, mediaCloud, mediaClouds)
	if err != nil {
		return nil, err
	}
	text, err := c.body()
	if err != nil {
		return nil, err
	}
	records, err := split(media, text, c.s.o.Limits.Events)
	return apart(records, len(text)), err
}

// apart copies records out of a body that is mostly something else, as space: it would be in memory
// for as long as they wait, and the queue counts them alone.
func apart(records [][]byte, body int) [][]byte {
	size := 0
	for _, r := range records {
		size += len(r)
	}
	if size >= body/2 {
		return records
	}
	for i, r := range records {
		records[i] = bytes.Clone(r)
	}
	return records
}

// split cuts a body into records, all of which are JSON objects.
func split(media string, text []byte, most int) (records [][]byte, err error) {
	text = bytes.TrimSpace(text)
	switch {
	case media == mediaLines || media == mediaLines2:
		records, err = lines(text, most)
	case len(text) > 0 && text[0] == '[':
		records, err = elements(text, most)
	default:
		records, err = [][]byte{text}, isObject(text, 1)
	}
	if err == nil && len(records) > most {
		err = wrong(http.StatusRequestEntityTooLarge, "too-large", "send fewer at once", "a request takes at most %d events", most)
	}
	return records, err
}

func lines(text []byte, most int) (records [][]byte, err error) {
	n := 0
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := isObject(line, n); err != nil {
			return nil, err
		}
		if records = append(records, line); len(records) > most {
			break
		}
	}
	return records, nil
}

func elements(text []byte, most int) (records [][]byte, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	for d.More() && len(records) <= most {
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, notJSON(err)
		}
		if err := isObject(one, len(records)+1); err != nil {
			return nil, err
		}
		records = append(records, one)
	}
	if len(records) > most {
		return records, nil
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	if d.More() {
		return nil, wrong(http.StatusBadRequest, "body", "send one array", "there is more after the array")
	}
	return records, nil
}

func isObject(text []byte, number int) error {
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return wrong(http.StatusBadRequest, "event", "send JSON objects: one, an array of them, or one a line as application/x-ndjson; nothing of the request was taken", "event %d is no JSON object", number)
	}
	return nil
}

type letter struct {
	ID        string `json:"id"`
	Kind      string `json:"kind" doc:"undecodable, late or undeliverable"`
	Reason    string `json:"reason"`
	Source    string `json:"source"`
	Offset    int64  `json:"offset"`
	Time      string `json:"time"`
	Record    string `json:"record"`
	Truncated bool   `json:"truncated,omitempty" doc:"the record is not whole"`
	Done      string `json:"done,omitempty" doc:"replayed or purged"`
}

type letterPage struct {
	Letters []letter `json:"letters" doc:"the oldest first"`
	Next    string   `json:"next,omitempty" doc:"cursor of the next page"`
}

type letterIDs struct {
	IDs []string `json:"ids" min:"1" max:"1000"`
}

type replayed struct {
	Replayed []string  `json:"replayed"`
	Refused  []refusal `json:"refused,omitempty" doc:"alerts that their sink did not take; they are dead letters still"`
}

type refusal struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

func (c *call) letters() (Letters, error) {
	if c.s.o.Letters == nil {
		return nil, notServed("dead letters")
	}
	return c.s.o.Letters, nil
}

// listLetters is GET /v1/dead-letters. Its cursor is the id of the last letter of a page.
func listLetters(c *call) (*answer, error) {
	box, err := c.letters()
	if err != nil {
		return nil, err
	}
	most, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	out, begun := letterPage{Letters: []letter{}}, c.Query("cursor") == ""
	enough := errors.New("enough")
	err = box.Letters(func(l *deadletter.Stored) error {
		switch {
		case !begun:
			begun = l.ID == c.Query("cursor")
		case l.Done != "" && c.Query("all") != "true":
		case len(out.Letters) == most:
			out.Next = out.Letters[most-1].ID
			return enough
		default:
			out.Letters = append(out.Letters, c.letterOf(l))
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	if !begun {
		return nil, wrong(http.StatusNotFound, "cursor", "begin at the first page again", "the letter of the cursor is not there any more")
	}
	return ok(out)
}

// letterOf redacts the letter: it may be from before that was asked for.
func (c *call) letterOf(l *deadletter.Stored) letter {
	out := letterOf(l)
	if r := c.s.o.Redact; r != nil {
		record, reason := r.Letter(l.Record, l.Reason)
		out.Record, out.Reason = string(record), reason
	}
	return out
}

func letterOf(l *deadletter.Stored) letter {
	return letter{l.ID, string(l.Kind), l.Reason, l.Source, l.Offset, l.Time.UTC().Format("2006-01-02T15:04:05.999999999Z07:00"), string(l.Record), l.Truncated, l.Done}
}

// replayLetters is POST /v1/dead-letters:replay: records go through the queue again, alerts to
// the sink that has refused them.
func replayLetters(c *call) (*answer, error) {
	box, err := c.letters()
	if err != nil {
		return nil, err
	}
	var in letterIDs
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 || len(in.IDs) > pageMost {
		return nil, wrong(http.StatusBadRequest, "body", "give at least one id", "ids are 1 to %d", pageMost)
	}
	letters, err := lettersOf(box, in.IDs)
	if err != nil {
		return nil, err
	}
	r := &replay{c: c, box: box, out: replayed{Replayed: []string{}}, alerts: map[string][]*deadletter.Stored{}}
	if err := r.sort(letters); err != nil {
		return nil, err
	}
	return r.run()
}

// replay sends letters again.
type replay struct {
	c   *call
	box Letters
	out replayed

	ids     []string // of records
	records [][]byte
	alerts  map[string][]*deadletter.Stored // by sink
}

func (r *replay) sort(letters []*deadletter.Stored) error {
	for _, l := range letters {
		sink, isAlert := strings.CutPrefix(l.Source, "sink ")
		switch isAlert = isAlert && l.Kind == deadletter.Undeliverable; {
		case l.Truncated:
			return wrong(http.StatusUnprocessableEntity, "letter", "correct it by cepheus dead-letters correct", "%s holds only the beginning of its record", l.ID)
		case isAlert:
			r.alerts[sink] = append(r.alerts[sink], l)
		default:
			r.ids, r.records = append(r.ids, l.ID), append(r.records, l.Record)
		}
	}
	switch {
	case len(r.records) > 0 && r.c.s.o.Events == nil:
		return notServed("source that takes events over HTTP")
	case len(r.alerts) > 0 && r.c.s.o.Resend == nil:
		return notServed("sinks to send alerts to again")
	}
	return nil
}

// run sends; what was sent is marked at once. Where nothing is, the first reason is the answer.
func (r *replay) run() (*answer, error) {
	if len(r.records) > 0 {
		if _, err := r.c.push(r.records, r.c.s.o.Durable); err != nil {
			return nil, err
		}
		if err := r.done(r.ids); err != nil {
			return nil, err
		}
	}
	for _, sink := range slices.Sorted(maps.Keys(r.alerts)) {
		if err := r.resend(sink); err != nil {
			return nil, err
		}
	}
	if len(r.out.Replayed) == 0 {
		first := r.out.Refused[0]
		return nil, wrong(http.StatusUnprocessableEntity, "not-replayed", "mend the receiver, or send them elsewhere by cepheus dead-letters replay --sink", "%s is not taken: %s", first.ID, first.Why)
	}
	return ok(r.out)
}

func (r *replay) done(ids []string) error {
	r.out.Replayed = append(r.out.Replayed, ids...)
	return r.box.Done(deadletter.Replayed, ids...)
}

func (r *replay) resend(sink string) error {
	refused := map[string]string{}
	sent, err := r.c.s.o.Resend(r.c.Request.Context(), sink, r.alerts[sink], func(l *deadletter.Stored, why error) { refused[l.ID] = why.Error() })
	var ids []string
	for _, l := range sent {
		ids = append(ids, l.ID)
	}
	why := "the sink did not take it in time"
	if err != nil {
		why = err.Error()
	}
	for _, l := range r.alerts[sink] {
		if !slices.Contains(ids, l.ID) {
			r.out.Refused = append(r.out.Refused, refusal{l.ID, or(refused[l.ID], why)})
		}
	}
	return r.done(ids)
}

// lettersOf are the letters of these ids, which are whole; each once.
func lettersOf(box Letters, ids []string) (letters []*deadletter.Stored, err error) {
	all := map[string]*deadletter.Stored{}
	for _, id := range ids {
		all[id] = nil
	}
	err = box.Letters(func(l *deadletter.Stored) error {
		if before, asked := all[l.ID]; asked && before == nil {
			all[l.ID] = l
			letters = append(letters, l)
		}
		return nil
	})
	for _, id := range ids {
		if err == nil && all[id] == nil {
			err = fmt.Errorf("%w: %s", deadletter.ErrNotFound, clip(id))
		}
	}
	return letters, err
}
