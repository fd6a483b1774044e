package lookup_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/lookup"
)

var (
	list  = &plan.File{Name: "l"}
	table = &plan.File{Name: "t", Key: "id"}
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		file    *plan.File
		text    string
		header  []string
		columns [][]string
		lines   []int32
	}{
		"entries, white space, comments": {list, "  ann \r\n\n# bob\n10.0.0.0/8\na # b", nil, [][]string{{"ann", "10.0.0.0/8", "a # b"}}, []int32{1, 4, 5}},
		"a byte order mark":              {list, "\uFEFFann\n", nil, [][]string{{"ann"}}, []int32{1}},
		"an empty list":                  {list, "\n# nothing\n", nil, [][]string{nil}, nil},
		"a table": {
			table, "\uFEFFid, name ,n\n1,\"a, \"\"b\"\"\",2\n\n\"x\ny\",,\n3,c,",
			[]string{"id", "name", "n"},
			[][]string{{"1", "x\ny", "3"}, {`a, "b"`, "", "c"}, {"2", "", ""}},
			[]int32{2, 4, 6},
		},
		"a table without rows":     {table, "id,n", []string{"id", "n"}, [][]string{nil, nil}, nil},
		"cells keep white space":   {table, "id\r\n a \r\n", []string{"id"}, [][]string{{" a "}}, []int32{2}},
		"a table has no comments":  {table, "id\n#1\n", []string{"id"}, [][]string{{"#1"}}, []int32{2}},
		"one column without names": {table, "id", []string{"id"}, [][]string{nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := lookup.Parse(tc.file, []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			want := &plan.Contents{Hash: c.Hash, Header: tc.header, Columns: tc.columns, Lines: tc.lines}
			if diff := cmp.Diff(want, c); diff != "" || len(c.Hash) != 64 {
				t.Errorf("hash %s (-want +got):\n%s", c.Hash, diff)
			}
		})
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		file       *plan.File
		text, want string
	}{
		"not UTF-8":                 {list, "a\nb\xff\n", "line 2: not UTF-8"},
		"no header":                 {table, "", "the file is empty: a table begins with a header of its columns"},
		"a column without a name":   {table, "id,,n\n", "line 1: column 2 has no name"},
		"a column twice":            {table, "id,n,n\n", `line 1: two columns are named "n"`},
		"too few and too many":      {table, "id,n\n1,2\n3\n4,5,6\n", "line 3: 1 cells where the header has 2; line 4: 3 cells where the header has 2"},
		"many wrong rows":           {table, "id,n\n1\n2\n3\n4\n5\n", "line 2: 1 cells where the header has 2; line 3: 1 cells where the header has 2; line 4: 1 cells where the header has 2; and 2 more"},
		"a quote within a cell":     {table, "id\n1\"2\n", "line 2: a quote within a cell that does not begin with one; write the cell in quotes, and the quote twice"},
		"a quote that does not end": {table, "id,n\n3\n\"1,2\n3,4\n", "line 2: 1 cells where the header has 2; line 3: a quoted cell that does not end, or with text after it"},
		"too many columns":          {table, strings.Repeat("x,", lookup.MaxColumns) + "id\n", "257 columns: a table has at most 256"},
		"too many cells":            {table, "id" + columns(99) + "\n" + strings.Repeat(strings.Repeat(",", 99)+"\n", lookup.MaxCells/100+1), "more than 4000000 cells, the limit for tables"},
		"too many entries":          {list, strings.Repeat("1\n", lookup.MaxRows+1), "more than 1000000 entries, the limit for lists and tables"},
		"too many bytes":            {list, strings.Repeat(" ", lookup.MaxFileSize+1), "the file is larger than 64 MiB, the limit for lists and tables"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := lookup.Parse(tc.file, []byte(tc.text))
			if c != nil || err == nil || err.Error() != tc.want {
				t.Errorf("got %v, %v\nwant %s", c, err, tc.want)
			}
		})
	}
}

func columns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",c%d", i)
	}
	return b.String()
}

// FuzzParse: no text makes the reader panic; contents have a cell for each row and
// column.
func FuzzParse(f *testing.F) {
	f.Add("a\n#b\n\n10.0.0.0/8", false)
	f.Add("id,n\n1,\"2\n\"\n", true)
	f.Fuzz(func(t *testing.T, text string, isTable bool) {
		file := list
		if isTable {
			file = table
		}
		c, err := lookup.Parse(file, []byte(text))
		if (c == nil) != (err != nil) {
			t.Fatalf("contents %v, error %v", c, err)
		}
		if c == nil {
			return
		}
		if isTable && len(c.Columns) != len(c.Header) || !isTable && len(c.Columns) != 1 {
			t.Fatalf("%d columns, header %q", len(c.Columns), c.Header)
		}
		for _, col := range c.Columns {
			if len(col) != c.Rows() {
				t.Fatalf("%d cells in %d rows", len(col), c.Rows())
			}
		}
	})
}
