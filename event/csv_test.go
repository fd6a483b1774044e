package event

import (
	"fmt"
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	s := &Schema{Name: "p", TimeField: "ts", TimeUnit: Second, Fields: []Field{
		{"ts", Type{Kind: Time}}, {"card", Type{Kind: String}}, {"amount", Type{Kind: Float}}, {"ok", Type{Kind: Bool}}, {"tags", Type{Kind: List, Elem: &Type{Kind: Int}}},
	}}
	tests := []struct {
		name, header, row, json string
	}{
		{"typed by the declaration", "type,ts,card,amount,ok", "p,5,007,1.50,true", `{"type":"p","ts":5,"card":"007","amount":1.50,"ok":true}`},
		{"line ends and quotes", "\"type\",ts,card\r\n", "p,5,\"a,\"\"b\"\"\"\r\n", `{"type":"p","ts":5,"card":"a,\"b\""}`},
		{"empty and quoted empty", "type,ts,card,amount", `p,5,"",`, `{"type":"p","ts":5,"card":"","amount":null}`},
		{"spaces around numbers", "type,ts,amount", "p, 5 , 2", `{"type":"p","ts":5,"amount":2}`},
		{"what is no number stays text", "type,ts,amount,ok", "p,5,+2,yes", `{"type":"p","ts":5,"amount":"+2","ok":"yes"}`},
		{"JSON in a cell", "type,ts,tags", `p,5,"[1, 2]"`, `{"type":"p","ts":5,"tags":[1, 2]}`},
		{"columns that are not declared", "type,ts,zip", "p,5,01234", `{"type":"p","ts":5,"zip":"01234"}`},
		{"RFC 3339 in the time column", "type,ts", "p,1970-01-01T00:00:05Z", `{"type":"p","ts":"1970-01-01T00:00:05Z"}`},
		{"beyond ASCII", "type,ts,card", "p,5,Grüße", `{"type":"p","ts":5,"card":"Grüße"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, a := &Batch{Header: [][]byte{[]byte(tt.header)}}, &Arena{}
			b.Add(0, 0, 0, []byte(tt.row))
			d := NewDecoder([]*Layout{layoutOf(s, "card")}, Options{Format: FormatCSV})
			for range 2 { // the arena's events must outlive the next row
				if out, err := d.Decode(b, 0, a); out != Decoded {
					t.Fatal(err)
				}
			}
			for _, e := range a.Events {
				if string(e.JSON()) != tt.json || e.Time != 5e9 {
					t.Errorf("%s: time %d\n got %s\nwant %s", tt.row, e.Time, e.JSON(), tt.json)
				}
			}
		})
	}
}

func TestBadCSV(t *testing.T) {
	for _, tt := range []struct {
		header, row, want string
	}{
		{"type,x", "p,1,2", "malformed CSV: 3 cells, and the header has 2"},
		{"type,x", "p", "malformed CSV: 1 cells, and the header has 2"},
		{"type,x", `p,"1`, "malformed CSV: a quoted cell is not closed"},
		{"type,x", `p,"1"2`, "malformed CSV at byte 5: text after a quoted cell"},
		{"type,x", "p,\xff", "malformed CSV: invalid UTF-8"},
		{"", "p,1", "malformed CSV: no header"},
		{"kind,x", "p,1", `no type: the header has no column "type"`},
		{"type,x", "q,1", ""},
	} {
		b := &Batch{Header: [][]byte{[]byte(tt.header)}}
		b.Add(0, 0, 0, []byte(tt.row))
		d := NewDecoder([]*Layout{{Schema: &Schema{Name: "p"}}}, Options{Format: FormatCSV})
		out, err := d.Decode(b, 0, &Arena{})
		if tt.want == "" && (out != Undeclared || len(d.Undeclared()) != 1) || tt.want != "" && fmt.Sprint(err) != tt.want {
			t.Errorf("%q under %q: outcome %d, %v; want %s", tt.row, tt.header, out, err, tt.want)
		}
	}
}

// Rows of partitions with headers of their own come mixed.
func TestCSVHeadersByPartition(t *testing.T) {
	s := &Schema{Name: "p", Fields: []Field{{"x", Type{Kind: Int}}, {"y", Type{Kind: Int}}}}
	l := layoutOf(s, "x")
	b, a := &Batch{Header: [][]byte{[]byte("x;y"), []byte("y;x")}}, &Arena{}
	d := NewDecoder([]*Layout{l}, Options{Format: FormatCSV, Type: "p", Comma: ';'})
	for i := range 6 {
		b.Add(int32(i%2), 0, 0, []byte("1;2"))
		if out, err := d.Decode(b, i, a); out != Decoded {
			t.Fatal(err)
		}
		if got := a.Events[i].Value(l, 0).Int(); got != int64(1+i%2) {
			t.Errorf("row %d: x is %d", i, got)
		}
	}
}

// Events of rows live on while later rows, and headers that changed, are read.
func TestCSVRowsLiveOn(t *testing.T) {
	l := layoutOf(&Schema{Name: "p", Fields: []Field{{"x", Type{Kind: String}}}}, "x")
	b, a := &Batch{}, &Arena{}
	d := NewDecoder([]*Layout{l}, Options{Format: FormatCSV, Type: "p"})
	for i, header := range []string{"x,y", "x,y", "z,x,y", "x"} {
		b.Header = [][]byte{[]byte(header)}
		row := strings.Repeat("-,", strings.Index(header, "x")/2) + fmt.Sprintf("r%d", i) + strings.Repeat(",-", strings.Count(header, "y"))
		b.Add(0, 0, 0, []byte(row))
		if out, err := d.Decode(b, i, a); out != Decoded {
			t.Fatalf("%q under %q: %v", row, header, err)
		}
	}
	for i := range a.Events {
		if got := a.Events[i].Value(l, 0).S; got != fmt.Sprintf("r%d", i) {
			t.Errorf("row %d: x is %q in %s", i, got, a.Events[i].JSON())
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b", `1,"x""y"`)
	f.Add("a,\"b\nc\"", "true,[]")
	f.Fuzz(func(t *testing.T, header, row string) {
		l := &Layout{Schema: &Schema{Name: "p", Fields: []Field{{"a", Type{Kind: Any}}, {"b", Type{Kind: Float}}}}}
		b, a := &Batch{Header: [][]byte{[]byte(header)}}, &Arena{}
		b.Add(0, 0, 0, []byte(row))
		d := NewDecoder([]*Layout{l}, Options{Format: FormatCSV, Type: "p"})
		if out, _ := d.Decode(b, 0, a); out == Decoded {
			if _, ok := plainDecode(a.Events[0].JSON()); !ok {
				t.Fatalf("%q under %q becomes %s", row, header, a.Events[0].JSON())
			}
		}
	})
}
