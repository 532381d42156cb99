//go:build !windows

package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Hints for mistyped command lines: what was probably meant.

// asTyped is the command line as it was typed, without the program's name.
func asTyped(c *cli.Context) []string {
	words, _ := c.App.Metadata[typedKey].([]string)
	return slices.Clone(words)
}

// commandLine is one of this program's, to paste.
func commandLine(words []string) string {
	line := name
	for _, word := range words {
		line += " " + shell.Quote(word)
	}
	return line
}

// replaced is the command line with one word replaced.
func replaced(c *cli.Context, word string, by ...string) string {
	words := asTyped(c)
	if at := slices.Index(words, word); at >= 0 {
		words = slices.Replace(words, at, at+1, by...)
	}
	return commandLine(words)
}

// withFlag is the command line with a flag set to another value.
func withFlag(c *cli.Context, flag, value string) string {
	return commandLine(append(without(c, flag), "--"+flag, value))
}

// without is the command line without a flag and its value.
func without(c *cli.Context, flag string) (rest []string) {
	words := asTyped(c)
	for i := 0; i < len(words); i++ {
		found := flagOf(c.Command, words[i])
		switch {
		case found == nil || found.Names()[0] != flag:
			rest = append(rest, words[i])
		case takesValue(found) && !strings.Contains(words[i], "="):
			i++
		}
	}
	return rest
}

// wasTyped reports whether a flag with a value was typed; a variable can set it too.
func wasTyped(c *cli.Context, flag string) bool { return len(without(c, flag)) < len(asTyped(c)) }

func unknownCommand(c *cli.Context, word string) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	if isAddress(word) {
		return &usageError{fmt.Sprintf("unknown command %q", word), replaced(c, word, "fix", "--host", word)}
	}
	if meant := nearest(word, append(names, "help")); meant != "" {
		return &usageError{fmt.Sprintf("unknown command %q; did you mean %s?", word, meant), replaced(c, word, meant)}
	}
	return &usageError{fmt.Sprintf("unknown command %q; there are %s", word, strings.Join(names, ", ")), name + " --help"}
}

func unknownFlag(c *cli.Context, flag string) error {
	command := commandOf(c)
	if command == "" {
		return &usageError{fmt.Sprintf("unknown flag --%s; the command comes first, and its flags behind it", flag), name + " --help"}
	}
	var names []string
	for _, known := range c.Command.Flags {
		names = append(names, known.Names()[0])
	}
	meant := nearest(flag, names)
	if meant == "" {
		dashes := "--"
		if slices.Contains(asTyped(c), "-"+flag) {
			dashes = "-"
		}
		return &usageError{fmt.Sprintf("%s has no flag %s%s", command, dashes, flag), name + " " + command + " --help"}
	}
	line := replaced(c, "--"+flag, "--"+meant)
	for _, word := range asTyped(c) {
		if value, found := strings.CutPrefix(word, "--"+flag+"="); found {
			line = replaced(c, word, "--"+meant+"="+value)
		}
	}
	return &usageError{fmt.Sprintf("%s has no flag --%s; did you mean --%s?", command, flag, meant), line}
}

// backupID is how backup IDs begin.
var backupID = regexp.MustCompile(`^\d{4,8}(T|$)`)

// strayArgument is for a command that takes no arguments. The argument's form tells
// which flag was meant.
func strayArgument(c *cli.Context, arg string) error {
	command, flag := c.Command.Name, ""
	has := func(flag string) bool { return flagOf(c.Command, "--"+flag) != nil }
	switch {
	case has("host") && isAddress(arg):
		flag = "host"
	case has("plist") && strings.HasSuffix(arg, ".plist"):
		flag = "plist"
	case has("to") && backupID.MatchString(arg):
		flag = "to"
	case has("check") && nearest(arg, checks()) != "":
		return &usageError{notTaken(command, arg), replaced(c, arg, "--check", nearest(arg, checks()))}
	case has("container"):
		flag = "container"
	case has("service") && (isOneOf(arg, "brew", "app") || strings.Contains(arg, ".")):
		flag = "service"
	}
	if flag == "" {
		return &usageError{notTaken(command, arg), name + " " + command + " --help"}
	}
	return &usageError{notTaken(command, arg), replaced(c, arg, "--"+flag, arg)}
}

func notTaken(command, arg string) string {
	return fmt.Sprintf("%s takes no arguments, but got %q", command, arg)
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

// nearest is the word that was probably meant: one that begins the same, or differs in
// at most two letters. It is "" if none comes close.
func nearest(word string, words []string) string {
	best, least := "", 3
	for _, other := range words {
		d := distance(word, other)
		if len(word) > 2 && strings.HasPrefix(other, word) {
			d = 1
		}
		if d < least && 2*d <= len(word)+1 {
			best, least = other, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with the next to get
// from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
				continue
			}
			rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
