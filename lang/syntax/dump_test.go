package syntax

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// dump writes declarations in a compact form, one a line: what is zero is left out,
// and so are spans; expressions stand in <>, names and texts as they mean.
func dump(f *File) string {
	var b strings.Builder
	for _, d := range f.Decls {
		dumpValue(&b, reflect.ValueOf(d))
		b.WriteByte('\n')
	}
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Name:
		b.WriteString(x.Text)
		return
	case Text:
		fmt.Fprintf(b, "%q", x.Value)
		return
	case Duration:
		b.WriteString(time.Duration(x.Nanos).String())
		return
	case Number:
		fmt.Fprint(b, x.Value)
		return
	case Expr:
		b.WriteString("<" + x.Span.Text() + ">")
		return
	case WindowKind:
		b.WriteString([...]string{"sliding", "last", "tumbling", "hopping", "session", "batch"}[x])
		return
	case PatternKind:
		b.WriteString([...]string{"step", "seq", "or", "and", "any"}[x])
		return
	case Select:
		b.WriteString(selectWords[x])
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		dumpValue(b, v.Elem())
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(' ')
			}
			dumpValue(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Struct:
		dumpStruct(b, v)
	default:
		fmt.Fprintf(b, "%v", v.Interface())
	}
}

func dumpStruct(b *strings.Builder, v reflect.Value) {
	b.WriteString(v.Type().Name() + "{")
	sep := ""
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Type == reflect.TypeFor[source.Span]() || f.Name == "Clauses" || f.Name == "Damage" || f.Name == "Partial" || empty(v.Field(i)) {
			continue
		}
		b.WriteString(sep + f.Name + ":")
		sep = " "
		dumpValue(b, v.Field(i))
	}
	b.WriteByte('}')
}

// empty reports what dump leaves out: zero values and names that were not written.
// Kinds and modes are written where they are zero too.
func empty(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case Name:
		return x.Text == ""
	case WindowKind, PatternKind, Select:
		return false
	}
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// spans calls f with every span of the AST that names a place.
func spans(v reflect.Value, f func(path string, s source.Span)) {
	eachSpan(v, "", f)
}

func eachSpan(v reflect.Value, path string, f func(path string, s source.Span)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*source.File]() {
			eachSpan(v.Elem(), path, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachSpan(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	case reflect.Struct:
		if s, ok := v.Interface().(source.Span); ok {
			if s.Known() {
				f(path, s)
			}
			return
		}
		for i := range v.NumField() {
			eachSpan(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	}
}
