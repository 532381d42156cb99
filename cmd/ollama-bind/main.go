//go:build !windows

// Ollama-bind makes the Ollama on a Mac reachable from containers, proves it, and can
// take it back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Places that stories move: the folder of launch daemons, and that of applications.
var daemons, applications = homebrew.Daemons, "/Applications"

func main() {
	os.Exit(program{tell: newTeller(os.Stdout, os.Stderr)}.run(os.Args))
}

// program is one run.
type program struct {
	tell teller
	args []string // as they were typed, without the program's name
	late chan error
}

// run turns what the command returns into an exit code, and an error into words.
// Nothing else does.
func (p program) run(args []string) int {
	// A closed pipe must not end the program between writing a file and reloading the
	// service.
	signal.Ignore(syscall.SIGPIPE)
	p.args = args[1:]
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT)
	defer stop()
	if wantsJSON(args) {
		p.tell = p.tell.plain()
	}
	out := &output{Writer: p.tell.out.Writer}
	p.tell.out.Writer = out
	p.late = make(chan error, 1)
	app := p.app()
	words, err := commandline.Arrange(app, p.args)
	if err == nil {
		err = p.inTime(func() error { return commandline.AsUsage(name, app.RunContext(ctx, append([]string{name}, words...))) })
	}
	if err == nil {
		err = out.err
	}
	if err != nil && wantsJSON(args) && !out.used {
		p.tell.out.JSON(errorReport(commandName(args), p.tell, err))
	}
	p.tell.error(err)
	if kept := p.tell.log.kept; kept != "" && (err != nil || p.tell.verbose()) {
		p.tell.note("note", "what was run is in "+p.tell.tilde(kept))
	}
	return exitCode(err)
}

// inTime does the work, or gives it up: a context stops what listens to it, but a disk
// that hangs does not.
func (p program) inTime(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case err := <-p.late:
		return err
	}
}

// output remembers whether there was an answer, and the first write that failed, which
// nothing else checks. A reader that went away is no failure: it has read what it
// wanted.
type output struct {
	io.Writer
	used bool
	err  error
}

func (o *output) Write(b []byte) (int, error) {
	o.used = true
	n, err := o.Writer.Write(b)
	if o.err == nil && err != nil && !errors.Is(err, syscall.EPIPE) {
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
	return n, err
}

// wantsJSON looks for --json in a command line that may not be valid.
func wantsJSON(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		flag, value, given := strings.Cut(arg, "=")
		on, err := strconv.ParseBool(value)
		return (flag == "--json" || flag == "-json") && (!given || err == nil && on)
	})
}

// commandName is the command that was typed, for errors that came before it ran.
func commandName(args []string) string {
	for _, arg := range args[1:] {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// machine is the Mac that this program runs on.
func (p program) machine() (service.Machine, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return service.Machine{}, &service.Error{ID: "no-home", Hint: "unset HOME; export HOME=~", Err: fmt.Errorf("finding your home folder: %w", err)}
	}
	store, err := backup.DefaultStore()
	if err != nil {
		return service.Machine{}, &service.Error{ID: "state-folder", Hint: "unset " + backup.StateDirVariable, Err: err}
	}
	return service.Machine{
		Launchd:      launchctl.Client{Runner: p.runner(0)},
		Store:        store,
		Home:         backup.Clean(home),
		Daemons:      daemons,
		Applications: applications,
		EnvFile:      envFile(home),
		Prefixes:     homebrew.Prefixes(os.Getenv),
		UID:          os.Geteuid(),
		Sudo:         sudoUser(),
		Addresses:    doctor.Addresses,
		Secret:       p.tell.log.Hide,
	}, nil
}

// sudoUser is who typed sudo, 0 for nobody.
func sudoUser() int {
	uid, _ := strconv.Atoi(os.Getenv("SUDO_UID"))
	return max(0, uid)
}

// envFile is the cleaned path of Homebrew's env file, or "".
func envFile(home string) string {
	if path := homebrew.EnvFile(home, os.Getenv); path != "" {
		return backup.Clean(path)
	}
	return ""
}

// steps are the spinner's words for what launchd is told.
var steps = map[launchctl.Step]string{
	launchctl.StepBootout:   "stopping Ollama",
	launchctl.StepBootstrap: "starting Ollama",
	launchctl.StepKickstart: "waiting for Ollama to answer",
}

// watch has the spinner report on m until done is called. When ctx ends, m puts things
// back.
func (t teller) watch(ctx context.Context, m service.Machine, quiet bool) (watched service.Machine, done func()) {
	// Ctrl-Z, or a terminal that stops what writes to it from the background, must
	// not stop a run while the service is down.
	signal.Ignore(syscall.SIGTSTP, syscall.SIGTTOU, syscall.SIGTTIN)
	switch {
	case quiet:
		m.Waiting = func(int) {}
		return m, func() {}
	case !t.err.Lively || t.verbose():
		m.Waiting = func(pid int) { t.note("note", otherRun(pid)) }
		return m, func() {}
	}
	say, end := t.spin("looking at the service")
	m.Waiting = func(pid int) { say(otherRun(pid)) }
	m.Progress = func(step launchctl.Step) {
		if steps[step] != "" && ctx.Err() == nil {
			say(steps[step])
		}
	}
	stop := context.AfterFunc(ctx, func() { say("putting things back") })
	return m, func() { stop(); end() }
}

// factsOf collects what the list of advice judges.
func factsOf(m service.Machine, s service.State, err error, g service.Goal, asked bool) advice.Facts {
	return advice.New(m, s, err, g, asked, runtime.GOOS)
}
