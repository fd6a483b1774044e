package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/rules/story"
	"github.com/cepheus-cep/cepheus/rules/tester"
)

type testVerb struct {
	Paths   []string `arg:"" name:"path" help:"Rule files, or folders of them (*.cep), with test blocks. All together are one rule set."`
	Verbose bool     `name:"verbose" short:"v" help:"Tell of tests that pass, too."`
	Only    string   `name:"run" type:"given" placeholder:"REGEXP" help:"Only tests whose rules and title match: card_testing \"three small\"."`
	JUnit   string   `name:"junit" type:"given" placeholder:"FILE" help:"Write the results for a build server, too."`
	Cover   bool     `name:"cover" help:"Also tell what the tests do not cover: rules, steps, and conditions that were never true or never false."`
}

// Run runs the test blocks and tells what fails.
func (v testVerb) Run(w *world) error {
	only, err := v.only()
	if err != nil {
		return usage(err)
	}
	suite, err := loadSuite(w, v.Paths)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // many short runs that leave nothing: a quarter of the time
	}
	report := &testReport{verb: v, to: bufio.NewWriter(w.stdout), covers: map[string]*story.Cover{}}
	began := w.now()
	err = suite.Run(w.ctx, tester.Options{Only: only, Cover: v.Cover, Now: w.now}, report.add)
	if err != nil {
		return errors.Join(err, report.flush())
	}
	return v.finish(w, suite, report, w.now().Sub(began))
}

func (v testVerb) finish(w *world, suite *tester.Suite, report *testReport, took time.Duration) error {
	if report.ran == 0 && v.Only != "" {
		return usage(fmt.Errorf("--run %s: none of %d tests is called so", v.Only, len(suite.Set.Tests)))
	}
	if v.Cover {
		report.cover(suite)
	}
	report.total(took)
	err := report.flush()
	if v.JUnit != "" {
		err = errors.Join(err, report.writeJUnit(v.JUnit, took))
	}
	if err == nil && report.failed > 0 {
		return errNotWell
	}
	return err
}

func (v testVerb) only() (func(*plan.Test) bool, error) {
	if v.Only == "" {
		return nil, nil
	}
	re, err := regexp.Compile(v.Only)
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	return func(t *plan.Test) bool { return re.MatchString(testName(t)) }, nil
}

// loadSuite compiles a rule set with its tests; messages go to standard error.
func loadSuite(w *world, paths []string) (*tester.Suite, error) {
	files, err := readRules(w, paths)
	if err != nil {
		return nil, err
	}
	suite, messages := tester.Load(files, lookup.New(lookup.Options{}).Read)
	if err := messages.Print(w.stderr); err != nil {
		return nil, err
	}
	if suite == nil {
		return nil, errNotWell
	}
	return suite, nil
}

// readRules reads rule files. A path that is not there is wrong usage; what cannot be read
// is told on standard error.
func readRules(w *world, paths []string) ([]*source.File, error) {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return nil, usage(fmt.Errorf("rules: %w", err))
		}
	}
	files, unread := source.Read(paths)
	if !unread.HasErrors() {
		return files, nil
	}
	unread.Sort()
	return nil, errors.Join(unread.Print(w.stderr), errNotWell)
}

// testName is how a test is called: its rules, and its title.
func testName(t *plan.Test) string {
	name := strings.Join(t.Rules, ", ")
	if t.Title != "" {
		name += fmt.Sprintf(" %q", t.Title)
	}
	return name
}

// testReport writes results as they come, and counts them.
type testReport struct {
	verb        testVerb
	to          *bufio.Writer
	ran, failed int
	covers      map[string]*story.Cover
	results     []*tester.Result // for --junit
}

func (r *testReport) add(res *tester.Result) error {
	r.ran++
	if r.verb.JUnit != "" {
		r.results = append(r.results, res)
	}
	for _, c := range res.Covers {
		if have := r.covers[c.Rule]; have != nil {
			have.Add(c)
		} else {
			r.covers[c.Rule] = c
		}
	}
	if res.Passed() {
		if r.verb.Verbose {
			fmt.Fprintf(r.to, "ok    %s: %s\n", res.Test.Span, testName(res.Test))
		}
		return nil
	}
	r.failed++
	fmt.Fprintf(r.to, "FAIL  %s: %s\n", res.Test.Span, testName(res.Test))
	writeFailures(r.to, res)
	return r.flush()
}

// flush writes what is held back. Where nobody reads any more the tests go on: the exit code
// and --junit tell of all of them.
func (r *testReport) flush() error {
	err := r.to.Flush()
	if errors.Is(err, syscall.EPIPE) {
		r.to.Reset(io.Discard)
		return nil
	}
	return err
}

func writeFailures(to io.Writer, res *tester.Result) {
	if res.Err != nil {
		fmt.Fprintf(to, "      %v\n", res.Err)
	}
	for i := range res.Failures {
		f := &res.Failures[i]
		fmt.Fprintf(to, "      expected  %s    (%s)\n", f.Expected, f.Span)
		writeBlock(to, "came", f.Actual, "no alert of "+f.Rule)
		if len(f.Miss) > 0 {
			writeBlock(to, "nearest", f.Miss, "")
		}
	}
}

// writeBlock writes lines under one word.
func writeBlock(to io.Writer, word string, lines []string, none string) {
	if len(lines) == 0 {
		lines = []string{none}
	}
	for i, line := range lines {
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(to, "      %-9s %s\n", word, line)
	}
}

func (r *testReport) total(took time.Duration) {
	what := "ok"
	if r.failed > 0 {
		what = fmt.Sprintf("FAIL  %d of", r.failed)
	}
	fmt.Fprintf(r.to, "%-5s %s, %s\n", what, number(uint64(r.ran), "test", "tests"), took.Round(time.Millisecond))
}

// cover tells what is not covered, rule by rule.
func (r *testReport) cover(suite *tester.Suite) {
	rules, conditions, covered := 0, 0, 0
	fmt.Fprintln(r.to, "coverage")
	for _, rule := range suite.Set.Rules {
		c := r.covers[rule.Name]
		if c == nil {
			fmt.Fprintf(r.to, "  %s: no test\n", rule.Name)
			continue
		}
		rules++
		for _, gap := range gaps(c) {
			fmt.Fprintf(r.to, "  %s: %s\n", rule.Name, gap)
		}
		for _, x := range c.Conditions {
			conditions++
			if x.Yes > 0 && x.No > 0 {
				covered++
			}
		}
	}
	fmt.Fprintf(r.to, "  %d of %d rules have tests; %d of %d conditions were true and false\n", rules, len(suite.Set.Rules), covered, conditions)
}

func gaps(c *story.Cover) (out []string) {
	if !c.Alerted {
		out = append(out, "never alerted")
	}
	for _, s := range c.Steps {
		if !s.Taken {
			out = append(out, "step "+s.Name+" never took an event")
		}
	}
	for _, x := range c.Conditions {
		switch {
		case x.Yes == 0 && x.No == 0:
			out = append(out, x.Place+": "+x.Text+" was never asked")
		case x.Yes == 0:
			out = append(out, x.Place+": "+x.Text+" was never true")
		case x.No == 0:
			out = append(out, x.Place+": "+x.Text+" was never false")
		}
	}
	return out
}

// The form that build servers read.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Seconds  string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Seconds string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (r *testReport) writeJUnit(path string, took time.Duration) error {
	suite := junitSuite{Name: "cepheus", Tests: r.ran, Failures: r.failed, Seconds: inSeconds(took)}
	for _, res := range r.results {
		suite.Cases = append(suite.Cases, junitOf(res))
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), append(text, '\n')...), 0o644); err != nil { // #nosec G306 -- for a server of builds, which may be another user
		return fmt.Errorf("--junit: %w", err)
	}
	return nil
}

func junitOf(res *tester.Result) junitCase {
	at := res.Test.Span.File
	c := junitCase{
		Class: strings.Join(res.Test.Rules, ","), Name: testName(res.Test), File: at.Name,
		Line: at.Position(res.Test.Span.Start).Line, Seconds: inSeconds(res.Took),
	}
	if !res.Passed() {
		var b strings.Builder
		writeFailures(&b, res)
		c.Failure = &junitFailure{Message: firstFailure(res), Text: b.String()}
	}
	return c
}

func firstFailure(res *tester.Result) string {
	if res.Err != nil {
		return res.Err.Error()
	}
	return "expected " + res.Failures[0].Expected
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
