package state

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkEpochs commits epochs as a sliding window with evidence makes them (2 KB a
// record, JSON) over few hot keys, and as a counter makes them over many uniformly used ones.
func BenchmarkEpochs(b *testing.B) {
	for _, c := range []struct{ keys, writes, size, epochs int }{
		{10_000, 10_000, 2000, 60},
		{1_000_000, 123_000, 300, 30},
	} {
		for _, sync := range []bool{true, false} {
			b.Run(fmt.Sprintf("keys=%d/sync=%v", c.keys, sync), func(b *testing.B) {
				for b.Loop() {
					benchmarkEpochs(b, c.keys, c.writes, c.size, c.epochs, sync)
				}
			})
		}
	}
}

func benchmarkEpochs(b *testing.B, keys, writes, size, epochs int, sync bool) {
	dir := b.TempDir()
	s, err := OpenBadger(dir, Options{NoSync: !sync})
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	values := make([][]byte, 1000)
	for i := range values {
		values[i] = payments(nil, size, i, random.Uint64())
	}
	var batch Batch
	cpu, written := cpuTime(), bytesWritten()
	var longest, waited time.Duration
	for range epochs {
		batch.Reset()
		for i := range writes {
			key := i
			if keys != writes {
				key = random.IntN(keys)
			}
			batch.Put(TableKeys, fmt.Appendf(nil, "rule/card %07d", key), values[random.IntN(len(values))])
		}
		at := time.Now()
		if err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		longest, waited = max(longest, time.Since(at)), waited+time.Since(at)
	}
	b.ReportMetric(float64((cpuTime()-cpu).Milliseconds())/float64(epochs), "cpu-ms/epoch")
	b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
	b.ReportMetric(float64(waited.Milliseconds())/float64(epochs), "commit-ms/epoch")
	at := time.Now()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(at).Milliseconds()), "close-ms")
	b.ReportMetric(float64(bytesWritten()-written)/float64(epochs)/(1<<20), "MB/epoch")
	at = time.Now()
	if s, err = OpenBadger(dir, Options{NoSync: !sync}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(at).Milliseconds()), "open-ms")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// payments appends about size bytes of evidence.
func payments(b []byte, size, card int, r uint64) []byte {
	for i := 0; len(b) < size; i++ {
		r = r*6364136223846793005 + 1442695040888963407
		b = fmt.Appendf(b, `{"type":"payment","ts":%d,"card":"c%07d","amount":%d.%02d,"country":"DE","merchant":"m%03d"}`,
			1700000000000+int64(i)*1000+int64(r>>40)%1000, card, r>>33%1000, r>>20%100, r>>50%500)
	}
	return b
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bytesWritten is what the process has had written to disks.
func bytesWritten() (n int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	return 0
}
