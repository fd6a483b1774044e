package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestBenchKafkaMeasuresAndCleansUp runs it in small on a broker in memory.
func TestBenchKafkaMeasuresAndCleansUp(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := &world{ctx: t.Context(), stdout: out, stderr: io.Discard, now: time.Now}
	b := &kafkaBench{w: w, ctx: t.Context(), brokers: c.ListenAddrs(), events: 5000, every: []time.Duration{20 * time.Millisecond}, paced: 100 * time.Millisecond}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^commit 20ms +\d+ +\d+ +\d+ +\d+\.\d\d +[\d.]+m?s +[\d.]+m?s$`).Match(text) {
		t.Errorf("%s", text)
	}
	for _, name := range b.topics {
		if c.TopicInfo(name) != nil {
			t.Errorf("topic %s is left", name)
		}
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("folder is left: %v", err)
	}
}

func TestBenchKafkaWithoutABroker(t *testing.T) {
	w := &world{ctx: t.Context(), stdout: os.Stdout, stderr: io.Discard, now: time.Now}
	if err := (benchVerb{Kafka: "localhost:1"}).kafka(w); err == nil || !regexp.MustCompile("no connection to localhost:1").MatchString(err.Error()) {
		t.Error(err)
	}
}
