package config

import (
	"reflect"
	"strings"
)

// Key is one key of the file, as documents show it.
type Key struct {
	Path     string // names of the file's own as NAME: sources.NAME.kafka.brokers
	Type     string // in words: duration, list of paths, one of a, b
	Help     string
	Default  string // as it is written; empty: none
	Bounds   string // in words; empty: none
	Required bool
}

// Keys returns all keys that a configuration may have, in the order of the structs.
func Keys() []Key { return keysOf(reflect.TypeFor[Config](), "") }

func keysOf(t reflect.Type, above string) (all []Key) {
	for _, f := range fieldsOf(t) {
		if f.tag.Get("later") != "" {
			continue
		}
		ft := t.Field(f.index).Type
		path := join(above, f.name)
		all = append(all, Key{
			Path: path, Type: typeName(ft, f.tag), Help: f.tag.Get("help"),
			Default: f.tag.Get("default"), Bounds: bounds(f.tag), Required: f.tag.Get("required") != "",
		})
		all = append(all, below(ft, path)...)
	}
	return all
}

// below returns the keys of what a field holds.
func below(t reflect.Type, path string) []Key {
	switch {
	case isScalar(t):
		return nil
	case t.Kind() == reflect.Pointer:
		return below(t.Elem(), path)
	case t.Kind() == reflect.Struct:
		return keysOf(t, path)
	case t.Kind() == reflect.Slice:
		return below(t.Elem(), path+"[]")
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Pointer:
		return below(t.Elem(), path+".NAME")
	}
	return nil
}

func typeName(t reflect.Type, tag reflect.StructTag) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Path]():
		return "path"
	case reflect.TypeFor[Ratio]():
		return "number from 0 to 1"
	case reflect.TypeFor[Start]():
		return "earliest, latest or a time"
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Struct:
		return "keys"
	case reflect.Slice:
		return "list of " + plural(typeName(t.Elem(), tag))
	case reflect.Map:
		return plural(typeName(t.Elem(), "")) + " by name"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	if all := tag.Get("enum"); all != "" {
		return strings.ReplaceAll(all, ",", ", ")
	}
	return "text"
}

func plural(name string) string {
	if name == "keys" || strings.Contains(name, ",") {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "list of "); ok {
		return "lists of " + rest
	}
	return name + "s"
}

// shown is a default as documents and the schema show it.
func shown(text string) string { return strings.ReplaceAll(text, "_", "") }
