package commandline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// UsageError is a bad command line; nothing was run.
type UsageError struct {
	Message string
	Hint    string // a command to paste
}

func (e *UsageError) Error() string { return e.Message }

// Wrong is a UsageError.
func Wrong(hint, format string, args ...any) *UsageError {
	return &UsageError{fmt.Sprintf(format, args...), hint}
}

// longFlag finds flags that package flag names with one dash.
var longFlag = regexp.MustCompile(`(^|\s)-([a-z][a-z-]+)`)

// OnUsageError says what is wrong, and what was meant; commands do not inherit the app's.
func OnUsageError(c *cli.Context, err error, _ bool) error {
	if typed, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: "); unknown {
		return unknownFlag(c, strings.TrimLeft(typed, "-"))
	}
	message := strings.ReplaceAll(err.Error(), "timeout: parse error", "timeout: write a time such as 45s or 2m")
	message = longFlag.ReplaceAllString(message, "$1--$2")
	return Wrong(strings.TrimSpace(c.App.Name+" "+commandOf(c))+" --help", "%s", message)
}

// commandOf is the name of the command, or "".
func commandOf(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name
}

// AsUsage catches what cli reports with an exit code of its own: arguments after
// --help.
func AsUsage(name string, err error) error {
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return Wrong(name+" --help", "--help takes no arguments")
	}
	return err
}

// asTyped is the command line as it was typed, without the program's name.
func asTyped(c *cli.Context) []string {
	words, _ := c.App.Metadata[TypedKey].([]string)
	return slices.Clone(words)
}

// pasted is one of this program's, to paste.
func pasted(name string, words []string) string {
	line := name
	for _, word := range words {
		line += " " + shell.Quote(word)
	}
	return line
}

// Replaced is the command line with one word replaced.
func Replaced(c *cli.Context, word string, by ...string) string {
	words := asTyped(c)
	if at := slices.Index(words, word); at >= 0 {
		words = slices.Replace(words, at, at+1, by...)
	}
	return pasted(c.App.Name, words)
}

// WithFlag is the command line with a flag set to another value.
func WithFlag(c *cli.Context, flag, value string) string {
	return pasted(c.App.Name, append(without(c, flag), "--"+flag, value))
}

// without is the command line without a flag and its value.
func without(c *cli.Context, flag string) (rest []string) {
	words := asTyped(c)
	for i := 0; i < len(words); i++ {
		found := FlagOf(c.Command, words[i])
		switch {
		case found == nil || found.Names()[0] != flag:
			rest = append(rest, words[i])
		case takesValue(found) && !strings.Contains(words[i], "="):
			i++
		}
	}
	return rest
}

// WasTyped reports whether a flag with a value was typed; a variable can set it too.
func WasTyped(c *cli.Context, flag string) bool { return len(without(c, flag)) < len(asTyped(c)) }

// UnknownCommand says what was meant, or what there is.
func UnknownCommand(c *cli.Context, word string) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	if meant := Nearest(word, append(names, "help")); meant != "" {
		return Wrong(Replaced(c, word, meant), "unknown command %q; did you mean %s?", word, meant)
	}
	return Wrong(c.App.Name+" --help", "unknown command %q; there are %s", word, strings.Join(names, ", "))
}

func unknownFlag(c *cli.Context, flag string) error {
	command := commandOf(c)
	if command == "" {
		return Wrong(c.App.Name+" --help", "unknown flag --%s; the command comes first, and its flags behind it", flag)
	}
	var names []string
	for _, known := range c.Command.Flags {
		names = append(names, known.Names()[0])
	}
	meant := Nearest(flag, names)
	if meant == "" {
		dashes := "--"
		if slices.Contains(asTyped(c), "-"+flag) {
			dashes = "-"
		}
		return Wrong(c.App.Name+" "+command+" --help", "%s has no flag %s%s", command, dashes, flag)
	}
	line := Replaced(c, "--"+flag, "--"+meant)
	for _, word := range asTyped(c) {
		if value, found := strings.CutPrefix(word, "--"+flag+"="); found {
			line = Replaced(c, word, "--"+meant+"="+value)
		}
	}
	return Wrong(line, "%s has no flag --%s; did you mean --%s?", command, flag, meant)
}

// Nearest is the word that was probably meant: one that begins the same, or differs in
// at most two letters. It is "" if none comes close.
func Nearest(word string, words []string) string {
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
