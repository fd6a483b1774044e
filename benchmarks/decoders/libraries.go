package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unsafe"

	"github.com/buger/jsonparser"
	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/ast"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/minio/simdjson-go"
	"github.com/valyala/fastjson"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/cepheus-cep/cepheus/event"
)

// payment is what every library is asked for. A library that can hand out a part of the
// record hands out that, and need not copy.
type payment struct {
	Type     string  `json:"type"`
	TS       int64   `json:"ts"`
	Card     string  `json:"card"`
	Amount   float64 `json:"amount"`
	Country  string  `json:"country"`
	Merchant string  `json:"merchant"`
}

// contender reads records one after the other.
type contender struct {
	name string
	make func(in *input) func(i int, p *payment) error
}

func contenders() []contender {
	return []contender{
		{"`encoding/json` into a struct", each(std)},
		{"json/v2 into a struct", each(v2)},
		{"json/v2 `jsontext`, value by value", each(tokens)},
		{"valyala/fastjson, parse", each(fast)},
		{"valyala/fastjson, validate and parse", each(fastValidated)},
		{"bytedance/sonic into a struct", each(sonicStruct)},
		{"bytedance/sonic `ast`, six gets", each(sonicAST)},
		{"minio/simdjson-go", each(simd)},
		{"buger/jsonparser, `EachKey`", each(eachKey)},
		{"buger/jsonparser, `ObjectEach`", each(objectEach)},
		{"ours: an event with its time and four slots", ours},
	}
}

// each hands a library one record after the other.
func each(make func() func([]byte, *payment) error) func(*input) func(int, *payment) error {
	return func(in *input) func(int, *payment) error {
		read := make()
		return func(i int, p *payment) error { return read(in.record(i), p) }
	}
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func std() func([]byte, *payment) error {
	return func(r []byte, p *payment) error { return json.Unmarshal(r, p) }
}

func v2() func([]byte, *payment) error {
	return func(r []byte, p *payment) error { return jsonv2.Unmarshal(r, p) }
}

// tokens reads names and values as text and converts those that are numbers.
func tokens() func([]byte, *payment) error {
	var in bytes.Buffer // the one reader whose bytes jsontext does not copy
	d := jsontext.NewDecoder(&in)
	return func(r []byte, p *payment) error {
		in = *bytes.NewBuffer(r)
		d.Reset(&in)
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		for d.PeekKind() != '}' {
			name, err := d.ReadValue()
			if err != nil {
				return err
			}
			member := memberOf(name[1 : len(name)-1])
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			if err := take(p, member, value); err != nil {
				return err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		if _, err := d.ReadToken(); err != io.EOF {
			return errors.New("text after the object")
		}
		return nil
	}
}

// memberOf numbers the members: a name is not valid beyond the next value.
func memberOf(name []byte) int {
	switch string(name) {
	case "type":
		return 1
	case "ts":
		return 2
	case "card":
		return 3
	case "amount":
		return 4
	case "country":
		return 5
	case "merchant":
		return 6
	}
	return 0
}

// take takes a value as it is written.
func take(p *payment, member int, value []byte) (err error) {
	if len(value) > 1 && value[0] == '"' {
		value = value[1 : len(value)-1]
	}
	switch member {
	case 1:
		p.Type = "payment"
		if string(value) != p.Type {
			p.Type = string(value)
		}
	case 2:
		p.TS, err = strconv.ParseInt(view(value), 10, 64)
	case 3:
		p.Card = view(value)
	case 4:
		p.Amount, err = strconv.ParseFloat(view(value), 64)
	case 5:
		p.Country = view(value)
	case 6:
		p.Merchant = view(value)
	}
	return err
}

func fast() func([]byte, *payment) error {
	var parser fastjson.Parser
	return func(r []byte, p *payment) error { return fromTree(&parser, r, p) }
}

func fastValidated() func([]byte, *payment) error {
	var parser fastjson.Parser
	return func(r []byte, p *payment) error {
		if err := fastjson.ValidateBytes(r); err != nil {
			return err
		}
		return fromTree(&parser, r, p)
	}
}

func fromTree(parser *fastjson.Parser, r []byte, p *payment) error {
	v, err := parser.ParseBytes(r)
	if err != nil {
		return err
	}
	p.Type = view(v.GetStringBytes("type"))
	p.TS, p.Amount = v.GetInt64("ts"), v.GetFloat64("amount")
	p.Card, p.Country, p.Merchant = view(v.GetStringBytes("card")), view(v.GetStringBytes("country")), view(v.GetStringBytes("merchant"))
	return nil
}

func sonicStruct() func([]byte, *payment) error {
	return func(r []byte, p *payment) error { return sonic.ConfigDefault.Unmarshal(r, p) }
}

func sonicAST() func([]byte, *payment) error {
	return func(r []byte, p *payment) (err error) {
		s := ast.NewSearcher(view(r))
		s.CopyReturn = false
		get := func(name string) (n ast.Node) {
			if err == nil {
				n, err = s.GetByPath(name)
			}
			return n
		}
		text := func(name string) (t string) {
			n := get(name)
			if err == nil {
				t, err = n.StrictString()
			}
			return t
		}
		p.Type, p.Card, p.Country, p.Merchant = text("type"), text("card"), text("country"), text("merchant")
		ts, amount := get("ts"), get("amount")
		if err != nil {
			return err
		}
		if p.TS, err = ts.StrictInt64(); err != nil {
			return err
		}
		p.Amount, err = amount.StrictFloat64()
		return err
	}
}

func simd() func([]byte, *payment) error {
	var parsed *simdjson.ParsedJson
	var object simdjson.Object
	return func(r []byte, p *payment) (err error) {
		if parsed, err = simdjson.Parse(r, parsed, simdjson.WithCopyStrings(false)); err != nil {
			return err
		}
		it := parsed.Iter()
		it.AdvanceInto()
		_, root, err := it.Root(nil)
		if err != nil {
			return err
		}
		if _, err := root.Object(&object); err != nil {
			return err
		}
		var value simdjson.Iter
		for {
			name, typ, err := object.NextElementBytes(&value)
			if err != nil || typ == simdjson.TypeNone {
				return err
			}
			if err := takeSIMD(p, memberOf(name), &value); err != nil {
				return err
			}
		}
	}
}

func takeSIMD(p *payment, member int, value *simdjson.Iter) (err error) {
	var text []byte
	switch member {
	case 1:
		text, err = value.StringBytes()
		p.Type = view(text)
	case 2:
		p.TS, err = value.Int()
	case 3:
		text, err = value.StringBytes()
		p.Card = view(text)
	case 4:
		p.Amount, err = value.Float()
	case 5:
		text, err = value.StringBytes()
		p.Country = view(text)
	case 6:
		text, err = value.StringBytes()
		p.Merchant = view(text)
	}
	return err
}

func eachKey() func([]byte, *payment) error {
	paths := [][]string{{"type"}, {"ts"}, {"card"}, {"amount"}, {"country"}, {"merchant"}}
	return func(r []byte, p *payment) (err error) {
		jsonparser.EachKey(r, func(i int, value []byte, _ jsonparser.ValueType, e error) {
			if err = errors.Join(err, e); err == nil {
				err = take(p, i+1, value)
			}
		}, paths...)
		return err
	}
}

func objectEach() func([]byte, *payment) error {
	return func(r []byte, p *payment) error {
		return jsonparser.ObjectEach(r, func(name, value []byte, _ jsonparser.ValueType, _ int) error {
			return take(p, memberOf(name), value)
		})
	}
}

func layout(name string) *event.Layout {
	text := event.Type{Kind: event.String}
	fields := []event.Field{{Name: "ts", Type: event.Type{Kind: event.Int}}, {Name: "card", Type: text}, {Name: "amount", Type: event.Type{Kind: event.Float}}, {Name: "country", Type: text}, {Name: "merchant", Type: text}}
	l := &event.Layout{Schema: &event.Schema{Name: name, TimeField: "ts", TimeUnit: event.Milli, Fields: fields}}
	for _, f := range fields[1:] {
		l.Add([]string{f.Name}, f.Type)
	}
	return l
}

// ours reads the events out of their slots, too.
func ours(in *input) func(int, *payment) error {
	l := layout("payment")
	d := event.NewDecoder([]*event.Layout{l}, event.Options{})
	arena := &event.Arena{}
	return func(i int, p *payment) error {
		if len(arena.Events) == 1000 {
			arena.Reset()
		}
		outcome, err := d.Decode(&in.batch, i, arena)
		if err != nil || outcome != event.Decoded {
			return fmt.Errorf("outcome %d: %w", outcome, err)
		}
		e := &arena.Events[len(arena.Events)-1]
		slots := e.Slots[l.Words():]
		p.Type, p.TS = "payment", e.Time/int64(event.Milli)
		p.Card, p.Amount, p.Country, p.Merchant = e.String(slots[0]), math.Float64frombits(slots[1]), e.String(slots[2]), e.String(slots[3])
		return nil
	}
}
