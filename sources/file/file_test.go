package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rec is a record as tests compare it.
type rec struct {
	Offset int64
	Text   string
	Fault  event.Fault
}

func fixedNow() time.Time { return time.Unix(1000, 5) }

func open(t testing.TB, path string, o Options) *Source {
	t.Helper()
	if o.Now == nil {
		o.Now = fixedNow
	}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// next is Next without the batches in which a live input only says that it stands at
// its end.
func next(ctx context.Context, s *Source, into *event.Batch) error {
	for {
		if err := s.Next(ctx, into); err != nil || len(into.Records) > 0 {
			return err
		}
	}
}

// drain reads to the end, and returns the error that is not io.EOF.
func drain(ctx context.Context, s *Source) (got []rec, err error) {
	var b event.Batch
	for {
		b.Reset()
		err := s.Next(ctx, &b)
		got = append(got, records(&b)...)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if len(b.Records) == 0 && !b.AtEnd {
			return got, errors.New("Next returned nothing and no error")
		}
	}
}

func records(b *event.Batch) (got []rec) {
	for _, r := range b.Records {
		got = append(got, rec{r.Offset, string(b.Text[r.Start:r.End]), r.Fault})
	}
	return got
}

func write(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zip(members ...string) []byte {
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		z.Write([]byte(m))
		z.Close()
	}
	return b.Bytes()
}

// TestLines is about what counts as a record, in the same way from a file, from a
// compressed one, and from standard input byte by byte.
func TestLines(t *testing.T) {
	tests := []struct {
		name, input string
		want        []rec
	}{
		{"empty input", "", nil},
		{"only empty lines", "\n\r\n\n", nil},
		{"two lines", "a\nbc\n", []rec{{0, "a", 0}, {2, "bc", 0}}},
		{"last line without end", "a\nbc", []rec{{0, "a", 0}, {2, "bc", 0}}},
		{"carriage returns", "a\r\nb\r\n\r\nc\r", []rec{{0, "a", 0}, {3, "b", 0}, {8, "c", 0}}},
		{"carriage return within", "a\rb\n", []rec{{0, "a\rb", 0}}},
		{"empty lines between", "a\n\n\nb\n", []rec{{0, "a", 0}, {4, "b", 0}}},
		{"lines of white space", " \n\t \r\na\n \r", []rec{{6, "a", 0}}},
		{"white space around", " a \n", []rec{{0, " a ", 0}}},
		{"byte order mark", "\xef\xbb\xbfa\n\xef\xbb\xbfb\n", []rec{{3, "a", 0}, {5, "\xef\xbb\xbfb", 0}}},
		{"byte order mark alone", "\xef\xbb\xbf", nil},
		{"binary garbage", "\x00\xff\xfe\n\x80", []rec{{0, "\x00\xff\xfe", 0}, {4, "\x80", 0}}},
		{"line at the limit", "0123456789\n0123456789\r\nx", []rec{{0, "0123456789", 0}, {11, "0123456789", 0}, {23, "x", 0}}},
		{"line above the limit", "0123456789X\nx\n", []rec{{0, "0123456789X", 1}, {12, "x", 0}}},
		{"long line at the end", "x\n0123456789X", []rec{{0, "x", 0}, {2, "0123456789X", 1}}},
		{"long line with carriage return", "0123456789X\r\nx\n", []rec{{0, "0123456789X", 1}, {13, "x", 0}}},
	}
	for _, test := range tests {
		for from, s := range everyWay(t, test.input, Options{MaxLine: 10}) {
			t.Run(test.name+"/"+from, func(t *testing.T) {
				got, err := drain(t.Context(), s)
				for i := range got {
					if got[i].Fault != 0 { // how much is kept depends on what was in the buffer
						got[i].Text = got[i].Text[:11]
					}
				}
				if d := cmp.Diff(test.want, got); d != "" || err != nil {
					t.Errorf("input %q: %v\n(-want +got)\n%s", test.input, err, d)
				}
				if s.Position() != int64(len(test.input)) {
					t.Errorf("position %d at the end of %d bytes", s.Position(), len(test.input))
				}
				if err := next(t.Context(), s, new(event.Batch)); err != io.EOF {
					t.Errorf("after the end: %v", err)
				}
			})
		}
	}
}

func everyWay(t *testing.T, input string, o Options) map[string]*Source {
	stdin, zipped := o, o
	stdin.Stdin = iotest.OneByteReader(strings.NewReader(input))
	zipped.Stdin = iotest.DataErrReader(bytes.NewReader(zip(input)))
	return map[string]*Source{
		"file":         open(t, write(t, "in.jsonl", []byte(input)), o),
		"gz":           open(t, write(t, "in.jsonl.gz", zip(input)), o),
		"gz, 2 parts":  open(t, write(t, "in", zip(input[:len(input)/2], input[len(input)/2:])), o),
		"stdin":        open(t, Stdin, stdin),
		"zipped stdin": open(t, Stdin, zipped),
	}
}

// plainLines is the twin: it holds everything and cuts it apart.
func plainLines(input string, from int64, maxLine int) (want []rec) {
	offset := from
	for _, line := range strings.SplitAfter(input[from:], "\n") {
		start := offset
		offset += int64(len(line))
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line) > maxLine {
			want = append(want, rec{Offset: start, Fault: event.FaultTooLong})
			continue
		}
		if start == 0 && strings.HasPrefix(line, "\xef\xbb\xbf") {
			start, line = 3, line[3:]
		}
		if strings.Trim(line, " \t\r") != "" {
			want = append(want, rec{Offset: start, Text: line})
		}
	}
	return want
}

// checkTwin reads input with options and compares with the twin, at every way to cut
// the reads, resuming after stop records.
func checkTwin(t testing.TB, input string, o Options, chunks []int, stop int) {
	path := write(t, "in", []byte(input))
	file := open(t, path, o)
	var got []rec
	for len(got) < stop {
		var b event.Batch
		if next(context.Background(), file, &b) != nil {
			break
		}
		got = append(got, records(&b)...)
	}
	position, fingerprint := file.Position(), file.Fingerprint()
	again := open(t, path, o)
	if err := again.Resume(context.Background(), position, fingerprint); err != nil {
		t.Fatalf("resume at %d: %v", position, err)
	}
	rest, err := drain(context.Background(), again)
	compareTwin(t, "file resumed", append(got, rest...), err, input, o)

	o.Stdin = &chunked{strings.NewReader(input), chunks}
	piped, err := drain(context.Background(), open(t, Stdin, o))
	compareTwin(t, "stdin", piped, err, input, o)
}

func compareTwin(t testing.TB, from string, got []rec, err error, input string, o Options) {
	for i := range got {
		if got[i].Fault != 0 {
			got[i].Text = ""
		}
	}
	if d := cmp.Diff(plainLines(input, 0, o.MaxLine), got); d != "" || err != nil {
		t.Fatalf("%s, input %q: %v\n(-twin +got)\n%s", from, input, err, d)
	}
}

// chunked gives as many bytes at each read as the next of sizes says.
type chunked struct {
	in    io.Reader
	sizes []int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.sizes) > 0 {
		p = p[:min(len(p), c.sizes[0])]
		c.sizes = c.sizes[1:]
	}
	return c.in.Read(p)
}

func TestAgainstTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.SampledFrom([]string{"\n", "\r\n", "\r", " ", "\t", "a", "bcdefgh", "\xef\xbb\xbf", "0123456789"})
		input := strings.Join(rapid.SliceOfN(part, 0, 30).Draw(r, "parts"), "")
		// Gzip's magic would make another input of it; it is not in the alphabet.
		o := Options{
			MaxLine:    rapid.SampledFrom([]int{1, 8, 10, 1000}).Draw(r, "limit"),
			MaxRecords: rapid.SampledFrom([]int{0, 1, 3}).Draw(r, "records"),
			Now:        fixedNow,
		}
		chunks := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 40).Draw(r, "chunks")
		checkTwin(t, input, o, chunks, rapid.IntRange(0, 10).Draw(r, "stop"))
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\n\nc"), 3, 1)
	f.Add([]byte("\xef\xbb\xbf\n0123456789"), 4, 0)
	f.Fuzz(func(t *testing.T, input []byte, limit, records int) {
		if len(input) > 1 && string(input[:2]) == magic {
			return
		}
		o := Options{MaxLine: 1 + abs(limit)%100, MaxRecords: abs(records) % 10, Now: fixedNow}
		checkTwin(t, string(input), o, []int{1, 2, 3, 5, 7}, abs(records)%5)
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// FuzzGzip feeds arbitrary bytes as compressed input: an error or records, never a panic
// and never an endless loop.
func FuzzGzip(f *testing.F) {
	f.Add(zip("a\nb\n", "c")[2:])
	f.Fuzz(func(t *testing.T, tail []byte) {
		s := open(t, write(t, "in", append([]byte(magic), tail...)), Options{})
		_, _ = drain(t.Context(), s)
	})
}

func TestLongLinesAcrossManyReads(t *testing.T) {
	line := strings.Repeat("y", readSize+10)
	input := line + "\n" + strings.Repeat("z", 3*readSize) + "\nlast\n"
	for from, s := range everyWay(t, input, Options{MaxLine: readSize + 10}) {
		if from == "stdin" {
			continue // byte by byte takes long
		}
		got, err := drain(t.Context(), s)
		if err != nil || len(got) != 3 {
			t.Fatalf("%s: %d records, %v", from, len(got), err)
		}
		if got[0] != (rec{0, line, 0}) {
			t.Errorf("%s: line at the limit: %d bytes, %v", from, len(got[0].Text), got[0].Fault)
		}
		if r := got[1]; r.Fault != event.FaultTooLong || r.Offset != readSize+11 || r.Text != strings.Repeat("z", keepLong) {
			t.Errorf("%s: long line: %d bytes at %d, %v", from, len(r.Text), r.Offset, r.Fault)
		}
		if got[2] != (rec{4*readSize + 12, "last", 0}) {
			t.Errorf("%s: line after the long one: %v", from, got[2])
		}
	}
}

// zeros is n bytes of one line.
type zeros struct{ n int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(z.n, len(p))
	z.n -= n
	for i := range p[:n] {
		p[i] = '0'
	}
	return n, nil
}

func TestHugeLineIsNeverHeldWhole(t *testing.T) {
	const size = 100 << 20
	s := open(t, Stdin, Options{Stdin: &zeros{size}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := drain(t.Context(), s)
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 1 || got[0].Fault != event.FaultTooLong || s.Position() != size {
		t.Fatalf("%d records, position %d, %v", len(got), s.Position(), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes allocated for a line of %d", n, size)
	}
}

func TestTimeAndPartNumber(t *testing.T) {
	s := open(t, write(t, "in", []byte("a\n")), Options{Part: 3})
	var b event.Batch
	if err := next(t.Context(), s, &b); err != nil {
		t.Fatal(err)
	}
	if r := b.Records[0]; r.Part != 3 || r.Time != fixedNow().UnixNano() {
		t.Errorf("part %d, time %d", r.Part, r.Time)
	}
}

func TestPartitionIsTheCleanedPath(t *testing.T) {
	path := write(t, "in", nil)
	dir, name := filepath.Split(path)
	s := open(t, dir+"./"+name, Options{})
	if got := s.Partition(); got != (event.Partition{Source: path}) {
		t.Errorf("got %v", got)
	}
	s = open(t, Stdin, Options{Stdin: strings.NewReader("")})
	if got := s.Partition(); got != (event.Partition{Source: "stdin"}) {
		t.Errorf("got %v", got)
	}
}

func TestHeader(t *testing.T) {
	const input = "\r\n\xef\xbb\xbfid,name\r\n1,a\n2,b\n"
	for from, s := range everyWay(t, input[2:], Options{Header: true, Part: 1, MaxRecords: 1}) {
		var b event.Batch
		if err := next(t.Context(), s, &b); err != nil {
			t.Fatal(err)
		}
		if len(b.Header) != 2 || string(b.Header[1]) != "id,name" || records(&b)[0].Text != "1,a" {
			t.Errorf("%s: header %q, records %v", from, b.Header, records(&b))
		}
		if s.file == nil {
			continue
		}
		again := open(t, s.Partition().Source, Options{Header: true})
		if err := again.Resume(t.Context(), s.Position(), s.Fingerprint()); err != nil {
			t.Fatal(err)
		}
		b = event.Batch{}
		if err := next(t.Context(), again, &b); err != nil {
			t.Fatal(err)
		}
		if string(b.Header[0]) != "id,name" || records(&b)[0].Text != "2,b" {
			t.Errorf("%s resumed: header %q, records %v", from, b.Header, records(&b))
		}
	}
}

// TestBlankRowsUnderAHeader: a row of one column may be a cell of white space.
func TestBlankRowsUnderAHeader(t *testing.T) {
	for from, s := range everyWay(t, " \n\nname\n \n\r\nx\n", Options{Header: true}) {
		got, err := drain(t.Context(), s)
		if d := cmp.Diff([]rec{{8, " ", 0}, {12, "x", 0}}, got); d != "" || err != nil {
			t.Errorf("%s: %v\n(-want +got)\n%s", from, err, d)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct{ path, want string }{
		"missing":   {filepath.Join(dir, "no.jsonl"), "no such file"},
		"directory": {dir, "is a directory"},
	}
	for name, test := range tests {
		_, err := Open(test.path, Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Open("x", Options{MaxLine: -1}); err == nil {
		t.Error("a negative limit was accepted")
	}
}

// TestBrokenGzip reads input cut at every byte: what came out whole before is handed on,
// and the error names the file.
func TestBrokenGzip(t *testing.T) {
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "line %d\n", i*7919)
	}
	whole := zip(lines.String())
	for cut := 2; cut < len(whole); cut += 3 {
		path := write(t, "in.gz", whole[:cut])
		s := open(t, path, Options{})
		got, err := drain(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cut short") {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
		}
		if d := cmp.Diff(plainLines(lines.String(), 0, 1000)[:len(got)], got, cmp.Transformer("nil", func(r []rec) []rec { return append([]rec{}, r...) })); d != "" {
			t.Fatalf("cut at %d: %s", cut, d)
		}
		if want := fmt.Sprintf("after byte %d", s.Position()); cut > 18 && !strings.Contains(err.Error(), want) {
			t.Errorf("cut at %d: %v; want %q in it", cut, err, want)
		}
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-5] ^= 1 // in the checksum
	got, err := drain(t.Context(), open(t, write(t, "in.gz", damaged), Options{}))
	if len(got) != 200 || err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %d records, %v", len(got), err)
	}
}

// TestZstd reads input compressed by zstd, cut at every byte.
func TestZstd(t *testing.T) {
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "line %d\n", i*7919)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := enc.EncodeAll([]byte(lines.String()), nil)
	got, err := drain(t.Context(), open(t, write(t, "in.zst", whole), Options{}))
	if d := cmp.Diff(plainLines(lines.String(), 0, 1000), got); d != "" || err != nil {
		t.Fatalf("%v: %s", err, d)
	}
	for cut := 4; cut < len(whole); cut += 3 {
		if _, err := drain(t.Context(), open(t, write(t, "in.zst", whole[:cut]), Options{})); err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
		}
	}
}

func TestReplacedFileIsRefused(t *testing.T) {
	old := "first line\nsecond line\nthird line\n"
	tests := []struct {
		name, now string
		replaced  bool
	}{
		{"the same", old, false},
		{"grown", old + "fourth\n", false},
		{"another", strings.Replace(old, "first", "FIRST", 1), true},
		{"shorter", "first line\n", true},
		{"empty", "", true},
	}
	for _, test := range tests {
		for _, zipped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/gz=%v", test.name, zipped), func(t *testing.T) {
				before, now := []byte(old), []byte(test.now)
				if zipped {
					before, now = zip(old), zip(test.now)
				}
				path := write(t, "in", before)
				s := open(t, path, Options{MaxRecords: 2})
				if err := next(t.Context(), s, new(event.Batch)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, now, 0o600); err != nil {
					t.Fatal(err)
				}
				again := open(t, path, Options{})
				err := again.Resume(t.Context(), s.Position(), s.Fingerprint())
				if err == nil {
					_, err = drain(t.Context(), again)
				}
				var replaced *ReplacedError
				if errors.As(err, &replaced) != test.replaced || (err != nil) != test.replaced {
					t.Errorf("got %v", err)
				}
				if test.replaced && !strings.Contains(err.Error(), path) {
					t.Errorf("message without the path: %v", err)
				}
			})
		}
	}
}

func TestResumeOfShortAndUnterminatedFiles(t *testing.T) {
	path := write(t, "in", []byte("a\nb"))
	s := open(t, path, Options{})
	if _, err := drain(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, Options{})
	if err := again.Resume(t.Context(), s.Position(), s.Fingerprint()); err != nil {
		t.Fatal(err)
	}
	got, err := drain(t.Context(), again)
	if d := cmp.Diff([]rec{{4, "c", 0}}, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if err := again.Resume(t.Context(), 0, nil); err == nil {
		t.Error("resume after reading was accepted")
	}
}

func TestCorruptFingerprint(t *testing.T) {
	s := open(t, write(t, "in", []byte("abc\n")), Options{})
	for _, f := range [][]byte{{1}, bytes.Repeat([]byte{9}, 19), append([]byte{1, 0xff, 0xff}, make([]byte, 16)...)} {
		if err := s.Resume(t.Context(), 2, f); err == nil {
			t.Errorf("fingerprint %x was accepted", f)
		}
	}
}

func TestStdinPositionsGoOn(t *testing.T) {
	s := open(t, Stdin, Options{Stdin: strings.NewReader("a\nb\n")})
	if err := s.Resume(t.Context(), 100, []byte("whatever")); err != nil {
		t.Fatal(err)
	}
	got, err := drain(t.Context(), s)
	if d := cmp.Diff([]rec{{100, "a", 0}, {102, "b", 0}}, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if s.Fingerprint() != nil {
		t.Error("standard input has a fingerprint")
	}
}

func TestLiveInputHandsOnWhatIsThere(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Stdin, Options{Stdin: r})
	for _, text := range []string{"a\n", "b\nc\n"} {
		if _, err := io.WriteString(w, text+"unfin"); err != nil {
			t.Fatal(err)
		}
		var b event.Batch
		if err := next(t.Context(), s, &b); err != nil {
			t.Fatal(err)
		}
		if !b.AtEnd {
			t.Errorf("after %q: not at the end", text)
		}
		if _, err := io.WriteString(w, "ished\n"); err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if err := next(t.Context(), s, &b); err != nil || records(&b)[0].Text != "unfinished" {
			t.Errorf("got %v, %v", records(&b), err)
		}
	}
	if err := errors.Join(w.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

// A live input that has nothing yet, or only a part of a line, says once that it stands
// at its end, and then waits.
func TestSilentInputSaysThatItIsAtItsEnd(t *testing.T) {
	r, w := io.Pipe()
	s := open(t, Stdin, Options{Stdin: r})
	var b event.Batch
	if err := s.Next(t.Context(), &b); err != nil || !b.AtEnd || len(b.Records) > 0 {
		t.Errorf("at the start: %v, at the end: %v, %v", err, b.AtEnd, records(&b))
	}
	go w.Write([]byte("a\n"))
	b.Reset()
	if err := s.Next(t.Context(), &b); err != nil || len(b.Records) != 1 {
		t.Errorf("then: %v, %v", err, records(&b))
	}
	if err := errors.Join(w.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestBlockedReadHeedsContextAndGoesOn(t *testing.T) {
	r, w := io.Pipe()
	s := open(t, Stdin, Options{Stdin: r})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- next(ctx, s, new(event.Batch)) }()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() {
		io.WriteString(w, "a\n")
		w.Close()
	}()
	got, err := drain(t.Context(), s)
	if d := cmp.Diff([]rec{{0, "a", 0}}, got); d != "" || err != nil {
		t.Errorf("after going on: %v %s", err, d)
	}
}

func TestCloseInterruptsABlockedRead(t *testing.T) {
	pr, pw := io.Pipe()
	fr, fw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	defer fw.Close()
	for _, in := range []io.Reader{pr, fr} {
		s := open(t, Stdin, Options{Stdin: in})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := next(ctx, s, new(event.Batch)); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if err := s.Close(); err != nil { // goleak sees the goroutine that would be left
			t.Errorf("close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
}

func TestReadErrorComesAfterTheRecords(t *testing.T) {
	broken := errors.New("broken wire")
	s := open(t, Stdin, Options{Stdin: io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken))})
	got, err := drain(t.Context(), s)
	if d := cmp.Diff([]rec{{0, "a", 0}}, got); d != "" || !errors.Is(err, broken) || !strings.Contains(err.Error(), "stdin after byte 2") {
		t.Errorf("%v %s", err, d)
	}
}

func BenchmarkLines(b *testing.B) {
	for _, size := range []int{50, 200, 1000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			line := strings.Repeat("x", size-1) + "\n"
			path := write(b, "in", []byte(strings.Repeat(line, (64<<20)/size)))
			b.SetBytes(64 << 20)
			b.ReportAllocs()
			var batch event.Batch
			for b.Loop() {
				s, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					batch.Reset()
					err = s.Next(b.Context(), &batch)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
