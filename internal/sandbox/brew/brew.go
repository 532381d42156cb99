// Package brew is the Mac's Homebrew, with Ollama installed and its service not yet
// started. The brew executable does its work in its own process, so it has its
// caller's environment, and when it is killed halfway things stay as they are then. It
// asks launchd what the launchctl executable would. It knows `brew --version`,
// `--prefix`, `upgrade ollama`, and `brew services` with
// start, stop [--keep], restart, run and cleanup. start and restart delete the plist
// and write a new one: the formula's service block with services/ollama.env, or a copy
// of the keg's plist before 6.0.15, which did not know that file. There is one formula
// and one prefix; HOME does not move the LaunchAgents folder; root has no services; an
// upgrade downloads nothing, and ollama goes on to call itself by the version it has
// always had.
package brew

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// brew is one command of brew.
type brew struct {
	Homebrew
	out, errOut io.Writer
}

// odie is an error in brew's own words: whole sentences.
type odie string

func (o odie) Error() string { return string(o) }

// Main is the executable. What it must know of the Mac comes with the answer.
func Main(args []string) int {
	a, err := standin.Ask("brew", args)
	if err != nil || a.Code != standin.Pass {
		return a.Print()
	}
	b := &brew{out: os.Stdout, errOut: os.Stderr}
	if err = json.Unmarshal([]byte(a.Stdout), &b.Homebrew); err == nil {
		err = b.run(args)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "Error: %v\n", err)
	return 1
}

func (b *brew) run(args []string) error {
	if os.Getenv("HOME") == "" {
		return odie("$HOME must be set to run brew.")
	}
	switch command := strings.Join(args, " "); {
	case command == "--version":
		b.say("Homebrew %s", b.Version)
	case command == "--prefix":
		b.say("%s", b.Prefix)
	case command == "upgrade ollama":
		return b.upgrade()
	case len(args) > 0 && args[0] == "services":
		return b.services(args[1:])
	default:
		return fmt.Errorf("the sandbox has no `brew %s`", command)
	}
	return nil
}

func (b *brew) say(format string, args ...any) {
	fmt.Fprintf(b.out, format+"\n", args...)
}

// ohai is a headline.
func (b *brew) ohai(format string, args ...any) { b.say("==> "+format, args...) }

func (b *brew) warn(text string) { fmt.Fprintf(b.errOut, "Warning: %s\n", text) }

// launchctl does what the launchctl executable does. If launchd is gone, there is no
// Mac to go on with.
func (b *brew) launchctl(args ...string) standin.Answer {
	a, err := standin.Ask("launchctl", args)
	if err != nil {
		syscall.Exit(a.Print())
	}
	return a
}

// environment is what the service is to have: the formula's variables and, if this
// release reads it, those of the env file.
func (b *brew) environment() ([]variable, error) {
	env := formulaEnvironment()
	if !b.Release.EnvFile {
		return env, nil
	}
	return readEnvFile(envFilePath(os.Getenv), env, b.warn)
}

// newest is the version of Ollama that brew upgrade finds.
const newest = "0.33.1"

// upgrade installs a newer Ollama. Neither launchd nor the LaunchAgents folder hears
// of it.
func (b *brew) upgrade() error {
	old, err := b.installed()
	if err != nil || old == newest {
		return err
	}
	b.ohai("Upgrading 1 outdated package:\nollama %s -> %s", old, newest)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := b.pour(newest, self); err != nil {
		return err
	}
	failed := b.installKegPlist()
	b.ohai("Caveats\nTo restart ollama after an upgrade:\n" +
		"  brew services restart ollama")
	return errors.Join(failed, os.RemoveAll(b.keg(old)))
}

// installKegPlist leaves the keg without a plist where the env file cannot be read.
func (b *brew) installKegPlist() error {
	env, err := b.environment()
	if err != nil {
		return odie("Failed to install service files")
	}
	return b.writeKegPlist(env)
}
