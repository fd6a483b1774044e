package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// document is GET /openapi.json.
func document(c *call) (*answer, error) {
	return &answer{text: c.s.document, media: "application/json"}, nil
}

type object = map[string]any

// openAPI writes the document from the table. The scheme is how who asks is known: none,
// where anybody may ask.
func openAPI(all []endpoint, version string, scheme object) ([]byte, error) {
	s := &schemas{named: object{}, scheme: scheme}
	paths := object{}
	for i := range all {
		e := &all[i]
		at, _ := paths[e.path].(object)
		if at == nil {
			at = object{}
			paths[e.path] = at
		}
		at[strings.ToLower(e.method)] = s.operation(e)
	}
	s.of(reflect.TypeFor[problem]())
	components := object{"schemas": s.named}
	if scheme != nil {
		components["securitySchemes"] = object{schemeName: scheme}
	}
	return json.MarshalIndent(object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Cepheus", "version": version, "description": "Rules that change while they run, events in, alerts out."},
		"paths":      paths,
		"components": components,
	}, "", " ")
}

// schemeName is that of the only security scheme.
const schemeName = "who"

// scheme is how those are known who ask, as OpenAPI says it.
func (g *gate) scheme() object {
	switch {
	case g.open():
		return nil
	case len(g.tokens) > 0:
		return object{"type": "http", "scheme": "bearer"}
	}
	return object{"type": "mutualTLS"}
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (s *schemas) operation(e *endpoint) object {
	op := object{"operationId": e.id, "summary": e.summary, "responses": s.responses(e)}
	if e.scope != scopeNone && s.scheme != nil {
		op["security"] = []object{{schemeName: []string{}}}
		op["description"] = "Scope: " + strings.Replace(e.scope, scopeAny, "any token", 1) + "."
	}
	if params := parameters(e); len(params) > 0 {
		op["parameters"] = params
	}
	if e.body != nil {
		content := object{}
		for _, media := range e.media() {
			content[media] = object{"schema": s.ofBody(e, media)}
		}
		op["requestBody"] = object{"required": true, "content": content}
	}
	return op
}

func (e *endpoint) media() []string {
	if e.bodyMedia == nil {
		return []string{"application/json"}
	}
	return e.bodyMedia
}

// ofBody is the schema of a body of a media type: lines are not JSON as a whole.
func (s *schemas) ofBody(e *endpoint, media string) object {
	if media == mediaLines || media == mediaLines2 {
		return object{"type": "string", "description": "A JSON object a line."}
	}
	return s.of(reflect.TypeOf(e.body))
}

// someEvents is the body that holds events.
type someEvents struct{}

func parameters(e *endpoint) []object {
	var all []object
	for _, m := range pathParam.FindAllStringSubmatch(e.path, -1) {
		all = append(all, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, q := range e.query {
		all = append(all, object{"name": q.name, "in": "query", "description": q.doc, "schema": q.schema()})
	}
	if e.precondition {
		all = append(all, object{"name": "If-Match", "in": "header", "required": true, "description": "The ETag of the version that is to be changed, or *.", "schema": object{"type": "string", "pattern": tagPattern}})
	}
	return all
}

func (q *param) schema() object {
	switch {
	case q.number:
		return object{"type": "integer", "minimum": 0, "maximum": or(q.most, numberMost)}
	case q.values != nil:
		return object{"type": "string", "enum": q.values}
	case q.pattern != "":
		return object{"type": "string", "pattern": q.pattern}
	case q.time:
		return object{"type": "string", "format": "date-time"}
	case q.many:
		return object{"type": "array", "items": object{"type": "string"}}
	}
	return object{"type": "string"}
}

func (s *schemas) responses(e *endpoint) object {
	success := object{"description": http.StatusText(or(e.status, 200))}
	switch {
	case e.out != nil:
		success["content"] = object{"application/json": object{"schema": s.of(reflect.TypeOf(e.out))}}
	case e.outMedia != "":
		success["content"] = object{e.outMedia: object{"schema": object{"type": "string"}}}
	}
	all := object{strconv.Itoa(or(e.status, 200)): success}
	for status, out := range e.other {
		all[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(out))}}}
	}
	if e.id == "pushEvents" {
		all["200"] = success
	}
	if strings.Contains(e.id, "Rule") && e.method == "GET" {
		all["304"] = object{"description": "It is the version that If-None-Match names."}
	}
	for _, status := range e.statuses() {
		all[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": object{problemMedia: object{"schema": object{"$ref": "#/components/schemas/problem"}}}}
	}
	return all
}

// statuses are those of problems: of the route, and of any.
func (e *endpoint) statuses() []int {
	all := append([]int{400, 421, 500, 503}, e.problems...)
	if e.scope != scopeNone {
		all = append(all, 401, 403, 429)
	}
	if e.body != nil {
		all = append(all, 408)
	}
	return all
}

// schemas makes JSON Schemas of Go types, as encoding/json writes them.
type schemas struct{ named, scheme object }

func (s *schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t == reflect.TypeFor[someEvents]():
		one := object{"type": "object"}
		return object{"oneOf": []object{one, {"type": "array", "items": one}}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{s.of(t.Elem()), {"type": "null"}}}
	case reflect.Struct:
		return s.ref(t)
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	}
	panic("api: no schema for " + t.String())
}

// ref describes a struct by its name, once.
func (s *schemas) ref(t reflect.Type) object {
	name := strings.ReplaceAll(t.String(), "api.", "")
	if s.named[name] == nil {
		s.named[name] = object{} // so that a struct within itself ends
		s.named[name] = s.structure(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (s *schemas) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		name = or(name, f.Name)
		of := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			of["description"] = doc
		}
		bound(of, f)
		properties[name] = of
		if !tagged || !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// bound says what the tags min and max say: of a number, or of how many there are of a list.
func bound(of object, f reflect.StructField) {
	names := map[string]string{"min": "minimum", "max": "maximum"}
	if f.Type.Kind() == reflect.Slice {
		names = map[string]string{"min": "minItems", "max": "maxItems"}
	}
	for tag, name := range names {
		if n, err := strconv.Atoi(f.Tag.Get(tag)); err == nil {
			of[name] = n
		}
	}
}
