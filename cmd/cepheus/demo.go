package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/cepheus-cep/cepheus/cmd/cepheus/demo"
)

type demoVerb struct {
	Brokers []string      `name:"brokers" placeholder:"HOST:PORT" help:"Brokers of a Kafka that is there; without it one runs within this process."`
	Topic   string        `name:"topic" type:"given" default:"cepheus-demo-payments" help:"Where the events are written to and read from; made where it is not there."`
	Alerts  string        `name:"alerts" type:"given" default:"cepheus-demo-alerts" help:"Where alerts go, besides the screen."`
	Rate    int           `name:"rate" default:"2000" help:"Events a second."`
	Attack  time.Duration `name:"attack" default:"1s" help:"Time between two attacks."`
	Speed   float64       `name:"speed" default:"60" help:"Seconds of event time in one of the clock."`
	For     time.Duration `name:"for" placeholder:"DURATION" help:"How long it goes on; without it until Ctrl-C."`
	Seed    uint64        `name:"seed" default:"1" help:"What is drawn depends on it."`
}

// Run shows rules at work on events that it makes up: alerts and a summary on standard
// output, a live line on standard error where that is a terminal.
func (v demoVerb) Run(w *world) error {
	if v.Rate <= 0 || v.Attack <= 0 || v.Speed <= 0 || v.For < 0 {
		return usage(errors.New("--rate, --attack and --speed: more than 0; --for: not less"))
	}
	o := demo.Options{
		Brokers: v.Brokers, Topic: v.Topic, AlertTopic: v.Alerts,
		Rate: v.Rate, Every: v.Attack, Speed: v.Speed, For: v.For, Seed: v.Seed,
		Out: w.stdout, Colour: isTerminal(w.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Now: w.now, Log: slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if isTerminal(w.stderr) {
		o.Live = w.stderr
	}
	return demo.Run(w.ctx, o)
}

func isTerminal(to io.Writer) bool {
	f, ok := to.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
