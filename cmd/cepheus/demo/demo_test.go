package demo

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestOwnBroker(t *testing.T) { shows(t, nil) }

func TestRealBroker(t *testing.T) { shows(t, servers.StartKafka(t, 1).Plain()) }

// shows runs the demo for two minutes of event time, and reads the topic of alerts.
func shows(t *testing.T, brokers []string) {
	if len(brokers) == 0 {
		own, stop, err := ownBroker()
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		brokers = own
	}
	var out, live bytes.Buffer
	o := Options{Brokers: brokers, Rate: 500, Every: 100 * time.Millisecond, Speed: 600, For: 3 * time.Second, Seed: 3, Out: &out, Live: &live}
	if err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	text := out.String()
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^ +\w+ +(\d+) +(\d+)$`).FindAllStringSubmatch(text, -1) {
		if found++; m[1] != m[2] {
			t.Errorf("planted and found: %s", m[0])
		}
	}
	if found < 6 || !strings.Contains(text, "CRITICAL  takeover") || strings.Contains(text, "\x1b") || !strings.Contains(live.String(), "a second") {
		t.Errorf("the screen:\n%s\nthe live line:\n%q", text, &live)
	}
	shown := len(regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `).FindAllString(text, -1))
	if n := alertsIn(t, brokers, shown); n != shown {
		t.Errorf("%d alerts are shown, %d are in the topic", shown, n)
	}
}

// alertsIn counts the alerts in the topic, waiting for as many as are wanted.
func alertsIn(t *testing.T, brokers []string, want int) (n int) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("cepheus-demo-alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n < want {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d alerts read: %v", n, err)
		}
		n += f.NumRecords()
	}
	return n
}

func TestColours(t *testing.T) {
	a := &alert{Rule: "r", Severity: "high", Title: "T", Time: time.Unix(0, 0), Fields: map[string]any{"b": 1.0, "a": 2.345, "c": nil}}
	a.Key.Card = "c1"
	s := &screen{o: &Options{}}
	want := "00:00:00  HIGH      r              c1            T: a 2.35, b 1, c none"
	if got := s.text(a); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	s.o.Colour = true
	if got := s.text(a); !strings.Contains(got, "\x1b[1;31mHIGH    \x1b[0m") {
		t.Errorf("in colour: %q", got)
	}
}
