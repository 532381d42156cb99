// Ollama-bind makes the Ollama that Homebrew runs on a Mac reachable from
// containers, proves it, and can take it back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the program: arguments in, text or JSON out, exit code.
func run(args []string, stdout, stderr io.Writer) int {
	p := program{tell: newTeller(stdout, stderr), daemons: homebrew.Daemons}
	return p.run(args)
}

// program is one run.
type program struct {
	tell    teller
	daemons string // the folder of launch daemons
	ownApp  string // where Ollama's own application would be, "" for the usual place
}

// run turns whatever the command returns into an exit code, and an error into
// words, here and nowhere else.
func (p program) run(args []string) int {
	// A reader that went away must not end the program between writing a file
	// and reloading the service.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if wantsJSON(args) {
		p.tell = p.tell.plain()
	}
	out := &output{Writer: p.tell.out}
	p.tell.out = out
	err := p.app().RunContext(ctx, args)
	if err == nil && out.err != nil && !errors.Is(out.err, syscall.EPIPE) {
		err = fmt.Errorf("writing to standard output: %w", out.err)
		p.tell.error(err)
		return exitCode(err)
	}
	if err == nil {
		return exitOK
	}
	err = asUsage(err)
	var told reported
	if errors.As(err, &told) {
		err = told.err // it is in the JSON object already
	} else if wantsJSON(args) {
		p.tell.json(errorReport(commandName(args), p.tell, err))
	}
	p.tell.error(err)
	return exitCode(err)
}

// output remembers that something could not be written, which nobody else looks
// at. A reader that has gone is no such thing: it has read what it wanted.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// wantsJSON looks for --json in a command line that may not even be valid.
func wantsJSON(args []string) bool {
	return slices.ContainsFunc(args, jsonArgument.MatchString)
}

var jsonArgument = lazyregexp.New(`^--?json(=(1|t|T|true|TRUE|True))?$`)

// commandName is the command that was asked for, for reports of errors that
// came before it ran.
func commandName(args []string) string {
	for _, arg := range args[1:] {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// machine is the Mac that this program runs on.
func (p program) machine(quiet bool) (bind.Machine, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return bind.Machine{}, &bind.Problem{ID: "no-home", Hint: "unset HOME; export HOME=~", Err: fmt.Errorf("finding your home folder: %w", err)}
	}
	store, err := backup.DefaultStore()
	if err != nil {
		return bind.Machine{}, &bind.Problem{ID: "state-folder", Hint: "unset " + backup.StateDirVariable, Err: err}
	}
	waiting := p.tell.waiting
	if quiet {
		waiting = func(int) {}
	}
	return bind.Machine{
		Launchd:   launchctl.Client{Runner: launchctl.Exec{}},
		Store:     store,
		Home:      home,
		Daemons:   p.daemons,
		EnvFile:   homebrew.EnvFile(home, os.Getenv),
		Prefixes:  homebrew.Prefixes(os.Getenv),
		UID:       os.Geteuid(),
		Addresses: bind.Addresses,
		Waiting:   waiting,
	}, nil
}
