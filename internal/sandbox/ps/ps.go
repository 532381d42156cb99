// Package ps is the Mac's ps, pgrep and pkill. They see the processes of their own
// sandbox only, and never the machine's: those whose environment names its server.
// What launchd has started has it for its parent, and so has an orphan: pid 1.
package ps

import (
	"errors"
	"fmt"
	"os"
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

// Main is ps, with -o KEYWORD=,… for columns without headings, -p PID,… or -A or -a and
// -x, and e or -E for the environment behind the command.
func Main(args []string) int {
	if a, err := standin.Ask("ps", args); err != nil || !a.Pass {
		return a.Print()
	}
	q, err := parseArgs(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ps: %v\n", err)
		return 1
	}
	all, err := List(os.Getenv(standin.EnvServer))
	if err != nil {
		fmt.Fprintf(os.Stderr, "ps: %v\n", err)
		return 1
	}
	code := 1
	for _, p := range all {
		if q.pids == nil || slices.Contains(q.pids, p.PID) {
			fmt.Println(q.line(p))
			code = 0
		}
	}
	return code
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

// GrepMain is pgrep -x NAME.
func GrepMain(args []string) int {
	return match("pgrep", args, func(p Process) { fmt.Println(p.PID) })
}

// KillMain is pkill [-SIGNAL] -x NAME.
func KillMain(args []string) int {
	signal := syscall.SIGTERM
	signals := map[string]syscall.Signal{"-TERM": syscall.SIGTERM, "-INT": syscall.SIGINT,
		"-KILL": syscall.SIGKILL, "-9": syscall.SIGKILL, "-USR1": syscall.SIGUSR1}
	if len(args) > 0 && signals[args[0]] != 0 {
		signal = signals[args[0]]
		args = args[1:]
	}
	return match("pkill", args, func(p Process) { _ = syscall.Kill(p.PID, signal) })
}

// match does something with the processes of that name; it exits 1 where there is none.
func match(tool string, args []string, do func(Process)) int {
	if a, err := standin.Ask(tool, args); err != nil || !a.Pass {
		return a.Print()
	}
	if len(args) != 2 || args[0] != "-x" {
		fmt.Fprintf(os.Stderr, "%s: the stand-in needs -x NAME\n", tool)
		return 2
	}
	all, err := List(os.Getenv(standin.EnvServer))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", tool, err)
		return 3
	}
	code := 1
	for _, p := range all {
		if p.Name() == args[1] {
			do(p)
			code = 0
		}
	}
	return code
}
