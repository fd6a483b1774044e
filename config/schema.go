package config

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Schema returns a JSON Schema (draft 2020-12) of the file, for editors: made from the
// structs, so it knows the keys that Parse knows. Parse refuses more: what depends on
// several keys, or on the environment.
func Schema() ([]byte, error) {
	s := schemaOf(reflect.TypeFor[Config](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of Cepheus"
	return json.MarshalIndent(s, "", "  ")
}

type object = map[string]any

// variables is the form of a text that the environment has a part in; it may stand for a
// value of any type.
const variables = `\$\{`

func schemaOf(t reflect.Type, tag reflect.StructTag) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), tag)
	case isScalar(t):
		return scalarSchema(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), "")}
	case reflect.Slice:
		return object{"type": "array", "minItems": 1, "items": schemaOf(t.Elem(), tag)}
	case reflect.Bool:
		return orVariable(object{"type": "boolean"}, object{"type": "string", "pattern": "^(true|false)$"})
	case reflect.Int:
		return numberSchema(t, tag)
	}
	if all := tag.Get("enum"); all != "" {
		return orVariable(object{"enum": strings.Split(all, ",")})
	}
	return object{"type": []string{"string", "number", "boolean"}}
}

// orVariable allows what one of the schemas does, and a text with a variable in it.
func orVariable(schemas ...object) object {
	return object{"anyOf": append(schemas, object{"type": "string", "pattern": variables})}
}

func numberSchema(t reflect.Type, tag reflect.StructTag) object {
	n := object{"type": "integer"}
	for name, key := range map[string]string{"min": "minimum", "max": "maximum"} {
		if tag.Get(name) != "" {
			n[key] = bound(t, tag, name)
		}
	}
	return orVariable(n, object{"type": "string", "pattern": `^[0-9_]+$`})
}

func scalarSchema(t reflect.Type) object {
	text := func(pattern string) object { return orVariable(object{"type": "string", "pattern": pattern}) }
	switch t {
	case reflect.TypeFor[Duration]():
		return text(`^([0-9]+d|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+|0)$`)
	case reflect.TypeFor[Size]():
		return text(`^[0-9.]+ *([KMGT]iB|[kKMGT]?B)$`)
	case reflect.TypeFor[Start]():
		return text(`^(earliest|latest|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)$`)
	case reflect.TypeFor[Ratio]():
		return orVariable(object{"type": "number", "minimum": 0, "maximum": 1}, object{"type": "string", "pattern": `^[0-9.eE+-]+$`})
	case reflect.TypeFor[Secret]():
		file := object{
			"type": "object", "required": []string{"file"}, "additionalProperties": false,
			"properties": object{"file": object{"type": "string", "description": "the file that holds it"}},
		}
		return object{"anyOf": []object{{"type": []string{"string", "number", "boolean"}}, file}}
	}
	return object{"type": []string{"string", "number", "boolean"}, "minLength": 1}
}

func structSchema(t reflect.Type) object {
	properties, required, kinds := object{}, []string{}, []object{}
	for _, f := range fieldsOf(t) {
		if f.tag.Get("later") != "" {
			continue
		}
		p := schemaOf(t.Field(f.index).Type, f.tag)
		p["description"] = describe(f.tag)
		if text, ok := f.tag.Lookup("default"); ok {
			p["default"] = defaultValue(t.Field(f.index).Type, text)
		}
		properties[f.name] = p
		if f.tag.Get("required") != "" {
			required = append(required, f.name)
		}
		if f.tag.Get("kind") != "" {
			kinds = append(kinds, object{"required": []string{f.name}})
		}
	}
	s := object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"], s["type"] = required, "object"
	}
	if len(kinds) > 0 {
		s["oneOf"], s["type"] = kinds, "object"
	}
	return s
}

func describe(tag reflect.StructTag) string {
	if b := bounds(tag); b != "" {
		return tag.Get("help") + " " + strings.ToUpper(b[:1]) + shown(b[1:]) + "."
	}
	return tag.Get("help")
}

// defaultValue is a default as JSON has it.
func defaultValue(t reflect.Type, text string) any {
	switch t.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Int:
		n, err := strconv.Atoi(shown(text))
		if err == nil {
			return n
		}
	}
	return text
}
