package check_test

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// TestPlansOfRulesHoldNoText looks for strings in the plans of rules that are a part of
// the text that the rules were written in: one of them would keep the whole of it.
func TestPlansOfRulesHoldNoText(t *testing.T) {
	events := parsed(t, "e.cep", prelude)
	rules := parsed(t, "r.cep", `
rule first "a title" {
    severity high  tags one, "two"  label team "fraud"  runbook "https://x"  to ops
    let twice = n * 2
    from a, b where k in ["x", "y"] and twice > 3 or s == "some text"
    by k as key_name, s
    window w sliding 5m  window v last 3
    having count(w) > 3
    emit { total: sum(v.n)  r: { inner: n, other: { deep: s } } }
    suppress 5m by s
}
rule second { by k match one: a[n > 3]+ -> two: b[s == "z"] within 5m until c emit { n: two.n, k: last(one).s } }
rule third { from a by k window tumbling 1d in "Europe/Paris" having count() > 3 emit { start: window.start } }`)
	set, errs := check.Check([]*syntax.File{events, rules})
	if set == nil {
		t.Fatal(errs)
	}
	for _, r := range set.Rules {
		eachString(reflect.ValueOf(r), r.Name, func(path, s string) {
			if within(s, rules.Source.Text) {
				t.Errorf("%s: %q is a part of the text", path, s)
			}
		})
	}
}

func parsed(t *testing.T, name, text string) *syntax.File {
	t.Helper()
	f, errs := syntax.Parse(&source.File{Name: name, Text: strings.Clone(text)})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	return f
}

// within reports whether the bytes of s are those of a text.
func within(s, text string) bool {
	at, start := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(text)))
	return len(s) > 0 && at >= start && at < start+uintptr(len(text))
}

// eachString visits all strings that a value holds.
func eachString(v reflect.Value, path string, visit func(path, s string)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			eachString(v.Elem(), path, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachString(v.Index(i), path, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachString(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	}
}
