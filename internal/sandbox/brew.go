package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// Brew runs the brew executable, as a program on this Mac would. The exit code is -1 if it could not be run.
func (m *Mac) Brew(args ...string) (stdout, stderr string, code int) {
	return m.Run("brew", args...)
}

// brew is one command of brew. It runs in the stand-in's own process, so that it has its caller's environment and can be killed halfway.
type brew struct {
	homebrew
	out, errOut io.Writer
	warned      bool // that the domain is not the usual one
}

// odie is an error in brew's own words: whole sentences.
type odie string

func (o odie) Error() string { return string(o) }

// errFailed ends brew with exit code 1 when all has been said.
var errFailed = errors.New("brew failed")

func brewMain(args []string) int {
	a, err := ask("brew", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "brew: no sandbox: %v\n", err)
		return 1
	}
	if !a.Pass {
		return a.print()
	}
	b := &brew{homebrew: *a.Homebrew, out: os.Stdout, errOut: os.Stderr}
	err = b.run(args)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errFailed) {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
	}
	return 1
}

func (b *brew) run(args []string) error {
	if os.Getenv("HOME") == "" {
		return odie("$HOME must be set to run brew.")
	}
	switch command := strings.Join(args, " "); {
	case command == "--version":
		b.say("Homebrew %s", b.Version)
	case command == "--prefix", command == "--repository":
		b.say("%s", b.Prefix)
	case command == "--prefix ollama":
		b.say("%s", b.opt())
	case command == "upgrade ollama":
		return b.upgrade()
	case command == "reinstall ollama":
		return b.reinstall()
	case len(args) > 0 && args[0] == "services":
		return b.services(args[1:])
	default:
		return fmt.Errorf("the sandbox has no `brew %s`", command)
	}
	return nil
}

func (b *brew) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// ohai is a headline.
func (b *brew) ohai(format string, args ...any) { b.say("==> "+format, args...) }

func (b *brew) warn(text string) { fmt.Fprintf(b.errOut, "Warning: %s\n", text) }

// launchctl does what the launchctl executable does. When launchd is gone there is no Mac to go on with.
func (b *brew) launchctl(args ...string) answer {
	a, err := ask("launchctl", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "brew: no sandbox: %v\n", err)
		syscall.Exit(1)
	}
	return a
}

// environment is what the service is to have: the formula's variables and, if this release reads it, those of the env file.
func (b *brew) environment() ([]variable, error) {
	env := b.Formula.environment()
	if !b.Release.since(firstEnvFile) {
		return env, nil
	}
	return readEnvFile(envFilePath(os.Getenv), b.Root, env, b.warn)
}

// upgrade installs a newer Ollama. Neither launchd nor the LaunchAgents folder hears of it.
func (b *brew) upgrade() error {
	old, err := b.installed()
	if err != nil {
		return err
	}
	version := nextVersion(old)
	b.ohai("Upgrading 1 outdated package:\nollama %s -> %s", old, version)
	return b.install(version)
}

func (b *brew) reinstall() error {
	version, err := b.installed()
	if err != nil {
		return err
	}
	b.ohai("Reinstalling ollama")
	return b.install(version)
}

func (b *brew) install(version string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := b.pour(version, self); err != nil {
		return err
	}
	if err := b.link(version); err != nil {
		return err
	}
	failed := b.installKegPlist()
	b.caveats()
	return errors.Join(failed, b.removeOtherKegs(version))
}

// installKegPlist goes on after an env file that cannot be read; the keg is without a plist then.
func (b *brew) installKegPlist() error {
	env, err := b.environment()
	if err != nil {
		fmt.Fprintln(b.errOut, "Error: Failed to install service files")
		return errFailed
	}
	return b.writeKegPlist(env)
}

// caveats tell what to do about the service. What they say when the env file cannot be read is unverified.
func (b *brew) caveats() {
	b.ohai("Caveats\nTo restart ollama after an upgrade:\n  brew services restart ollama")
	if env, err := b.environment(); err == nil {
		b.say("Or, if you don't want/need a background service you can just run:\n  %s", serviceCommand(b.Prefix, env))
	}
}
