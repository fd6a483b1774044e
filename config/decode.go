package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// decoder fills structs from a tree and gathers what is wrong.
type decoder struct {
	o      Options
	file   string
	dir    string // that relative paths start from
	faults Faults
	places map[string]Place // by key
}

// checked is a struct with rules beyond those of its tags. check runs after decoding,
// whatever was wrong within.
type checked interface{ check(at section) }

// section is the mapping that a struct was read from.
type section struct {
	d   *decoder
	key string
}

// fault says what is wrong at a key of the section, or, where that is not there, or empty,
// at the section itself.
func (s section) fault(name, format string, args ...any) {
	key := join(s.key, name)
	s.d.fault(s.d.place(key), key, format, args...)
}

// has reports whether a key of the section is in the file.
func (s section) has(name string) bool {
	_, ok := s.d.places[join(s.key, name)]
	return ok
}

// faulty reports whether something is wrong at or below a key of the section.
func (s section) faulty(name string) bool {
	key := join(s.key, name)
	return slices.ContainsFunc(s.d.faults, func(f Fault) bool { return strings.HasPrefix(f.Key+".", key+".") })
}

func join(key, name string) string {
	switch {
	case key == "":
		return name
	case name == "":
		return key
	}
	return key + "." + name
}

// place is where a key stands, or the nearest one above it that is in the file.
func (d *decoder) place(key string) Place { return nearest(d.places, key, d.file) }

func nearest(places map[string]Place, key, file string) Place {
	for key != "" {
		if p, ok := places[key]; ok {
			return p
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return Place{File: file}
}

func (d *decoder) fault(at Place, key, format string, args ...any) {
	d.faults = append(d.faults, Fault{at, key, fmt.Sprintf(format, args...)})
}

// placeOf is where a node begins.
func (d *decoder) placeOf(n ast.Node) Place {
	switch of := n.(type) {
	case *ast.MappingValueNode:
		return d.placeOf(of.Key)
	case *ast.MappingNode:
		if !of.IsFlowStyle && len(of.Values) > 0 {
			return d.placeOf(of.Values[0].Key)
		}
	}
	at := n.GetToken().Position
	return Place{d.file, at.Line, at.Column}
}

// value reads a node into v, which can be set.
func (d *decoder) value(n ast.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if d.refused(n, key) {
		return
	}
	switch into := v.Addr().Interface().(type) {
	case *Secret:
		d.secret(n, into, key)
		return
	case scalar:
		d.scalar(n, v, key, tag)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, key)
	case reflect.Map:
		d.names(n, v, key)
	case reflect.Slice:
		d.list(n, v, key, tag)
	default:
		d.scalar(n, v, key, tag)
	}
}

// refused refuses what YAML has and a configuration does not need: it is read by people.
func (d *decoder) refused(n ast.Node, key string) bool {
	what := ""
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		what = "anchors and aliases (& and *) are not taken; write the value out, or put it into \"…\" where it begins with such a sign"
	case *ast.TagNode:
		what = "tags (!) are not taken; put the value into \"…\" where it begins with that sign"
	default:
		return false
	}
	d.fault(d.placeOf(n), key, "%s", what)
	return true
}

// entries returns the entries of a mapping; a key with nothing behind it has none.
func (d *decoder) entries(n ast.Node, key string) (all []*ast.MappingValueNode, ok bool) {
	switch of := n.(type) {
	case *ast.NullNode:
		return nil, true
	case *ast.MappingNode:
		return of.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{of}, true
	}
	d.fault(d.placeOf(n), key, "want keys with values, as { key: value }, and found %s", kindOf(n))
	return nil, false
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	return "one value"
}

// structure reads a mapping whose keys are the fields of a struct.
func (d *decoder) structure(n ast.Node, v reflect.Value, key string) {
	entries, ok := d.entries(n, key)
	if !ok {
		return
	}
	fields, given := fieldsOf(v.Type()), map[string]bool{}
	for _, e := range entries {
		name := e.Key.GetToken().Value
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if at < 0 {
			d.unknown(e, key, fields)
			continue
		}
		given[name] = true
		d.places[join(key, name)] = d.placeOf(e.Key)
		f := fields[at]
		d.value(e.Value, v.Field(f.index), join(key, name), f.tag)
		if why := f.tag.Get("later"); why != "" {
			d.fault(d.placeOf(e.Key), join(key, name), "is not there yet: %s", why)
		}
	}
	d.absent(v, key, fields, given)
	if c, ok := v.Addr().Interface().(checked); ok {
		c.check(section{d, key})
	}
}

func (d *decoder) unknown(e *ast.MappingValueNode, key string, fields []field) {
	name, names := e.Key.GetToken().Value, []string{}
	if _, merge := e.Key.(*ast.MergeKeyNode); merge {
		d.fault(d.placeOf(e.Key), key, "merging (<<) is not taken; write the keys out")
		return
	}
	for _, f := range fields {
		names = append(names, f.name)
	}
	mend := "there are " + strings.Join(names, ", ")
	if near, ok := source.Near(name, names); ok {
		mend = fmt.Sprintf("did you mean %q?", near)
	}
	d.fault(d.placeOf(e.Key), key, "unknown key %q; %s", clip(name), mend)
}

// absent fills in the defaults of keys that are not in the file.
func (d *decoder) absent(v reflect.Value, key string, fields []field, given map[string]bool) {
	for _, f := range fields {
		switch text, ok := f.tag.Lookup("default"); {
		case given[f.name]:
		case f.tag.Get("required") != "":
			d.fault(d.place(key), key, "the key %s is missing: %s", f.name, f.tag.Get("help"))
		case ok:
			mustSet(v.Field(f.index), text)
		case v.Field(f.index).Kind() == reflect.Struct && !isScalar(v.Field(f.index).Type()):
			d.absent(v.Field(f.index), join(key, f.name), fieldsOf(v.Field(f.index).Type()), nil)
		}
	}
}

// mustSet sets a default, which is right, or the tag is wrong.
func mustSet(v reflect.Value, text string) {
	if err := setText(v, text); err != nil {
		panic(fmt.Sprintf("config: default %q: %v", text, err))
	}
}

// names reads a mapping whose keys are names of the file's own, or, where the values are
// texts, any keys.
func (d *decoder) names(n ast.Node, v reflect.Value, key string) {
	entries, ok := d.entries(n, key)
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range entries {
		name := e.Key.GetToken().Value
		if v.Type().Elem().Kind() == reflect.Pointer && !isName(name) {
			d.fault(d.placeOf(e.Key), key, "%q cannot be a name; a letter, then letters, digits, _ and -, at most 64", clip(name))
			continue
		}
		below := join(key, name)
		d.places[below] = d.placeOf(e.Key)
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, element, below, "")
		v.SetMapIndex(reflect.ValueOf(name), element)
	}
}

func isName(name string) bool {
	for i, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

func (d *decoder) list(n ast.Node, v reflect.Value, key string, tag reflect.StructTag) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(d.placeOf(n), key, "want a list, as [a, b], and found %s", kindOf(n))
		return
	}
	if len(seq.Values) == 0 {
		d.fault(d.placeOf(n), key, "the list is empty; leave the key out, or name something")
	}
	for i, element := range seq.Values {
		below := key + "[" + strconv.Itoa(i) + "]"
		d.places[below] = d.placeOf(element)
		into := reflect.New(v.Type().Elem()).Elem()
		d.value(element, into, below, tag)
		v.Set(reflect.Append(v, into))
	}
}

// secret reads a text, or { file: PATH }, whose text counts without the end of its last
// line.
func (d *decoder) secret(n ast.Node, into *Secret, key string) {
	if k := kindOf(n); k != "keys with values" {
		if text, ok := d.text(n, key); ok {
			into.set(text) //nolint:errcheck // it takes any text
		}
		return
	}
	var from struct {
		File Path `yaml:"file" required:"true" help:"the file that holds it"`
	}
	before := len(d.faults)
	d.structure(n, reflect.ValueOf(&from).Elem(), key)
	if len(d.faults) > before {
		return
	}
	text, err := d.o.ReadFile(from.File.Name)
	switch {
	case err != nil:
		d.fault(d.place(key+".file"), key, "the file of the secret cannot be read: %v", err)
	case len(text) > maxSecret:
		d.fault(d.place(key+".file"), key, "the file of the secret has %d bytes, more than %d", len(text), maxSecret)
	default:
		into.set(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")) //nolint:errcheck // as above
	}
}

// maxSecret bounds a file of a secret, in bytes.
const maxSecret = 64 << 10

// text returns the text of a node that is one value, with the environment in it.
func (d *decoder) text(n ast.Node, key string) (string, bool) {
	written, ok := writtenText(n)
	if !ok {
		written, ok = glued(n)
	}
	if !ok {
		what := "want one value, and found %s"
		if kindOf(n) == "nothing" {
			what = "has %s behind it; give a value, or leave the key out"
		}
		d.fault(d.placeOf(n), key, what, kindOf(n))
		return "", false
	}
	text, err := expand(written, d.o.Env)
	if err != nil {
		d.fault(d.placeOf(n), key, "%v", err)
		return "", false
	}
	return text, true
}

// writtenText is the text of one value as it is in the file.
func writtenText(n ast.Node) (string, bool) {
	switch of := n.(type) {
	case *ast.StringNode:
		return of.Value, true
	case *ast.LiteralNode:
		return of.Value.Value, true
	case *ast.NullNode:
		return "", false
	case ast.ScalarNode:
		return of.GetToken().Value, true
	}
	return "", false
}

// glued is the text of a value such as host:9092, which the library takes for a key and its
// value where it stands in a list within { }.
func glued(n ast.Node) (string, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok || m.IsFlowStyle || len(m.Values) != 1 {
		return "", false
	}
	e := m.Values[0]
	rest, ok := writtenText(e.Value)
	if !ok {
		rest, ok = glued(e.Value)
	}
	key, colon, value := e.Key.GetToken(), e.GetToken(), e.Value.GetToken()
	plain := key.Type == token.StringType || key.Type == token.IntegerType || key.Type == token.FloatType
	if !ok || !plain || colon.Position.Line != value.Position.Line || colon.Position.Column+1 != value.Position.Column {
		return "", false
	}
	return key.Value + ":" + rest, true
}

// scalar reads one value into a field of a type that is written as one text.
func (d *decoder) scalar(n ast.Node, v reflect.Value, key string, tag reflect.StructTag) {
	text, ok := d.text(n, key)
	if !ok {
		return
	}
	written, ok := writtenText(n)
	if !ok {
		written, _ = glued(n)
	}
	err := setText(v, text)
	if err == nil {
		err = within(v, tag)
	}
	if err != nil {
		d.fault(d.placeOf(n), key, "%s: %v", quote(written), err)
		return
	}
	if p, ok := v.Addr().Interface().(*Path); ok {
		p.Name = d.resolve(p.Given)
	}
}

// resolve returns a path as it is opened.
func (d *decoder) resolve(given string) string {
	if filepath.IsAbs(given) {
		return filepath.Clean(given)
	}
	return filepath.Join(d.dir, given)
}

// quote shows a value as it is written; what the environment made of it may be a secret.
func quote(written string) string {
	if expands(written) {
		return "the value of " + clip(written)
	}
	return strconv.Quote(clip(written))
}

// clip shortens what is quoted.
func clip(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// setText reads a text into a value of any type that is written as one.
func setText(v reflect.Value, text string) error {
	if s, ok := v.Addr().Interface().(scalar); ok {
		return s.set(text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Int:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			return errors.New("not a whole number")
		}
		v.SetInt(n)
		return nil
	}
	panic("config: a field of the type " + v.Type().String())
}

func setBool(v reflect.Value, text string) error {
	if text != "true" && text != "false" {
		return errors.New("write true or false")
	}
	v.SetBool(text == "true")
	return nil
}

// within holds a value against the tags enum, min and max.
func within(v reflect.Value, tag reflect.StructTag) error {
	if all := tag.Get("enum"); all != "" && !slices.Contains(strings.Split(all, ","), v.String()) {
		mend := "one of " + strings.ReplaceAll(all, ",", ", ")
		if near, ok := source.Near(v.String(), strings.Split(all, ",")); ok {
			mend += fmt.Sprintf("; did you mean %q?", near)
		}
		return errors.New(mend)
	}
	if !v.CanInt() {
		return nil
	}
	least, most := bound(v.Type(), tag, "min"), bound(v.Type(), tag, "max")
	switch {
	case tag.Get("min") != "" && v.Int() < least, tag.Get("max") != "" && v.Int() > most:
		return errors.New("out of bounds: " + bounds(tag))
	}
	return nil
}

func bound(t reflect.Type, tag reflect.StructTag, name string) int64 {
	if tag.Get(name) == "" {
		return 0
	}
	v := reflect.New(t).Elem()
	mustSet(v, tag.Get(name))
	return v.Int()
}

// bounds says what a value must be within; empty where there are none.
func bounds(tag reflect.StructTag) string {
	switch least, most := tag.Get("min"), tag.Get("max"); {
	case least != "" && most != "":
		return "from " + least + " to " + most
	case least != "":
		return "at least " + least
	case most != "":
		return "at most " + most
	}
	return ""
}

// field is one key of a struct.
type field struct {
	name  string
	index int
	tag   reflect.StructTag
}

// fieldsOf returns the keys of a struct in the order of its fields.
func fieldsOf(t reflect.Type) (all []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			all = append(all, field{name, i, f.Tag})
		}
	}
	return all
}

func isScalar(t reflect.Type) bool {
	return t == reflect.TypeFor[Secret]() || reflect.PointerTo(t).Implements(reflect.TypeFor[scalar]())
}

// kindsOf returns the keys of a struct with the tag kind, and which of them are given.
func kindsOf(v reflect.Value) (names, given []string) {
	for _, f := range fieldsOf(v.Type()) {
		if f.tag.Get("kind") == "" {
			continue
		}
		names = append(names, f.name)
		if !v.Field(f.index).IsNil() {
			given = append(given, f.name)
		}
	}
	return names, given
}

// oneKind says what is wrong where a section does not have exactly one kind.
func oneKind(at section, v reflect.Value) {
	switch names, given := kindsOf(v); len(given) {
	case 0:
		at.fault("", "what is it? Give one of %s", strings.Join(names, ", "))
	case 1:
	default:
		at.fault(given[1], "it is one thing: %s", strings.Join(given, " or "))
	}
}

// kind returns the value of the one kind that is given, nil where there is not one.
func kind[K any](of any) (k K) {
	v := reflect.Indirect(reflect.ValueOf(of))
	for _, f := range fieldsOf(v.Type()) {
		if f.tag.Get("kind") != "" && !v.Field(f.index).IsNil() {
			return v.Field(f.index).Interface().(K)
		}
	}
	return k
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
