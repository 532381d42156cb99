// Package commandline has urfave/cli v2 do what people expect of a command line: flags
// where they like, an answer to what they mistyped, and help that fits a terminal.
//
// What cli does by default, and what is here for it:
//
//   - flags after a positional argument become arguments, so that
//     `fix x.plist --dry-run` would run the real fix: Arrange puts flags first
//     (urfave/cli#1177, #427);
//   - usage errors print the whole help on stdout: OnUsageError returns them;
//   - errors with an ExitCode method end the process inside Run: AsUsage catches those
//     that are left when the ExitErrHandler does nothing;
//   - an unknown command exits 3, or 0 with CommandNotFound set: UnknownCommand is for
//     the action of the app (urfave/cli#611);
//   - its help neither folds lines nor knows of examples: see Help.
package commandline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// TypedKey is where App.Metadata has the command line as it was typed, a []string
// without the program's name.
const TypedKey = "typed"

// Arrange puts a command's flags in front of its arguments, which is where package flag
// finds them. args are those that were typed, without the program's name.
func Arrange(app *cli.App, args []string) ([]string, error) {
	at := slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	if at < 0 || app.Command(args[at]) == nil || slices.Contains([]string{"-h", "--help", "-v", "--version"}, args[0]) {
		return args, nil
	}
	command, rest := app.Command(args[at]), args[at+1:]
	if at > 0 {
		return nil, Wrong(pasted(app.Name, slices.Concat(args[at:at+1], args[:at], rest)), "%s belongs behind the command", args[0])
	}
	var flags, others []string
	for len(rest) > 0 && rest[0] != "--" {
		n := 1
		switch flag := FlagOf(command, rest[0]); {
		case !strings.HasPrefix(rest[0], "-"):
			others = append(others, rest[0])
		case takesValue(flag) && !strings.Contains(rest[0], "=") && len(rest) > 1:
			n = 2
			fallthrough
		default:
			if takesValue(flag) && !isList(flag) && slices.ContainsFunc(flags, func(word string) bool { return FlagOf(command, word) == flag }) {
				return nil, Wrong(app.Name+" "+command.Name+" --help", "--%s is given twice", flag.Names()[0])
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

// FlagOf is the flag that a word on the command line stands for, or nil.
func FlagOf(c *cli.Command, word string) cli.Flag {
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

// Rules are about the flags of commands.
type Rules struct {
	// Ignored lists, for each flag of a command, the flags that it would make useless.
	Ignored map[string]map[string][]string
	// Needs lists the flags that mean nothing without another.
	Needs map[string]string
}

// Check refuses flags without a value, and flags that would be ignored.
func (r Rules) Check(c *cli.Context) error {
	for _, flag := range c.Command.Flags {
		flagName := flag.Names()[0]
		empty := !isList(flag) && c.String(flagName) == "" || isList(flag) && slices.Contains(c.StringSlice(flagName), "")
		if _, duration := flag.(*cli.DurationFlag); takesValue(flag) && !duration && c.IsSet(flagName) && empty {
			return Wrong(c.App.Name+" "+c.Command.Name+" --help", "--%s has no value", flagName)
		}
		if other := r.Needs[flagName]; other != "" && on(c, flagName) && !on(c, other) {
			return Wrong(pasted(c.App.Name, append(asTyped(c), "--"+other)), "--%s is for --%s", flagName, other)
		}
		for _, other := range r.Ignored[c.Command.Name][flagName] {
			if on(c, flagName) && on(c, other) {
				return Wrong(pasted(c.App.Name, without(c, other)), "--%s would be ignored with --%s", other, flagName)
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
	return WasTyped(c, flag)
}
