//go:build !windows

package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

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
		Name:            name,
		Usage:           "make the Ollama on this Mac reachable from containers",
		Version:         builtFrom().String(),
		Commands:        commands,
		Action:          p.rootAction,
		HideHelpCommand: true, // it is a second app: rootAction knows the word
		OnUsageError:    commandline.OnUsageError,
		ExitErrHandler:  func(*cli.Context, error) {},
		Metadata:        map[string]any{commandline.TypedKey: p.args},
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
	return commandline.Wrong(name+" --help", "there is no help on %q", strings.Join(args[1:], " "))
}

// tame gives a command the behaviour that it does not inherit from the app.
func (p program) tame(c *cli.Command) {
	action := c.Action
	if !slices.Contains([]string{"completion", "version"}, c.Name) { // which run nothing
		c.Flags = append(c.Flags, verboseFlag())
	}
	c.HideHelpCommand = true
	c.UseShortOptionHandling = true // -nq
	c.OnUsageError = commandline.OnUsageError
	c.Action = func(ctx *cli.Context) error {
		if c.ArgsUsage == "" && ctx.Args().Present() {
			return strayArgument(ctx, ctx.Args().First())
		}
		if err := rules.Check(ctx); err != nil {
			return err
		}
		p.tell.log.loud = ctx.Bool("verbose") || wantsLog()
		return action(ctx)
	}
}

var rules = commandline.Rules{
	Ignored: map[string]map[string][]string{
		"fix":      {"json": {"quiet"}, "service": {"plist"}},
		"status":   {"service": {"plist"}},
		"rollback": {"json": {"quiet"}, "list": {"all", "dry-run", "force", "quiet", "service", "timeout", "to"}, "all": {"service", "to"}, "to": {"service"}},
		"doctor":   {"list-checks": {"container", "host", "plist", "runtime", "service"}, "service": {"plist"}},
	},
	Needs: map[string]string{"show-values": "dry-run"},
}

// The flags that several commands share, fresh for each command.

// hostVariable sets --host for programs that cannot pass a flag.
const hostVariable = "OLLAMA_BIND_HOST"

// hostSource is where the address comes from.
func hostSource(c *cli.Context) string {
	if c.IsSet("host") && !commandline.WasTyped(c, "host") {
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
		return s, commandline.Wrong(help, "--plist has no value")
	case c.IsSet("service") && s.Name == "":
		return s, commandline.Wrong(help, "--service has no value")
	case s.Plist != "" && s.Name != "":
		return s, commandline.Wrong(help, "--plist and --service both name a service")
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
