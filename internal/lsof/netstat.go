package lsof

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// askNetstat asks the second source, which looks at no file system. It lists all
// sockets, including those of other users.
func askNetstat(ctx context.Context, run launchctl.Runner, ports []int) ([]Listener, error) {
	out, err := run.Run(ctx, "netstat", "-anv", "-p", "tcp")
	var listeners []Listener
	if err == nil {
		listeners, err = ParseNetstat(out)
	}
	if err != nil {
		return nil, fmt.Errorf("asking netstat: %w", err)
	}
	return slices.DeleteFunc(listeners, func(l Listener) bool {
		return len(ports) > 0 && !slices.Contains(ports, l.Port())
	}), nil
}

// listening matches netstat's line for a listening TCP socket: its family, its address,
// and what follows the state.
var listening = regexp.MustCompile(`^tcp(4|6|46)\s+\d+\s+\d+\s+(\S+)\s+\S+\s+LISTEN\s+(.*)`)

// ParseNetstat reads the answer of macOS's `netstat -anv -p tcp`, and keeps what
// listens. Which column has the process depends on the macOS: it is "pid", or since
// 26 "process:pid", where the name may hold blanks.
func ParseNetstat(out []byte) ([]Listener, error) {
	var all []Listener
	column, named := -1, false
	for line := range strings.Lines(string(out)) {
		if _, behind, ok := strings.Cut(line, "(state)"); ok && strings.Contains(line, "Local Address") {
			column, named = processColumn(strings.Fields(behind))
			continue
		}
		socket := listening.FindStringSubmatch(line)
		switch {
		case socket == nil:
			continue
		case column < 0:
			return nil, fmt.Errorf("%w: netstat names no process", launchctl.ErrFormat)
		}
		command, pid, ok := processIn(socket[3], column, named)
		address, isAddress := dotted(socket[2])
		if !ok || !isAddress {
			return nil, fmt.Errorf("%w: netstat: %q", launchctl.ErrFormat, strings.TrimSpace(line))
		}
		family := "IPv6"
		if socket[1] == "4" {
			family = "IPv4"
		}
		all = append(all, Listener{PID: pid, Command: command, Family: family, Address: address})
	}
	if column < 0 {
		return nil, fmt.Errorf("%w: netstat names no process", launchctl.ErrFormat)
	}
	return all, nil
}

// processColumn finds the process among the columns after the state; -1 for none.
func processColumn(heads []string) (column int, named bool) {
	if i := slices.Index(heads, "process:pid"); i >= 0 {
		return i, true
	}
	return slices.Index(heads, "pid"), false
}

var process = regexp.MustCompile(`^(.*):(\d+)(\s|$)`)

// processIn takes the process from what follows the state.
func processIn(text string, column int, named bool) (command string, pid int, ok bool) {
	for range column {
		_, text, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
	}
	text = strings.TrimSpace(text)
	if !named {
		text, _, _ = strings.Cut(":"+text, " ")
	}
	found := process.FindStringSubmatch(text)
	if found == nil {
		return "", 0, false
	}
	pid, err := strconv.Atoi(found[2])
	return found[1], pid, err == nil
}

// dotted rewrites an address with a dot before its port in lsof's form.
func dotted(address string) (string, bool) {
	i := strings.LastIndex(address, ".")
	if i < 0 {
		return "", false
	}
	host, port := address[:i], address[i+1:]
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port, true
}
