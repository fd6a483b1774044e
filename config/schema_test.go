package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// valid is as much of a JSON Schema validator as Schema needs; of a keyword that it does
// not know it says so.
func valid(schema object, v any) (bool, error) {
	for name, want := range schema {
		ok, err := keyword(schema, name, want, v)
		if err != nil || !ok {
			return ok, err
		}
	}
	return true, nil
}

func keyword(schema object, name string, want, v any) (bool, error) {
	m, isMap := v.(map[string]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	all, isList := v.([]any)
	switch name {
	case "$schema", "title", "description", "default":
		return true, nil
	case "type":
		return slices.Contains(texts(want), typeOf(v)) || typeOf(v) == "integer" && slices.Contains(texts(want), "number"), nil
	case "enum":
		return slices.ContainsFunc(want.([]any), func(e any) bool { return e == v }), nil
	case "pattern":
		return !isText || regexp.MustCompile(want.(string)).MatchString(text), nil
	case "minLength":
		return !isText || len(text) >= int(want.(float64)), nil
	case "minItems":
		return !isList || len(all) >= int(want.(float64)), nil
	case "minimum":
		return !isNumber || number >= want.(float64), nil
	case "maximum":
		return !isNumber || number <= want.(float64), nil
	case "required":
		return !isMap || !slices.ContainsFunc(texts(want), func(k string) bool { _, ok := m[k]; return !ok }), nil
	case "anyOf", "oneOf":
		n, err := howMany(want.([]any), v)
		return n == 1 || n > 1 && name == "anyOf", err
	case "items":
		for _, e := range all {
			if ok, err := valid(want.(object), e); err != nil || !ok {
				return ok, err
			}
		}
		return true, nil
	case "properties", "additionalProperties":
		return !isMap || membersValid(schema, m), nil
	}
	return false, fmt.Errorf("keyword %q", name)
}

func howMany(schemas []any, v any) (n int, err error) {
	for _, s := range schemas {
		ok, err := valid(s.(object), v)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

func membersValid(schema object, m map[string]any) bool {
	properties, _ := schema["properties"].(object)
	for k, v := range m {
		s, known := properties[k]
		if !known {
			s = schema["additionalProperties"]
		}
		if below, ok := s.(object); ok {
			if ok, err := valid(below, v); err != nil || !ok {
				return false
			}
		} else if s == false {
			return false
		}
	}
	return true
}

func texts(v any) (all []string) {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	for _, s := range v.([]any) {
		all = append(all, s.(string))
	}
	return all
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func schemaOfFile(t *testing.T) (s object) {
	t.Helper()
	text, err := Schema()
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fits holds a file against the schema, as an editor does.
func fits(t *testing.T, schema object, text string) bool {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	var v any
	if err == nil {
		err = json.Unmarshal(j, &v)
	}
	if err != nil {
		t.Fatalf("%v of\n%s", err, text)
	}
	ok, err := valid(schema, v)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestSchemaIsThatOfTheStructs: what is read fits it, and what one section refuses does not.
func TestSchemaIsThatOfTheStructs(t *testing.T) {
	schema := schemaOfFile(t)
	for _, text := range []string{whole, least, least + "limits:\n", least + "limits: { waiting: \"${N:-5}\" }", least + "state: { dir: 5, sync: \"${S:-true}\" }"} {
		if _, err := parse(text, "KAFKA_PASSWORD", "p", "conf/hook", "https://h", "conf/trace", "t"); err != nil {
			t.Fatal(err)
		}
		if !fits(t, schema, text) {
			t.Errorf("is read and does not fit the schema:\n%s", text)
		}
	}
	for _, c := range [][2]string{
		{"rules: [rules", "rule: [rules"},
		{"rules: [rules/fraud, /etc/more.cep]", "rules: []"},
		{"dir: data, ", ""},
		{"commit: 500ms", "commit: 500"},
		{"cache: 1GiB", "cache: 1Gb"},
		{"sync: false", "sync: no"},
		{"brokers: [", "broker: ["},
		{"start: 2026", "start: at 2026"},
		{"mechanism: SCRAM-SHA-256", "mechanism: SCRAM"},
		{"out_of_range: stop", "out_of_range: end"},
		{"skip_damaged: true", "skip_damaged: 1"},
		{"format: csv", "format: cvs"},
		{"pipe: { stdin: }", "pipe: {}"},
		{"pipe: { stdin: }", "pipe: { stdin: , file: { paths: [a] } }"},
		{"url: { file: hook }", "url: { path: hook }"},
		{"batch: 1_000", "batch: 0"},
		{"waiting: 7", "waiting: many"},
	} {
		text := strings.Replace(whole, c[0], c[1], 1)
		if text == whole {
			t.Fatalf("no %q in the file", c[0])
		}
		if fits(t, schema, text) {
			t.Errorf("%q fits", c[1])
		}
	}
}

// TestSchemaHasEveryKey and no other: those that documents have.
func TestSchemaHasEveryKey(t *testing.T) {
	var inSchema, inKeys []string
	walkSchema(schemaOfFile(t), "", &inSchema)
	for _, k := range Keys() {
		inKeys = append(inKeys, k.Path)
		if k.Help == "" {
			t.Errorf("%s has no help", k.Path)
		}
	}
	slices.Sort(inSchema)
	slices.Sort(inKeys)
	if !slices.Equal(inSchema, inKeys) {
		t.Errorf("the schema has\n%s\nthe structs have\n%s", inSchema, inKeys)
	}
}

func walkSchema(s object, above string, all *[]string) {
	properties, _ := s["properties"].(object)
	for name, p := range properties {
		path := join(above, name)
		*all = append(*all, path)
		if _, secret := p.(object)["anyOf"]; !secret {
			walkSchema(p.(object), path, all)
		}
	}
	if below, ok := s["additionalProperties"].(object); ok && below["properties"] != nil {
		walkSchema(below, above+".NAME", all)
	}
	if items, ok := s["items"].(object); ok && items["properties"] != nil {
		walkSchema(items, above+"[]", all)
	}
}
