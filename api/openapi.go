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

// openAPI writes the document from the table.
func openAPI(all []endpoint, version string) ([]byte, error) {
	s := &schemas{named: object{}}
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
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info":    object{"title": "Cepheus", "version": version, "description": "Rules that change while they run, events in, alerts out."},
		"paths":   paths,
		"components": object{
			"schemas":         s.named,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
	}, "", " ")
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (s *schemas) operation(e *endpoint) object {
	op := object{"operationId": e.id, "summary": e.summary, "responses": s.responses(e)}
	if e.scope != scopeNone {
		op["security"] = []object{{"token": []string{}}}
		op["description"] = "Scope: " + strings.Replace(e.scope, scopeAny, "any token", 1) + "."
	}
	if params := parameters(e); len(params) > 0 {
		op["parameters"] = params
	}
	if e.body != nil {
		content := object{}
		for _, media := range e.media() {
			content[media] = object{"schema": s.of(reflect.TypeOf(e.body))}
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

func parameters(e *endpoint) []object {
	var all []object
	for _, m := range pathParam.FindAllStringSubmatch(e.path, -1) {
		all = append(all, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, q := range e.query {
		all = append(all, object{"name": q.name, "in": "query", "description": q.doc, "schema": q.schema()})
	}
	if e.precondition {
		all = append(all, object{"name": "If-Match", "in": "header", "required": true, "description": "The ETag of the version that is to be changed, or *.", "schema": object{"type": "string"}})
	}
	return all
}

func (q *param) schema() object {
	switch {
	case q.number:
		return object{"type": "integer", "minimum": 0}
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
type schemas struct{ named object }

func (s *schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
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
		properties[name] = of
		if !tagged || !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
