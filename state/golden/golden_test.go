package golden

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var some = []Record{
	{Kind: "a", Name: "one", About: "made of nothing\nand more", Bytes: []byte("0123456789abcdef|0123\x00\n")},
	{Kind: "b", Name: "none"},
}

func TestFileIsReadAsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "r.golden")
	write(t, path, "7", some)
	got, err := read(path)
	want := file{format: "7", records: []Record{{Name: "a: one", Bytes: some[0].Bytes}, {Name: "b: none", Bytes: []byte{}}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestFaultsAreSaid: what must not pass unseen does not.
func TestFaultsAreSaid(t *testing.T) {
	was := file{format: "7", records: []Record{{Name: "a: one", Bytes: some[0].Bytes}, {Name: "b: none", Bytes: []byte{}}}}
	other := []Record{{Kind: "a", Name: "one", Bytes: []byte("else")}, some[1]}
	more := append([]Record{{Kind: "c", Name: "new", Bytes: []byte("x")}}, some...)
	for _, c := range []struct {
		name     string
		faults   []string
		want     int
		contains string
	}{
		{"as it was", changed(was, "7", some, false), 0, ""},
		{"changed", changed(was, "7", other, false), 1, "raise state.Format"},
		{"changed, -update", changed(was, "7", other, true), 1, "raise state.Format"},
		{"changed, version raised, -update", changed(was, "8", other, true), 0, ""},
		{"version raised", changed(was, "8", some, false), 1, "go test -update"},
		{"one more", changed(was, "7", more, false), 1, "-update adds it"},
		{"one more, -update", changed(was, "7", more, true), 0, ""},
		{"one gone, -update", changed(was, "7", some[:1], true), 1, "b: none"},
		{"kind without a record", missing([]string{"a", "b", "c"}, some), 1, `"c"`},
		{"record of no kind", missing([]string{"a"}, some), 1, `"b: none"`},
	} {
		if len(c.faults) != c.want || c.want > 0 && !strings.Contains(c.faults[0], c.contains) {
			t.Errorf("%s: %q", c.name, c.faults)
		}
	}
}
