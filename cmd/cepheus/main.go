package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // windows follow calendars also where the system has no time zones

	"github.com/alecthomas/kong"

	"github.com/cepheus-cep/cepheus/internal/heap"
)

// world is what a verb sees of the process: handed to its Run method.
type world struct {
	ctx    context.Context
	stdin  *os.File
	stdout *os.File
	stderr io.Writer
	now    func() time.Time
	heap   *heap.Tuner // nil: the environment says how memory is collected
	ends   bool        // the process ends with the verb, and all that it holds with it

	logJSON  bool // else text
	logLevel slog.Level
}

type verbs struct {
	Run         runVerb          `cmd:"" help:"Run rules over events."`
	Check       checkVerb        `cmd:"" help:"Check rule files; silent when all is well."`
	Test        testVerb         `cmd:"" help:"Run the tests in rule files; a failure tells what came nearest."`
	Fmt         fmtVerb          `cmd:"" help:"Lay rule files out."`
	Explain     explainVerb      `cmd:"" help:"Tell, event by event, what a rule made of events, and why it did not fire."`
	Replay      replayVerb       `cmd:"" help:"Sum up what rules give over past events."`
	Infer       inferVerb        `cmd:"" help:"Propose event declarations for sample events."`
	Init        initVerb         `cmd:"" help:"Lay down a small project: rules, tests, events."`
	Rules       rulesVerbs       `cmd:"" help:"Look at the rules of a running engine, and change them."`
	Events      eventsVerbs      `cmd:"" help:"Send events to a running engine."`
	Alerts      alertsVerbs      `cmd:"" help:"Follow the alerts of a running engine."`
	Route       routeVerb        `cmd:"" help:"Show where alerts would go, and why."`
	Sink        sinkVerbs        `cmd:"" help:"Try a sink: show what it would send, or send a test alert."`
	DeadLetters deadLettersVerbs `cmd:"" name:"dead-letters" help:"List, show, correct, send again and remove what came to nothing."`
	State       stateVerbs       `cmd:"" help:"Look at, back up, restore and mend a state folder."`
	Token       tokenVerb        `cmd:"" help:"Make a token for the API, and its line for the configuration."`
	Config      configVerbs      `cmd:"" help:"About the configuration file."`
	Demo        demoVerb         `cmd:"" help:"Show rules at work on made-up payments, through Kafka; nothing needs to be installed."`
	Bench       benchVerb        `cmd:"" help:"Measure throughput, latency and memory."`
	Version     versionVerb      `cmd:"" help:"Print the version."`
}

func main() { os.Exit(cepheus()) }

// cepheus runs the verb that the command line names and returns the exit code.
//
// A signal asks the verb to come to a clean end; a second one ends the process at
// once. A reader of our output that goes away (| head) is no signal but an error of
// writing, which verbs take as the end.
func cepheus() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	signal.Ignore(syscall.SIGPIPE)
	var tuner *heap.Tuner
	if os.Getenv("GOGC") == "" {
		tuner = heap.Tune() // a sliding count over 10,000 keys takes 59 MB, in the same time
	}
	w := &world{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, heap: tuner, ends: true}
	return w.exit(w.dispatch(os.Args[1:]))
}

func (w *world) dispatch(args []string) error {
	var v verbs
	parser, err := kong.New(&v,
		kong.Name("cepheus"),
		kong.Description("Complex event processing: rules over streams of events."),
		kong.Writers(w.stdout, w.stderr),
		kong.NamedMapper("given", kong.MapperFunc(given)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("describe the command line: %w", err)
	}
	call, err := parser.Parse(args)
	if err != nil {
		return usage(fmt.Errorf("%w (%s --help tells more)", err, verbOf(err)))
	}
	return call.Run(w)
}

// verbOf is the verb of a command line that could not be understood, as far as it was.
func verbOf(err error) string {
	verb := []string{"cepheus"}
	if at := (*kong.ParseError)(nil); errors.As(err, &at) {
		for _, p := range at.Context.Path {
			if p.Command != nil {
				verb = append(verb, p.Command.Name)
			}
		}
	}
	return strings.Join(verb, " ")
}

// given reads the value of a flag that means something else where it is not given: an
// empty one, as of a shell variable that is not set, would silently be no flag at all
// (--state "$DIR": no state). Of a flag of many values it adds one.
func given(at *kong.DecodeContext, into reflect.Value) error {
	var value string
	switch next := at.Scan.Peek(); {
	case next.IsEOL():
		return errors.New("its value is missing")
	case next.Value == "":
		return errors.New("its value is empty")
	}
	if err := at.Scan.PopValueInto("string", &value); err != nil {
		return err
	}
	if into.Kind() == reflect.Slice {
		into.Set(reflect.Append(into, reflect.ValueOf(value)))
		return nil
	}
	into.SetString(value)
	return nil
}
