//go:build !windows

package main

import (
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/masked"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// verboseVariable sets --verbose for programs that cannot pass a flag.
const verboseVariable = "OLLAMA_BIND_VERBOSE"

func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show on stderr each program that is run, and how it ended"}
}

// runLog is what was run, for --verbose and for the log that fix and rollback keep.
type runLog struct {
	*masked.Runs
	loud bool   // --verbose
	kept string // where the log is, once there is one
}

// runner runs programs and remembers them.
func (p program) runner(deadline time.Duration) launchctl.Exec {
	return launchctl.Exec{Deadline: deadline, Ran: p.tell.ran}
}

// ran remembers one program, and with --verbose shows it.
func (t teller) ran(r launchctl.Ran) {
	if line := t.log.Add(r); t.log.loud {
		t.note("ran", t.tilde(line))
	}
}

func (t teller) verbose() bool { return t.log != nil && t.log.loud }

// keepLog writes the log of a run that changed something, or tried to. If that fails,
// the run's result stands.
func (p program) keepLog(m service.Machine, out rebind.Outcome, err error) {
	if !out.Tried {
		return
	}
	ending := "done"
	if err != nil {
		ending = "error: " + plainWords(err.Error())
	}
	path, err := m.Store.KeepLog(out.Backup, p.tell.log.Log(name+" "+builtFrom().String(), name, p.args, screen.Printable(p.tell.tilde(ending))))
	if err == nil {
		p.tell.log.kept = path
	}
}

// wantsLog reports whether the variable is set.
func wantsLog() bool {
	on, _ := strconv.ParseBool(os.Getenv(verboseVariable))
	return on
}
