package machine

import "reflect"

// Hanging is the room in bytes that hangs on a key beside its own value: slices, strings,
// maps and what pointers lead to. What keys of a shard share is not part of it: see
// [Context.Bytes].
func (p *Pattern) Hanging(k *PatternKey) int64 { return hangingOn(k) }

// Hanging is [Pattern.Hanging] for a key of windows.
func (w *Window) Hanging(k *WindowKey) int64 { return hangingOn(k) }

// Hanging is [Pattern.Hanging] for a key of windows that are looked at when they end.
func (b *Bucket) Hanging(k *BucketKey) int64 { return hangingOn(k) }

// Hanging is [Pattern.Hanging] for a row.
func (p *Projection) Hanging(k *ProjectionKey) int64 { return hangingOn(k) }

func hangingOn(p any) int64 { return hanging(reflect.ValueOf(p).Elem()) }

// shared is what keys only point to.
var shared = reflect.TypeFor[*lineStore]()

func hanging(v reflect.Value) int64 {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Type() == shared {
			return 0
		}
		return int64(v.Type().Elem().Size()) + hanging(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int64(v.Elem().Type().Size()) + hanging(v.Elem())
	case reflect.String:
		return int64(v.Len())
	case reflect.Slice:
		return int64(v.Cap())*int64(v.Type().Elem().Size()) + elements(v)
	case reflect.Array:
		return elements(v)
	case reflect.Struct:
		var n int64
		for i := range v.NumField() {
			n += hanging(v.Field(i))
		}
		return n
	case reflect.Map:
		return mapBytes(v)
	}
	return 0
}

func elements(v reflect.Value) int64 {
	if isPlain(v.Type().Elem().Kind()) {
		return 0
	}
	var n int64
	for i := range v.Len() {
		n += hanging(v.Index(i))
	}
	return n
}

func mapBytes(v reflect.Value) int64 {
	t := v.Type()
	n := int64(v.Len()) * int64(t.Key().Size()+t.Elem().Size()+1) * 8 / 7
	for it := v.MapRange(); it.Next(); {
		n += hanging(it.Key()) + hanging(it.Value())
	}
	return n
}

// isPlain reports whether nothing hangs on values of a kind.
func isPlain(k reflect.Kind) bool { return k >= reflect.Bool && k <= reflect.Complex128 }
