package plan

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// contentsOf are those of a table in lines of cells with commas between, or of a list
// where there is no header.
func contentsOf(header string, lines ...string) *Contents {
	c := &Contents{Columns: make([][]string, 1)}
	if header != "" {
		c.Header = strings.Split(header, ",")
		c.Columns = make([][]string, len(c.Header))
	}
	for n, line := range lines {
		cells := []string{line}
		if header != "" {
			cells = strings.Split(line, ",")
		}
		for i := range c.Columns {
			c.Columns[i] = append(c.Columns[i], cells[i])
		}
		c.Lines = append(c.Lines, int32(n)+2)
	}
	return c
}

func TestColumnsHaveTheNarrowestTypeOfAllCells(t *testing.T) {
	for name, tc := range map[string]struct {
		cells []string
		want  event.Kind
	}{
		"whole numbers":                       {[]string{"1", "-20", "0", "9223372036854775807"}, event.Int},
		"a number beyond int64 is a float":    {[]string{"1", "9223372036854775808"}, event.Float},
		"decimals":                            {[]string{"1", "2.50", "1e-7"}, event.Float},
		"bools":                               {[]string{"true", "false"}, event.Bool},
		"text":                                {[]string{"1", "x"}, event.String},
		"leading zeros are text":              {[]string{"007", "123"}, event.String},
		"a plus is text":                      {[]string{"+1"}, event.String},
		"numbers that no float holds":         {[]string{"1e999"}, event.String},
		"not a number by name":                {[]string{"NaN", "Inf"}, event.String},
		"digits in hexadecimal, with strokes": {[]string{"0x10", "1_000"}, event.String},
		"empty cells have any type":           {[]string{"", "1", ""}, event.Int},
		"only empty cells":                    {[]string{"", ""}, event.String},
		"no rows":                             {nil, event.String},
		"bools in capitals are text":          {[]string{"True"}, event.String},
		"numbers and bools":                   {[]string{"1", "true"}, event.String},
		"white space is text":                 {[]string{" 1"}, event.String},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Contents{Header: []string{"x"}, Columns: [][]string{tc.cells}}
			got := c.ColumnTypes()
			want := []event.Field{{Name: "x", Type: event.Type{Kind: tc.want, Optional: true}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tc.cells, diff)
			}
		})
	}
}

// A number is what JSON takes for one, and a whole one has the text that prints it.
func TestNumbersAreThoseOfJSON(t *testing.T) {
	text := rapid.StringMatching(`[-+]?[01]?[0-9]{0,3}(\.[0-9]{0,2})?([eE][-+]?[0-9]{0,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		x, ok := ReadNumber(s)
		var want float64
		isNumber := s != "" && json.Unmarshal([]byte(s), &want) == nil
		if ok != isNumber || x != want {
			t.Fatalf("%q: got %v, %v, want %v, %v", s, x, ok, want, isNumber)
		}
		n, ok := ReadWhole(s)
		m, err := strconv.ParseInt(s, 10, 64)
		isWhole := err == nil && strconv.FormatInt(m, 10) == s
		if ok != isWhole || ok && n != m {
			t.Fatalf("%q: got %v, %v, want %v, %v", s, n, ok, m, isWhole)
		}
	})
}

func TestBlocksAndAddresses(t *testing.T) {
	for s, want := range map[string]string{
		"10.1.2.3": "10.1.2.3/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "2001:DB8::1/32": "2001:db8::/32", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
		"::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:10.1.2.3/104": "10.0.0.0/8", "fe80::1%eth0": "fe80::1/128",
		"10.0.0.0/33": "", "10.0.0": "", "10.0.0.0/": "", "host": "", "": "", "10.0.0.0/8 ": "",
	} {
		p, ok := ReadBlock(s)
		if got := p.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %s, %v, want %q", s, got, ok, want)
		}
	}
}

// What reads addresses takes all that the standard library takes, and costs nothing
// where the text is something else.
func TestAddressesAreThoseOfTheStandardLibrary(t *testing.T) {
	text := rapid.OneOf(
		rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,3}){2,4}`), rapid.StringMatching(`[0-9a-f:]{1,12}(%[a-z]{0,2})?`),
		rapid.StringMatching(`::(ffff:)?[0-9]{1,3}(\.[0-9]{1,3}){3}`), rapid.StringMatching(`[0-9a-gA-G:.%/-]{0,9}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		want, err := netip.ParseAddr(s)
		if a, ok := ReadAddress(s); ok != (err == nil) || ok && a != want.Unmap().WithZone("") {
			t.Fatalf("%q: got %v, %v, want %v, %v", s, a, ok, want, err)
		}
	})
	for _, s := range []string{"Hello", "evil.example.com", "a.b.c.d", "c000123", "12:30", "", "4711"} {
		if n := testing.AllocsPerRun(10, func() { ReadAddress(s) }); n != 0 {
			t.Errorf("%q: %v allocations", s, n)
		}
	}
}

func TestFit(t *testing.T) {
	list, table := &File{Name: "l"}, &File{Name: "t", Key: "id", Columns: contentsOf("id,n,ok,s", "a,1,true,x").ColumnTypes()}
	for name, tc := range map[string]struct {
		file  *File
		asked []event.Kind
		c     *Contents
		want  string
	}{
		"text takes all":                  {list, []event.Kind{event.String, event.Any}, contentsOf("", "a", "1", "10.0.0.0/8"), ""},
		"an empty list":                   {list, []event.Kind{event.Int, event.IP}, contentsOf(""), ""},
		"whole numbers":                   {list, []event.Kind{event.Int}, contentsOf("", "1", "2.5", "x"), `line 3: "2.5" is no whole number, and rules look whole numbers up; line 4: "x" is no whole number, and rules look whole numbers up`},
		"numbers":                         {list, []event.Kind{event.Float}, contentsOf("", "1", "2.5", "x"), `line 4: "x" is no number, and rules look numbers up`},
		"addresses":                       {list, []event.Kind{event.IP}, contentsOf("", "::1", "10.0.0.0/8", "10.0.0.0/99"), `line 4: "10.0.0.0/99" is no address or block of addresses, and rules look addresses up`},
		"the first of many faults":        {list, []event.Kind{event.Int}, contentsOf("", "a", "b", "c", "d", "e"), `line 2: "a" is no whole number, and rules look whole numbers up; line 3: "b" is no whole number, and rules look whole numbers up; line 4: "c" is no whole number, and rules look whole numbers up; and 2 more`},
		"a table as it was":               {table, []event.Kind{event.String}, contentsOf("id,n,ok,s", "a,1,true,x", "b,,,"), ""},
		"columns moved, and a new one":    {table, nil, contentsOf("s,ok,more,n,id", "x,true,?,1,a"), ""},
		"a column is gone":                {table, nil, contentsOf("id,n,s", "a,1,x"), `the column "ok" is gone`},
		"the key is gone":                 {table, nil, contentsOf("n,ok,s", "1,true,x"), `the column "id" is gone`},
		"a column of another type":        {table, nil, contentsOf("id,n,ok,s", "a,1.5,yes,x"), `line 2: "1.5" in column n, which was an int when the rules were loaded; line 2: "yes" in column ok, which was a bool when the rules were loaded`},
		"a row without a key":             {table, nil, contentsOf("id,n,ok,s", ",1,true,x"), `line 2: no id`},
		"a key twice":                     {table, nil, contentsOf("id,n,ok,s", "a,1,true,x", "b,1,true,x", "a,2,true,x"), `line 4: id "a" stands in line 2 already`},
		"keys that are no numbers":        {table, []event.Kind{event.Int}, contentsOf("id,n,ok,s", "1,1,true,x", "01,1,true,x"), `line 3: "01" is no whole number, and rules look one up`},
		"one number in two spellings":     {table, []event.Kind{event.Float}, contentsOf("id,n,ok,s", "1,1,true,x", "1.0,1,true,x"), `line 3: "1.0" is the number of line 2`},
		"one address in two spellings":    {table, []event.Kind{event.IP}, contentsOf("id,n,ok,s", "::1,1,true,x", "0::1,1,true,x"), `line 3: "0::1" is the address of line 2`},
		"spellings do not matter to text": {table, []event.Kind{event.String}, contentsOf("id,n,ok,s", "1,1,true,x", "1.0,1,true,x"), ""},
		"a block is no key":               {table, []event.Kind{event.IP}, contentsOf("id,n,ok,s", "10.0.0.0/8,1,true,x"), `line 2: "10.0.0.0/8" is no address, and rules look one up`},
	} {
		t.Run(name, func(t *testing.T) {
			f := *tc.file
			for _, k := range tc.asked {
				f.Ask(k)
				f.Ask(k)
			}
			got := ""
			if err := f.Fit(tc.c); err != nil {
				got = err.Error()
			}
			if got != tc.want || len(f.Asked) != len(tc.asked) {
				t.Errorf("got  %s\nwant %s\nasked %v", got, tc.want, f.Asked)
			}
		})
	}
}
