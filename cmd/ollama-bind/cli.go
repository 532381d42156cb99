//go:build !windows

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// This file and words.go change what urfave/cli v2 does by default:
//
//   - flags after a positional argument become arguments, so that
//     `fix x.plist --dry-run` would run the real fix: arrange puts flags first, and
//     a command without an ArgsUsage refuses arguments (urfave/cli#1177, #427);
//   - usage errors print the whole help on stdout: OnUsageError, which commands
//     do not inherit, returns them instead;
//   - errors with an ExitCode method end the process inside Run: the
//     ExitErrHandler does nothing, main maps errors to codes;
//   - an unknown command exits 3, or 0 with CommandNotFound set: the root
//     action names it in a usage error (urfave/cli#611);
//   - its own help command does all of that once more: it is off, and the root
//     action knows the word;
//   - its help neither folds lines nor knows of examples: help.go writes it;
//   - completion by running the program can run the command: it is off, and
//     completion.go has files instead.

const name = "ollama-bind"

// typedKey is where the app keeps the command line as it was typed.
const typedKey = "typed"

// app builds the command tree, fresh for each run: cli keeps state in it.
func (p program) app() *cli.App {
	commands := []*cli.Command{
		p.fixCommand(), p.statusCommand(), p.rollbackCommand(), p.doctorCommand(),
		p.probeCommand(), p.urlCommand(), p.completionCommand(), p.versionCommand(),
	}
	for _, c := range commands {
		p.tame(c)
	}
	return &cli.App{
		Name:            name,
		Usage:           "make the Ollama on this Mac reachable from containers",
		Version:         builtFrom().String(),
		Commands:        commands,
		Action:          p.rootAction,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		ExitErrHandler:  func(*cli.Context, error) {},
		Metadata:        map[string]any{typedKey: p.args},
		Writer:          p.tell.out,
		ErrWriter:       p.tell.err,
	}
}

func (p program) rootAction(c *cli.Context) error {
	args := slices.DeleteFunc(c.Args().Slice(), func(arg string) bool { return arg == "--help" || arg == "-h" })
	switch {
	case len(args) == 0 && c.NArg() == 0:
		_, err := io.WriteString(p.tell.out, firstSteps)
		return err
	case !slices.ContainsFunc(args, func(arg string) bool { return arg != "help" }):
		return cli.ShowAppHelp(c)
	case args[0] != "help":
		return unknownCommand(c, args[0])
	case len(args) == 2 && c.App.Command(args[1]) != nil:
		return cli.ShowCommandHelp(c, args[1])
	case len(args) == 2:
		return unknownCommand(c, args[1])
	}
	return &usageError{fmt.Sprintf("there is no help on %q", strings.Join(args[1:], " ")), name + " --help"}
}

// tame gives a command the behaviour that it does not inherit from the app.
func (p program) tame(c *cli.Command) {
	action := c.Action
	if !slices.Contains([]string{"completion", "version"}, c.Name) { // which run nothing
		c.Flags = append(c.Flags, verboseFlag())
	}
	c.HideHelpCommand = true
	c.UseShortOptionHandling = true // -nq
	c.OnUsageError = onUsageError
	c.Action = func(ctx *cli.Context) error {
		if c.ArgsUsage == "" && ctx.Args().Present() {
			return strayArgument(ctx, ctx.Args().First())
		}
		if err := badFlags(ctx); err != nil {
			return err
		}
		p.tell.log.loud = ctx.Bool("verbose") || wantsLog()
		return action(ctx)
	}
}

// arrange puts a command's flags in front of its arguments, which is where package flag
// finds them.
func arrange(app *cli.App, args []string) ([]string, error) {
	at := slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	if at < 0 || app.Command(args[at]) == nil || isOneOf(args[0], "-h", "--help", "-v", "--version") {
		return args, nil
	}
	command, rest := app.Command(args[at]), args[at+1:]
	if at > 0 {
		return nil, &usageError{args[0] + " belongs behind the command",
			commandLine(slices.Concat(args[at:at+1], args[:at], rest))}
	}
	var flags, others []string
	for len(rest) > 0 && rest[0] != "--" {
		n := 1
		switch flag := flagOf(command, rest[0]); {
		case !strings.HasPrefix(rest[0], "-"):
			others = append(others, rest[0])
		case takesValue(flag) && !strings.Contains(rest[0], "=") && len(rest) > 1:
			n = 2
			fallthrough
		default:
			if takesValue(flag) && !isList(flag) && slices.ContainsFunc(flags, func(word string) bool { return flagOf(command, word) == flag }) {
				return nil, &usageError{"--" + flag.Names()[0] + " is given twice", name + " " + command.Name + " --help"}
			}
			flags = append(flags, rest[:n]...)
		}
		rest = rest[n:]
	}
	if slices.Contains(flags, "--help") || slices.Contains(flags, "-h") {
		return []string{command.Name, "--help"}, nil
	}
	if len(rest) > 0 {
		rest = rest[1:]
	}
	others = append(others, rest...)
	if len(others) > 0 {
		others = slices.Insert(others, 0, "--")
	}
	return slices.Concat([]string{command.Name}, flags, others), nil
}

func isOneOf(word string, words ...string) bool { return slices.Contains(words, word) }

// flagOf is the flag that a word on the command line stands for, or nil.
func flagOf(c *cli.Command, word string) cli.Flag {
	if !strings.HasPrefix(word, "-") {
		return nil
	}
	typed, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, flag := range c.Flags {
		if slices.Contains(flag.Names(), typed) {
			return flag
		}
	}
	return nil
}

func takesValue(flag cli.Flag) bool {
	doc, ok := flag.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

func isList(flag cli.Flag) bool {
	_, is := flag.(*cli.StringSliceFlag)
	return is
}

// ignored lists, for each flag of a command, the flags that it would make useless.
var ignored = map[string]map[string][]string{
	"fix":      {"json": {"quiet"}, "service": {"plist"}},
	"status":   {"service": {"plist"}},
	"rollback": {"json": {"quiet"}, "list": {"all", "dry-run", "force", "quiet", "service", "timeout", "to"}, "all": {"service", "to"}, "to": {"service"}},
	"doctor":   {"list-checks": {"container", "host", "plist", "runtime", "service"}, "service": {"plist"}},
}

// needs lists the flags that mean nothing without another.
var needs = map[string]string{"show-values": "dry-run"}

// badFlags refuses flags without a value, and flags that would be ignored.
func badFlags(c *cli.Context) error {
	for _, flag := range c.Command.Flags {
		flagName := flag.Names()[0]
		empty := !isList(flag) && c.String(flagName) == "" || isList(flag) && slices.Contains(c.StringSlice(flagName), "")
		if _, duration := flag.(*cli.DurationFlag); takesValue(flag) && !duration && c.IsSet(flagName) && empty {
			return &usageError{"--" + flagName + " has no value", name + " " + c.Command.Name + " --help"}
		}
		if other := needs[flagName]; other != "" && on(c, flagName) && !on(c, other) {
			return &usageError{fmt.Sprintf("--%s is for --%s", flagName, other), commandLine(append(asTyped(c), "--"+other))}
		}
		for _, other := range ignored[c.Command.Name][flagName] {
			if on(c, flagName) && on(c, other) {
				return &usageError{fmt.Sprintf("--%s would be ignored with --%s", other, flagName), commandLine(without(c, other))}
			}
		}
	}
	return nil
}

// on reports whether a flag was typed, and not switched off.
func on(c *cli.Context, flag string) bool {
	if _, isSwitch := c.Value(flag).(bool); isSwitch {
		return c.Bool(flag)
	}
	return wasTyped(c, flag)
}

// longFlag finds flags that package flag names with one dash.
var longFlag = regexp.MustCompile(`(^|\s)-([a-z][a-z-]+)`)

func onUsageError(c *cli.Context, err error, _ bool) error {
	if typed, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: "); unknown {
		return unknownFlag(c, strings.TrimLeft(typed, "-"))
	}
	message := strings.ReplaceAll(err.Error(), "timeout: parse error", "timeout: write a time such as 45s or 2m")
	message = longFlag.ReplaceAllString(message, "$1--$2")
	return &usageError{message, strings.TrimSpace(name+" "+commandOf(c)) + " --help"}
}

// commandOf is the name of the command, or "".
func commandOf(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == name {
		return ""
	}
	return c.Command.Name
}

// asUsage catches what cli reports with an exit code of its own: arguments after
// --help.
func asUsage(err error) error {
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return &usageError{"--help takes no arguments", name + " --help"}
	}
	return err
}

// The flags that several commands share, fresh for each command.

// hostVariable sets --host for programs that cannot pass a flag.
const hostVariable = "OLLAMA_BIND_HOST"

// hostSource is where the address comes from.
func hostSource(c *cli.Context) string {
	if c.IsSet("host") && !wasTyped(c, "host") {
		return hostVariable
	}
	return "--host"
}

func hostFlag() cli.Flag {
	flag := &cli.StringFlag{
		Name:  "host",
		Value: ollama.Host{Port: ollama.DefaultPort}.String(),
		Usage: "the `ADDRESS` for Ollama to listen on: one of this machine's, or 0.0.0.0 for all of them",
	}
	if os.Getenv(hostVariable) != "" { // cli would take an empty variable for a value
		flag.EnvVars = []string{hostVariable}
	}
	return flag
}

func showValuesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "show-values", Usage: "show the values of other keys in the diff of a dry run too"}
}

func plistFlag() cli.Flag {
	return &cli.StringFlag{Name: "plist", Usage: "the plist `FILE` of the service"}
}

func serviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "service", Usage: "the `SERVICE`, if there are several: brew, app, or a launchd label"}
}

// subject is the service that the flags name.
func subject(c *cli.Context) (service.Subject, error) {
	s := service.Subject{Plist: c.String("plist"), Name: c.String("service")}
	help := name + " " + c.Command.Name + " --help"
	switch {
	case c.IsSet("plist") && s.Plist == "":
		return s, &usageError{"--plist has no value", help}
	case c.IsSet("service") && s.Name == "":
		return s, &usageError{"--service has no value", help}
	case s.Plist != "" && s.Name != "":
		return s, &usageError{"--plist and --service both name a service", help}
	}
	return s, nil
}

func timeoutFlag() cli.Flag {
	return &cli.DurationFlag{
		Name:  "timeout",
		Value: 30 * time.Second,
		Usage: "the `TIME` that the whole command may take, such as 45s or 2m; at least a third is kept for putting things back",
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object on stdout, on errors too"}
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only"}
}
