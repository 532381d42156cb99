//go:build !windows

package main

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
)

// unknownCommand takes an address for what fix is to bind to.
func unknownCommand(c *cli.Context, word string) error {
	if isAddress(word) {
		return commandline.Wrong(commandline.Replaced(c, word, "fix", "--host", word), "unknown command %q", word)
	}
	return commandline.UnknownCommand(c, word)
}

// backupID is how backup IDs begin.
var backupID = regexp.MustCompile(`^\d{4,8}(T|$)`)

const notTaken = "%s takes no arguments, but got %q"

// strayArgument is for a command that takes no arguments. The argument's form tells
// which flag was meant.
func strayArgument(c *cli.Context, arg string) error {
	command, flag := c.Command.Name, ""
	has := func(flag string) bool { return commandline.FlagOf(c.Command, "--"+flag) != nil }
	switch {
	case has("host") && isAddress(arg):
		flag = "host"
	case has("plist") && strings.HasSuffix(arg, ".plist"):
		flag = "plist"
	case has("to") && backupID.MatchString(arg):
		flag = "to"
	case has("check") && commandline.Nearest(arg, checks()) != "":
		return commandline.Wrong(commandline.Replaced(c, arg, "--check", commandline.Nearest(arg, checks())), notTaken, command, arg)
	case has("container"):
		flag = "container"
	case has("service") && (arg == "brew" || arg == "app" || strings.Contains(arg, ".")):
		flag = "service"
	}
	if flag == "" {
		return commandline.Wrong(name+" "+command+" --help", notTaken, command, arg)
	}
	return commandline.Wrong(commandline.Replaced(c, arg, "--"+flag, arg), notTaken, command, arg)
}

func checks() (ids []string) {
	for _, check := range doctor.Checks() {
		ids = append(ids, check.ID)
	}
	return ids
}

func isAddress(word string) bool {
	_, err := netip.ParseAddr(word)
	_, portErr := netip.ParseAddrPort(word)
	return err == nil || portErr == nil
}
