package config

import (
	"reflect"
	"testing"
)

// TestEveryKindIsWhole: a kind that lacks a method would end the process where it is first
// used, for it is found by its name.
func TestEveryKindIsWhole(t *testing.T) {
	for of, want := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[Sink](): reflect.TypeFor[SinkKind](), reflect.TypeFor[Source](): reflect.TypeFor[SourceKind](),
	} {
		for _, f := range reflect.VisibleFields(of) {
			if f.Tag.Get("kind") != "" && !f.Type.Implements(want) {
				t.Errorf("%s does not have the methods of %s", f.Type, want)
			}
		}
	}
}
