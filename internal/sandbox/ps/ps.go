// Package ps is the Mac's ps, pgrep and pkill. They see the processes of their own
// sandbox only, and never the machine's: those whose environment names its server.
// What launchd has started has it for its parent, and so has an orphan: pid 1.
package ps

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Process is a process of the Mac.
type Process struct {
	PID, Parent int      // Parent is 1 for launchd
	UID         int      //
	Path        string   // of the program
	Args        []string // with the name it was started under
	Env         []string
}

// Name is what pkill -x compares.
func (p Process) Name() string { return p.Path[strings.LastIndexByte(p.Path, '/')+1:] }

// columns are the keywords of ps -o that this project uses.
var columns = map[string]func(Process) string{
	"pid":     func(p Process) string { return strconv.Itoa(p.PID) },
	"ppid":    func(p Process) string { return strconv.Itoa(p.Parent) },
	"uid":     func(p Process) string { return strconv.Itoa(p.UID) },
	"comm":    func(p Process) string { return p.Path },
	"ucomm":   Process.Name,
	"command": func(p Process) string { return strings.Join(p.Args, " ") },
	"args":    func(p Process) string { return strings.Join(p.Args, " ") },
}

// query is what ps is asked for.
type query struct {
	columns []string
	pids    []int // nil means all
	env     bool
}

// Answer is what ps, pgrep or pkill says on the Mac with that server.
func Answer(server, tool string, args []string) standin.Answer {
	all, err := List(server)
	switch {
	case err != nil:
		return standin.Fail(1, "%s: %v", tool, err)
	case tool == "ps":
		return list(all, args)
	}
	return match(all, tool, args)
}

// list is ps, with -o KEYWORD=,… for columns without headings, -p PID,… or -A or -a and
// -x, and e or -E for the environment behind the command.
func list(all []Process, args []string) standin.Answer {
	q, err := parseArgs(args)
	if err != nil {
		return standin.Fail(1, "ps: %v", err)
	}
	a := standin.Answer{Code: 1}
	for _, p := range all {
		if q.pids == nil || slices.Contains(q.pids, p.PID) {
			a.Stdout += q.line(p) + "\n"
			a.Code = 0
		}
	}
	return a
}

// parseArgs takes flags in one word or several: eww, -axo pid=,ppid=, -p 1,2.
func parseArgs(args []string) (q query, err error) {
	for len(args) > 0 {
		flags := args[0]
		args = args[1:]
		for _, flag := range strings.TrimPrefix(flags, "-") {
			switch flag {
			case 'A', 'a', 'x', 'w', 'c':
			case 'e', 'E':
				q.env = true
			case 'o', 'p':
				if len(args) == 0 {
					return q, fmt.Errorf("option requires an argument -- %c", flag)
				}
				if err := q.take(flag, args[0]); err != nil {
					return q, err
				}
				args = args[1:]
			default:
				return q, fmt.Errorf("the stand-in does not know %s", flags)
			}
		}
	}
	if q.columns == nil {
		return q, errors.New("the stand-in needs -o KEYWORD=")
	}
	return q, nil
}

func (q *query) take(flag rune, list string) error {
	for word := range strings.SplitSeq(list, ",") {
		if flag == 'p' {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return fmt.Errorf("%s: invalid process id", word)
			}
			q.pids = append(q.pids, pid)
			continue
		}
		name, bare := strings.CutSuffix(word, "=")
		if !bare || columns[name] == nil {
			return fmt.Errorf("%s: keyword not found", word)
		}
		q.columns = append(q.columns, name)
	}
	return nil
}

func (q query) line(p Process) string {
	var fields []string
	for _, name := range q.columns {
		text := columns[name](p)
		if q.env && name == "command" {
			text = strings.Join(append([]string{text}, p.Env...), " ")
		}
		fields = append(fields, fmt.Sprintf("%5s", text))
	}
	return strings.Join(fields, " ")
}

// match is pgrep -x NAME, which prints, or pkill [-SIGNAL] -x NAME, which kills. It exits
// 1 where there is no process of that name.
func match(all []Process, tool string, args []string) standin.Answer {
	signal := syscall.SIGTERM
	signals := map[string]syscall.Signal{"-TERM": syscall.SIGTERM, "-INT": syscall.SIGINT,
		"-KILL": syscall.SIGKILL, "-9": syscall.SIGKILL, "-USR1": syscall.SIGUSR1}
	if tool == "pkill" && len(args) > 0 && signals[args[0]] != 0 {
		signal = signals[args[0]]
		args = args[1:]
	}
	if len(args) != 2 || args[0] != "-x" {
		return standin.Fail(2, "%s: the stand-in needs -x NAME", tool)
	}
	a := standin.Answer{Code: 1}
	for _, p := range all {
		switch {
		case p.Name() != args[1]:
			continue
		case tool == "pkill":
			_ = syscall.Kill(p.PID, signal)
		default:
			a.Stdout += strconv.Itoa(p.PID) + "\n"
		}
		a.Code = 0
	}
	return a
}
