package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// image is what a crash at a step left.
type image struct {
	place
	n    int
	step string
	torn string // what was done to the end of its log

	again   int // the step at which it is to crash once more; 0: it is not
	alerts  []string
	repeats int // of alerts
	records map[string]string
}

func (i *image) String() string {
	return fmt.Sprintf("crash at step %d (%s) %s, and again at %d", i.n, i.step, i.torn, i.again)
}

// photographer makes an image at each step of a run.
type photographer struct {
	r        *rand.Rand
	from     place
	to       string
	complete logEnd // when the last epoch was reported complete
	images   []*image
}

func (c *photographer) at(n int, step string) error {
	if step == "before mark" { // any other step may come between this one and "after mark"
		defer func() { c.complete = endOfLog(c.from.state()) }()
	}
	i := &image{place: place{filepath.Join(c.to, fmt.Sprint(n))}, n: n, step: step}
	if err := c.take(i); err != nil {
		return err
	}
	for _, way := range []string{cut, zeroed} {
		if err := c.tear(i, way); err != nil {
			return err
		}
	}
	return nil
}

// tear makes of an image another, whose log ends in the middle of what was being written.
func (c *photographer) tear(i *image, way string) error {
	torn := &image{place: place{i.root + way}, n: i.n, step: i.step}
	if err := copyImage(torn.root, i.root); err != nil {
		return err
	}
	var err error
	if torn.torn, err = tear(c.r, torn.state(), c.complete, way); torn.torn == "" {
		return errors.Join(err, os.RemoveAll(torn.root))
	}
	c.images = append(c.images, torn)
	return err
}

// take copies the state first: what it says is delivered is in the sink's file by then.
func (c *photographer) take(i *image) error {
	if err := os.MkdirAll(i.root, 0o700); err != nil {
		return err
	}
	if err := copyImage(i.state(), c.from.state()); err != nil {
		return err
	}
	err := copyFile(i.place.alerts(), c.from.alerts())
	if os.IsNotExist(err) {
		err = nil // the sink is not open yet
	}
	c.images = append(c.images, i)
	return err
}

// TestCrashAtEveryStep goes on from an image of each step of a run to the same end.
func TestCrashAtEveryStep(t *testing.T) {
	r := chance(t)
	rounds := 1
	if long() {
		rounds = 6
	}
	for round := range rounds {
		n := 160
		if round > 0 {
			n = 100 + r.IntN(1500)
		}
		run := &runner{set: ruleSet(t, "testdata"), shards: 1 + round%3}
		run.inputs = traffic{events: n, cards: 4, every: 700e6, large: true}.write(t, r, t.TempDir())
		run.events = max(1, n/(4+r.IntN(6)))
		crashEverywhere(t, r, run)
	}
}

func crashEverywhere(t *testing.T, r *rand.Rand, run *runner) {
	run.upTo(t, 80)
	whole := &image{place: place{t.TempDir()}, step: "none"}
	shots := &photographer{r: r, from: whole.place, to: t.TempDir()}
	s := &steps{at: shots.at}
	if err := run.run(t.Context(), whole.place, s); err != nil {
		t.Fatal(err)
	}
	twice := 0
	for i, image := range shots.images {
		if i%4 == 3 {
			image.again, twice = 1+r.IntN(s.n), twice+1
		}
	}
	all := append([]*image{whole}, shots.images...)
	eachOf(t, all, func(i *image) error { return run.goOn(t.Context(), i) })
	for _, i := range shots.images {
		if diff := cmp.Diff(whole.records, i.records); diff != "" {
			t.Fatalf("%v\nrecords (-uninterrupted +gone on):\n%s", i, diff)
		}
	}
	run.upTo(t, 100)
	repeats := 0
	eachOf(t, all, func(i *image) error { return run.finish(t.Context(), i) })
	for _, i := range shots.images {
		if diff := cmp.Diff(whole.alerts, i.alerts); diff != "" {
			t.Fatalf("%v\nalerts (-uninterrupted +gone on):\n%s", i, diff)
		}
		repeats += i.repeats
	}
	t.Logf("%d steps, %d images, %d killed twice, %d alerts, %d repeats, %d records", s.n, len(shots.images), twice, len(whole.alerts), repeats, len(whole.records))
}

// eachOf does something with all images, several at a time, for most of it is waiting
// for the disk.
func eachOf(t *testing.T, images []*image, do func(*image) error) {
	t.Helper()
	var all errgroup.Group
	all.SetLimit(6)
	for _, i := range images {
		all.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("%v: panic: %v", i, p)
				}
			}()
			if err := do(i); err != nil {
				return fmt.Errorf("%v: %w", i, err)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

// goOn starts on an image and runs to the end, crashing once more where that is asked
// for, and takes the records that are left.
func (r *runner) goOn(ctx context.Context, i *image) (err error) {
	if i.again > 0 {
		if err := r.crash(ctx, i); err != nil {
			return err
		}
	}
	if err := r.run(ctx, i.place, &steps{}); err != nil {
		return err
	}
	i.records, err = records(ctx, i.state())
	return err
}

// crash starts on an image, which becomes that of a crash a few steps on, or of the end.
func (r *runner) crash(ctx context.Context, i *image) error {
	again := place{i.root + "-again"}
	err := r.run(ctx, i.place, &steps{at: func(n int, _ string) error {
		if n != i.again {
			return nil
		}
		return errors.Join(copyImage(again.root, i.root), errCrash)
	}})
	if err == nil {
		return nil
	}
	if !errors.Is(err, errCrash) {
		return err
	}
	if err := os.RemoveAll(i.root); err != nil {
		return err
	}
	return os.Rename(again.root, i.root)
}

// finish gives what is left the rest of the events, and takes the alerts of all.
func (r *runner) finish(ctx context.Context, i *image) (err error) {
	if err := r.run(ctx, i.place, &steps{}); err != nil {
		return err
	}
	if i.alerts, i.repeats, err = readAlerts(i.place.alerts()); err != nil {
		return err
	}
	return os.RemoveAll(i.state())
}
