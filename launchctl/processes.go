package launchctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Process is one that runs, as ps has it.
type Process struct {
	PID, Parent, UID int
	Program          string // its path, without arguments: those can hold secrets
}

// Processes asks ps for all that run, by their process ID.
func (c Client) Processes(ctx context.Context) (map[int]Process, error) {
	out, err := c.Runner.Run(ctx, "ps", "-o", "pid=,ppid=,uid=,comm=", "-ax")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return ParseProcesses(out), nil
}

// ParseProcesses reads the answer of `ps -o pid=,ppid=,uid=,comm=`. A line that is
// not as that is left out.
func ParseProcesses(out []byte) map[int]Process {
	all := map[int]Process{}
	for line := range strings.Lines(string(out)) {
		var p Process
		rest := strings.TrimSpace(line)
		for _, n := range []*int{&p.PID, &p.Parent, &p.UID} {
			var word string
			word, rest, _ = strings.Cut(rest, " ")
			rest = strings.TrimLeft(rest, " ")
			var err error
			if *n, err = strconv.Atoi(word); err != nil {
				rest = ""
			}
		}
		if rest != "" {
			p.Program = rest // which may have blanks in it
			all[p.PID] = p
		}
	}
	return all
}

// Running asks for the labels of the jobs in the caller's own domain that have a
// process, by its ID.
func (c Client) Running(ctx context.Context) (map[int]string, error) {
	return ask(ctx, c, "listing the jobs", ParseList, "list")
}

// ParseList reads the table of `launchctl list`: PID, last exit status, label. A
// job without a process is left out.
func ParseList(out []byte) (map[int]string, error) {
	all := map[int]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(fields) < 3 {
			return nil, errors.Join(ErrFormat, fmt.Errorf("no line of the list: %.64q", line))
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			all[pid] = fields[2]
		}
	}
	return all, nil
}
