package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// This program is started by itself to play a part, which its environment names.
const (
	envPart  = "BENCH_PART"
	envTools = "BENCH_TOOLS" // where the recorder finds the tools
	envLog   = "BENCH_LOG"   // and writes what it was asked for

	partScale    = "scale"
	partRecorder = "recorder"
)

// playPart does not return where there is a part to play.
func playPart() {
	part := os.Getenv(envPart)
	os.Unsetenv(envPart)
	switch part {
	case partScale:
		os.Exit(weigh())
	case partRecorder:
		os.Exit(record())
	}
}

// weigh runs a command and prints its largest resident set. It is a process of its
// own because Linux counts what the parent has at the fork as the child's: this one
// has little.
func weigh() int {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Run() // however it ends, it has had memory
	if cmd.ProcessState == nil {
		return 1
	}
	fmt.Println(residentSet(cmd.ProcessState.SysUsage().(*syscall.Rusage)))
	return 0
}

// residentSet is in bytes. Only macOS counts it so.
func residentSet(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) * 1024
}

// peak is the largest resident set of a command.
func (l *lab) peak(c command, turns int) (int64, error) {
	c.argv = append([]string{l.self}, c.argv...)
	c.env = append(slices.Clone(c.env), envPart+"="+partScale)
	var all []int64
	for range turns {
		r := c.ends(0).start(l.ctx)
		if err := r.wait(&sample{}); err != nil {
			return 0, err
		}
		bytes, err := strconv.ParseInt(strings.TrimSpace(r.out.String()), 10, 64)
		if err != nil {
			return 0, err
		}
		all = append(all, bytes)
	}
	return median(all), nil
}

// event is a command that a program has run.
type event struct {
	Start, End time.Time
	Argv       []string
}

// recordPause is how long the recorder waits, so that commands which are started side
// by side overlap, however short they are.
const recordPause = 200 * time.Millisecond

// record stands before a tool, and writes down how it was called, and when.
func record() int {
	e := event{Start: time.Now(), Argv: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)}
	time.Sleep(recordPause)
	cmd := exec.Command(filepath.Join(os.Getenv(envTools), e.Argv[0]), e.Argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Run() // its exit code is passed on
	e.End = time.Now()
	if err := e.write(os.Getenv(envLog)); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
	}
	return cmd.ProcessState.ExitCode()
}

// write appends a line, which the lines of others cannot get into.
func (e event) write(path string) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = log.Write(append(line, '\n'))
	return errors.Join(err, log.Close())
}

// commandsOf finds out which external commands a program runs on a Mac, and which of
// them side by side.
func (l *lab) commandsOf(m *sandbox.Mac, c command) (work, error) {
	dir, err := os.MkdirTemp(l.dir, "recorder-")
	if err != nil {
		return nil, err
	}
	tools, err := os.ReadDir(m.Bin())
	if err != nil {
		return nil, err
	}
	for _, tool := range tools {
		if err := os.Symlink(l.self, filepath.Join(dir, tool.Name())); err != nil {
			return nil, err
		}
	}
	log := filepath.Join(l.dir, "recorded")
	defer os.Remove(log)
	c.env = append(slices.Clone(c.env), "PATH="+dir, envPart+"="+partRecorder, envTools+"="+m.Bin(), envLog+"="+log)
	if _, err := alone(c).run(l.ctx); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	events, err := readEvents(text)
	return again(m, groups(events)), err
}

func readEvents(text []byte) ([]event, error) {
	var events []event
	for line := range strings.Lines(string(text)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// groups puts commands together that ran side by side.
func groups(events []event) [][]event {
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.Start.UnixNano(), b.Start.UnixNano()) })
	var all [][]event
	var over time.Time
	for _, e := range events {
		if len(all) == 0 || e.Start.After(over) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], e)
		if e.End.After(over) {
			over = e.End
		}
	}
	return all
}

// again is the work of running the same commands once more.
func again(m *sandbox.Mac, groups [][]event) work {
	var w work
	for _, group := range groups {
		var commands []command
		for _, e := range group {
			argv := append([]string{filepath.Join(m.Bin(), e.Argv[0])}, e.Argv[1:]...)
			commands = append(commands, command{argv: argv, env: m.Env(), dir: m.Dir(), want: anyCode})
		}
		w = append(w, commands)
	}
	return w
}

// describe says what work consists of: "6 launchctl and 1 lsof, all side by side".
func describe(w work) string {
	var parts []string
	for _, group := range w {
		parts = append(parts, describeGroup(group))
	}
	return strings.Join(parts, "; then ")
}

func describeGroup(group []command) string {
	count := map[string]int{}
	var order []string
	for _, c := range group {
		name := filepath.Base(c.argv[0])
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	slices.Sort(order)
	for i, name := range order {
		order[i] = fmt.Sprintf("%d %s", count[name], name)
	}
	text := strings.Join(order, " and ")
	if len(group) > 1 {
		text += " side by side"
	}
	return text
}
