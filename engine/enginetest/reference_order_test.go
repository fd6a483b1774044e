package enginetest

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// occurrence is an event of the reference. own is the time it says it has, time the
// one it is taken at: greater where it is late. seq is its place in the order of
// processing.
type occurrence struct {
	kind   string
	fields map[string]any
	own    int64
	time   int64
	id     string
	source string
	offset int
	seq    int
	raw    string

	key     any // beside the record; nil: none
	headers headers
}

// headers are those of a record.
type headers map[string]string

func (h headers) field(name string) any {
	if v, ok := h[name]; ok {
		return v
	}
	return nil
}

func (e *occurrence) field(name string) any {
	if e == nil {
		return nil
	}
	return e.fields[name]
}

func (e *occurrence) meta(name string) any {
	if e == nil {
		return nil
	}
	return map[string]any{"type": e.kind, "id": e.id, "time": instant(e.own), "source": e.source, "key": e.key, "headers": e.headers}[name]
}

const (
	never   = math.MinInt64
	forever = math.MaxInt64
)

// arrivals is the whole input in the order in which rules see it, how far time has come
// when all of it is read, and how many events are processed by then; the others wait.
type arrivals struct {
	events    []*occurrence
	watermark int64
	released  int
}

// arrive reads all streams and puts their events in order: by time, then source, then
// offset. Within a partition this is the order of time, ties by arrival, since a late
// event gets the watermark for its time.
//
// A partition at its end is left out of the least watermark, as an idle one, so that in
// the end the one that went furthest says how far time has come.
func arrive(types map[string]*syntax.Event, streams []Stream) *arrivals {
	a := &arrivals{watermark: never}
	var lateness int64
	for _, t := range types {
		if t.Lateness != nil {
			lateness = max(lateness, t.Lateness.Nanos)
		}
	}
	for _, s := range streams {
		events, watermark := partition(types, s, lateness)
		a.events, a.watermark = append(a.events, events...), max(a.watermark, watermark)
	}
	slices.SortFunc(a.events, func(x, y *occurrence) int {
		return cmp.Or(cmp.Compare(x.time, y.time), strings.Compare(x.source, y.source), cmp.Compare(x.offset, y.offset))
	})
	for _, e := range a.events {
		a.released += btoi(e.time <= a.watermark)
	}
	return a
}

// partition reads one stream and returns its events, late ones raised or left out, and
// its last watermark.
func partition(types map[string]*syntax.Event, s Stream, lateness int64) ([]*occurrence, int64) {
	var out []*occurrence
	watermark := int64(never)
	for i, record := range s.Records {
		e := decode(types, record)
		if e == nil {
			continue
		}
		e.source, e.offset, e.time = s.Name, i, e.own
		if s.Beside != nil {
			key, pairs := s.Beside(record)
			if e.headers = pairs; key != nil {
				e.key = string(key)
			}
		}
		if late := types[e.kind].Late; e.own >= watermark || late == nil || !late.Drop {
			e.time = max(e.own, watermark)
			out = append(out, e)
		}
		watermark = max(watermark, e.own-lateness)
	}
	return out, watermark
}

// decode reads a record; nil where it is no event of a declared type, or cannot be read.
func decode(types map[string]*syntax.Event, record string) *occurrence {
	d := json.NewDecoder(strings.NewReader(record))
	d.UseNumber()
	var raw map[string]any
	if d.Decode(&raw) != nil {
		return nil
	}
	kind, _ := raw["type"].(string)
	decl := types[kind]
	if decl == nil {
		return nil
	}
	e := &occurrence{kind: kind, fields: map[string]any{}, raw: record}
	for _, f := range decl.Fields {
		e.fields[f.Name.Text] = typed(f.Type.Name.Text, raw[f.Name.Text])
	}
	own, ok := timeOf(decl, raw)
	if !ok {
		return nil
	}
	e.own = own
	if decl.ID != nil {
		if e.id, ok = raw[decl.ID.Text].(string); !ok {
			return nil
		}
	}
	return e
}

// typed gives a field its declared type; what is of another type is nil.
func typed(kind string, v any) any {
	switch v := v.(type) {
	case bool:
		if kind == "bool" {
			return v
		}
	case string:
		if kind == "string" {
			return v
		}
		if kind == "time" {
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return instant(t.UnixNano())
			}
		}
	case json.Number:
		if i, err := v.Int64(); err == nil && kind == "int" {
			return i
		}
		if f, err := v.Float64(); err == nil && kind == "float" {
			return f
		}
	}
	return nil
}

func timeOf(decl *syntax.Event, raw map[string]any) (int64, bool) {
	switch v := raw[decl.Time.Field.Text].(type) {
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UnixNano(), err == nil && decl.Time.Unit.Text == ""
	case json.Number:
		n, err := v.Int64()
		return n * unitNanos[decl.Time.Unit.Text], err == nil && decl.Time.Unit.Text != ""
	}
	return 0, false
}
