package config

import (
	"reflect"
	"slices"
)

// Changed returns the keys in which two configurations differ, in order; keys that one of
// them does not have at all are named by the first that is missing. It names no values.
func Changed(a, b *Config) []string {
	var all []string
	differ(reflect.ValueOf(*a), reflect.ValueOf(*b), "", &all)
	slices.Sort(all)
	return all
}

func differ(a, b reflect.Value, key string, all *[]string) {
	switch {
	case isScalar(a.Type()):
		if !same(a.Interface(), b.Interface()) {
			*all = append(*all, key)
		}
	case a.Kind() == reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				*all = append(*all, key)
			}
			return
		}
		differ(a.Elem(), b.Elem(), key, all)
	case a.Kind() == reflect.Struct:
		for _, f := range fieldsOf(a.Type()) {
			differ(a.Field(f.index), b.Field(f.index), join(key, f.name), all)
		}
	case a.Kind() == reflect.Map:
		differNames(a, b, key, all)
	case a.Kind() == reflect.Slice:
		differLists(a, b, key, all)
	case !a.Equal(b):
		*all = append(*all, key)
	}
}

func differNames(a, b reflect.Value, key string, all *[]string) {
	for _, name := range a.MapKeys() {
		below := join(key, name.String())
		if other := b.MapIndex(name); other.IsValid() {
			differ(a.MapIndex(name), other, below, all)
		} else {
			*all = append(*all, below)
		}
	}
	for _, name := range b.MapKeys() {
		if !a.MapIndex(name).IsValid() {
			*all = append(*all, join(key, name.String()))
		}
	}
}

// differLists names the list: its elements have no names.
func differLists(a, b reflect.Value, key string, all *[]string) {
	var within []string
	for i := range min(a.Len(), b.Len()) {
		differ(a.Index(i), b.Index(i), key, &within)
	}
	if a.Len() != b.Len() || len(within) > 0 {
		*all = append(*all, key)
	}
}

func same(a, b any) bool {
	switch a := a.(type) {
	case Secret:
		return a.Equal(b.(Secret))
	case Start:
		other := b.(Start)
		return a.Latest == other.Latest && a.At.Equal(other.At)
	case Path:
		return a.Name == b.(Path).Name
	}
	return a == b
}
