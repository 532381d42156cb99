package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Everything that urfave/cli v2 does by itself and this program wants otherwise
// is dealt with in this file:
//
//   - flags after a positional argument become arguments, so that
//     `fix x.plist --dry-run` would run the real fix: no command but completion,
//     which has an ArgsUsage, takes positionals, and each refuses to run with
//     one (urfave/cli#1177, #427);
//   - usage errors print the whole help on stdout: OnUsageError, which commands
//     do not inherit, returns them instead;
//   - errors with an ExitCode method end the process inside of Run: the
//     ExitErrHandler does nothing, main maps errors to codes;
//   - an unknown command exits 3, or 0 with CommandNotFound set: the root
//     action names it in a usage error (urfave/cli#611);
//   - its own help command does all of that once more: it is off, and the root
//     action knows the word;
//   - completion by running the program can run the command: it is off, and
//     completion.go has files instead.

const name = "ollama-bind"

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
		Name:                  name,
		Usage:                 "make the Ollama that Homebrew runs on this Mac reachable from containers",
		UsageText:             name + " COMMAND [OPTIONS]",
		Version:               builtFrom().String(),
		Commands:              commands,
		Action:                rootAction,
		HideHelpCommand:       true,
		OnUsageError:          onUsageError,
		ExitErrHandler:        func(*cli.Context, error) {},
		CustomAppHelpTemplate: cli.AppHelpTemplate + "\n" + exitStatus,
		Writer:                p.tell.out,
		ErrWriter:             p.tell.err,
	}
}

func rootAction(c *cli.Context) error {
	args := c.Args().Slice()
	switch {
	case len(args) == 0, len(args) == 1 && args[0] == "help":
		return cli.ShowAppHelp(c)
	case args[0] != "help":
		var names []string
		for _, command := range c.App.VisibleCommands() {
			names = append(names, command.Name)
		}
		return &usageError{fmt.Sprintf("unknown command %q; there are %s", args[0], strings.Join(names, ", ")), name + " --help"}
	case len(args) == 2 && c.App.Command(args[1]) != nil:
		return cli.ShowCommandHelp(c, args[1])
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
	c.OnUsageError = onUsageError
	c.CustomHelpTemplate = cli.CommandHelpTemplate + "\n" + exitStatus
	for _, flag := range c.Flags {
		if sw, ok := flag.(*cli.BoolFlag); ok {
			sw.DisableDefaultText = true // a switch is off until it is given
		}
	}
	c.Action = func(ctx *cli.Context) error {
		if c.ArgsUsage == "" && ctx.Args().Present() {
			return strayArgument(c.Name, ctx.Args().First())
		}
		p.tell.trace.loud = ctx.Bool("verbose") || wantsTrace()
		return action(ctx)
	}
}

func strayArgument(command, arg string) error {
	hint := fmt.Sprintf("%s %s --help", name, command)
	if command == "fix" && strings.HasSuffix(arg, ".plist") {
		hint = "name the file with a flag: " + name + " fix --plist FILE"
	}
	return &usageError{fmt.Sprintf("%s takes no arguments, but got %q", command, arg), hint}
}

// longFlag finds flags that package flag names with one dash.
var longFlag = regexp.MustCompile(`(^|\s)-([a-z][a-z-]+)`)

func onUsageError(c *cli.Context, err error, _ bool) error {
	message := strings.NewReplacer(
		"flag provided but not defined:", "unknown flag",
		"timeout: parse error", "timeout: that is no time such as 45s or 2m",
	).Replace(err.Error())
	message = longFlag.ReplaceAllString(message, "$1--$2")
	if c.Command == nil || c.Command.Name == "" || c.Command.Name == name {
		return &usageError{message + "; the command comes first, and its flags behind it", name + " --help"}
	}
	return &usageError{message, fmt.Sprintf("%s %s --help", name, c.Command.Name)}
}

// asUsage catches what cli reports with an exit code of its own: --help with
// something behind it.
func asUsage(err error) error {
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return &usageError{"--help takes no arguments", name + " --help"}
	}
	return err
}

// The flags that several commands share, fresh for each command.

func hostFlag() cli.Flag {
	return &cli.StringFlag{
		Name:    "host",
		EnvVars: []string{"OLLAMA_BIND_HOST"},
		Value:   ollama.Host{Port: ollama.DefaultPort}.String(),
		Usage:   "the `ADDRESS` that Ollama is to listen on, one of this machine's; 0.0.0.0 is all of them",
	}
}

func showValuesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "show-values", Usage: "show the values of other keys in the diff of a dry run too"}
}

func plistFlag() cli.Flag {
	return &cli.StringFlag{Name: "plist", Usage: "the LaunchAgent `FILE`, if it is not Homebrew's"}
}

func timeoutFlag() cli.Flag {
	return &cli.DurationFlag{
		Name:  "timeout",
		Value: 30 * time.Second,
		Usage: "the `TIME` that all of it may take, such as 45s or 2m; at least a third is kept for putting things back",
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object on stdout, on errors too"}
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only"}
}
