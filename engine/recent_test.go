package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// played is all that the sources of kept records give, by partition.
func played(t *rapid.T, r *Recent) map[string][]string {
	all := map[string][]string{}
	for _, in := range r.Inputs() {
		name := in.Source.Partition().Source
		for {
			var b event.Batch
			err := in.Source.Next(t.Context(), &b)
			if err == io.EOF {
				break
			}
			for i, rec := range b.Records {
				key := ""
				if i < len(b.Metas) {
					key = string(b.Metas[i].Key.Bytes(b.Text))
				}
				all[name] = append(all[name], fmt.Sprintf("%d %s %s", rec.Offset, b.Text[rec.Start:rec.End], key))
			}
		}
	}
	return all
}

// TestRecentKeepsTheLastOfEach compares with lists that keep all: what is kept is the end of
// what each partition gave, and within the bound.
func TestRecentKeepsTheLastOfEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = leastRecent
		r := NewRecent(1)
		var readers []*reader
		given := map[string][]string{}
		for n := range rapid.IntRange(1, 3).Draw(t, "partitions") {
			readers = append(readers, &reader{name: event.Partition{Source: fmt.Sprint("p", n)}})
		}
		for range rapid.IntRange(1, 60).Draw(t, "batches") {
			from := readers[rapid.IntRange(0, len(readers)-1).Draw(t, "from")]
			name := from.name.Source
			var b event.Batch
			for range rapid.IntRange(0, 20).Draw(t, "records") {
				at, text := len(given[name]), strings.Repeat("x", rapid.IntRange(0, 400).Draw(t, "length"))
				b.Add(0, int64(at), 0, []byte(text))
				key := ""
				if rapid.Bool().Draw(t, "keyed") {
					key = fmt.Sprint("k", at)
					b.AddMeta([]byte(key), nil)
				}
				given[name] = append(given[name], fmt.Sprintf("%d %s %s", at, text, key))
			}
			r.add(from, &b)
			if s := r.Stats(); s.Bytes > most || s.Most != most {
				t.Fatalf("kept %+v", s)
			}
		}
		kept := 0
		for name, got := range played(t, r) {
			want := given[name]
			want = want[len(want)-len(got):]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-given +kept):\n%s", name, diff)
			}
			kept += len(got)
		}
		if s := r.Stats(); s.Records != kept {
			t.Fatalf("%d records, and counted %d", kept, s.Records)
		}
	})
}

// TestRecentPassesByWhatIsTooLong: one record must not push all others out.
func TestRecentPassesByWhatIsTooLong(t *testing.T) {
	r, from := NewRecent(0), &reader{}
	for _, text := range []string{"a", strings.Repeat("long", leastRecent/longestKept), "b"} {
		var b event.Batch
		b.Add(0, 0, 0, []byte(text))
		r.add(from, &b)
	}
	if s := r.Stats(); s.Records != 2 {
		t.Errorf("kept %+v", s)
	}
}

// TestRecentIsReadWhileItGrows: what has been looked at stays as it was.
func TestRecentIsReadWhileItGrows(t *testing.T) {
	r, from := NewRecent(0), &reader{}
	add := func(n int) {
		for i := range n {
			var b event.Batch
			b.Add(0, int64(i), 0, fmt.Appendf(nil, "record %d", i))
			r.add(from, &b)
		}
	}
	add(3)
	in := r.Inputs()[0].Source
	add(10_000)
	var b event.Batch
	if err := in.Next(t.Context(), &b); err != nil || len(b.Records) != 3 || !slices.Equal(b.Text, []byte("record 0record 1record 2")) {
		t.Errorf("%d records, %v: %s", len(b.Records), err, b.Text)
	}
}

// TestWhatIsNotKeptCostsNothing: where nobody wants recent records none are looked at.
func TestWhatIsNotKeptCostsNothing(t *testing.T) {
	from := &reader{}
	var b event.Batch
	b.Add(0, 0, 0, []byte("record"))
	if n := testing.AllocsPerRun(100, func() { from.recent.add(from, &b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNoPartOfWhatIsRecentIsEmpty: a source that gives nothing, and is not at its end, is broken.
func TestNoPartOfWhatIsRecentIsEmpty(t *testing.T) {
	r, from := NewRecent(0), &reader{}
	var b event.Batch
	b.Add(0, 0, 0, []byte(strings.Repeat("long", leastRecent/longestKept)))
	r.add(from, &b)
	if in := r.Inputs(); len(in) != 0 {
		t.Errorf("%d inputs of no record", len(in))
	}
}

// TestHeadersOfRecentRecordsAreTheirOwn: a source sets those of its batches again and again.
func TestHeadersOfRecentRecordsAreTheirOwn(t *testing.T) {
	r, from := NewRecent(0), &reader{}
	b := event.Batch{Header: [][]byte{[]byte("a,b")}}
	b.Add(0, 0, 0, []byte("1,2"))
	r.add(from, &b)
	b.Header[0] = []byte("c")
	var got event.Batch
	if err := r.Inputs()[0].Source.Next(t.Context(), &got); err != nil || string(got.Header[0]) != "a,b" {
		t.Errorf("%s, %v", got.Header, err)
	}
}
