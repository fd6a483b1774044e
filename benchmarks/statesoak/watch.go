package statesoak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Sample is what was seen of a process at a moment.
type Sample struct {
	Seconds float64 // since its start
	CPU     float64 // seconds that it has taken, of all cores
	Share   float64 // of the input that it has read
	Anon    int64   // bytes of memory that is no file's
	Disk    int64   // bytes of the state folder
}

// Ran is what a process took, from its start to its end.
type Ran struct {
	Seconds float64
	CPU     float64 // seconds, of all cores
	Samples []Sample
}

// Steady is the time that all of the input would take at the pace between a tenth and nine
// tenths of it.
func (r *Ran) Steady() float64 {
	var first, last *Sample
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Share >= 0.1 && s.Share <= 0.9 {
			if first == nil {
				first = s
			}
			last = s
		}
	}
	if first == nil || last.Share-first.Share < 0.4 {
		return r.Seconds
	}
	return (last.Seconds - first.Seconds) / (last.Share - first.Share)
}

// MostAnon is the greatest Anon of the samples, MostDisk the greatest Disk.
func (r *Ran) MostAnon() (most int64) {
	for i := range r.Samples {
		most = max(most, r.Samples[i].Anon)
	}
	return most
}

// MostDisk is the greatest Disk of the samples.
func (r *Ran) MostDisk() (most int64) {
	for i := range r.Samples {
		most = max(most, r.Samples[i].Disk)
	}
	return most
}

// Part is what was seen of a part of a stream.
type Part struct {
	Rate       float64 // events a second
	CPU        float64 // microseconds of CPU time an event
	Anon, Disk int64   // at its end
}

// Parts cuts a stream of so many events, from a share of it on, into parts of the same length.
func (r *Ran) Parts(events int, warm float64, parts int) (list []Part) {
	var from *Sample
	for i := range r.Samples {
		s := &r.Samples[i]
		if from == nil {
			if s.Share >= warm {
				from = s
			}
			continue
		}
		if s.Share < warm+(1-warm)*float64(len(list)+1)/float64(parts) || s.Share == from.Share {
			continue
		}
		n := (s.Share - from.Share) * float64(events)
		list = append(list, Part{n / (s.Seconds - from.Seconds), (s.CPU - from.CPU) * 1e6 / n, s.Anon, s.Disk})
		from = s
	}
	return list
}

// Watcher runs one process after the other.
type Watcher struct {
	Binary string
	Every  time.Duration // between samples; default 100 ms
}

// process is a run under way.
type process struct {
	*exec.Cmd
	began    time.Time
	messages bytes.Buffer
}

// command is `cepheus run` over rules and an input, to be started.
func (w *Watcher) command(ctx context.Context, rules, input, state string, flags ...string) *process {
	args := append([]string{"run", "--rules", rules, "--input", input, "--dead-letters", filepath.Join(rules, "dead")}, flags...)
	if state != "" {
		args = append(args, "--state", state)
	}
	p := &process{Cmd: exec.CommandContext(ctx, w.Binary, args...)}
	p.Stderr = &p.messages
	return p
}

// begin starts the process.
func (p *process) begin() error {
	p.began = time.Now()
	return p.Start()
}

// end waits for the end of the process; it is an error if it failed.
func (p *process) end() error {
	if err := p.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Path, err, p.messages.String())
	}
	return nil
}

// Run runs a process over all of an input, under watch. Alerts go to a file beside the rules.
func (w *Watcher) Run(ctx context.Context, rules, input, state string, flags ...string) (r *Ran, err error) {
	alerts, err := os.Create(filepath.Join(rules, "alerts.jsonl"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, alerts.Close()) }()
	p := w.command(ctx, rules, input, state, flags...)
	p.Stdout = alerts
	if err := p.begin(); err != nil {
		return nil, err
	}
	r = &Ran{}
	ended := make(chan error, 1)
	go func() { ended <- p.end() }()
	if err := w.watch(p, input, state, r, ended); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(p.began).Seconds()
	r.CPU = (p.ProcessState.UserTime() + p.ProcessState.SystemTime()).Seconds()
	return r, nil
}

// watch adds samples until the process has ended.
func (w *Watcher) watch(p *process, input, state string, r *Ran, ended <-chan error) error {
	info, err := os.Stat(input)
	if err != nil {
		return err
	}
	every := w.Every
	if every == 0 {
		every = 100 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			s := Sample{Seconds: time.Since(p.began).Seconds(), CPU: cpuOf(p.Process.Pid), Anon: anonOf(p.Process.Pid), Disk: Disk(state)}
			s.Share = float64(readOf(p.Process.Pid, input)) / float64(max(1, info.Size()))
			if s.Anon > 0 { // else it is about to end
				r.Samples = append(r.Samples, s)
			}
		}
	}
}

// anonOf is the memory of a process that is no file's, in bytes; 0 where it is not known.
func anonOf(pid int) int64 {
	return 1024 * field(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:")
}

// ticksASecond is the unit of CPU times that Linux tells.
const ticksASecond = 100

// cpuOf is the CPU time of a process, in seconds.
func cpuOf(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	words := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // a name may have blanks
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(string(words[11]), 64)
	system, _ := strconv.ParseFloat(string(words[12]), 64)
	return (user + system) / ticksASecond
}

// readOf is how far a process has read a file, in bytes; 0 where it does not have it open.
func readOf(pid int, path string) int64 {
	fds := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(fds)
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil && to == path {
			return field(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, e.Name()), "pos:")
		}
	}
	return 0
}

// field is the number behind a name in a file of Linux's, 0 where there is none.
func field(path, name string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(name))
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(words[0]), 10, 64)
	return n
}

// Disk is what the files of a folder take on disk, in bytes: some are longer than what is
// in them. Files that come and go meanwhile are passed over.
func Disk(dir string) (n int64) {
	if dir == "" {
		return 0
	}
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			n += blocks(info)
		}
		return nil
	})
	return n
}
