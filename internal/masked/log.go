// Package masked shows what a service logged, and what its files hold, without values
// that may be secret.
package masked

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// How much of the service's log is shown when it did not come up.
const (
	logLines = 5
	logBytes = 8 << 10
)

// Log is the file to which a service writes its errors. Many runs append to it.
type Log struct {
	Path    string   // "" for none
	Secrets []string // that are not to be shown
	from    int64    // older lines do not matter
}

// FromHere is the log from its current end on.
func (l Log) FromHere() Log {
	if info, err := os.Stat(l.Path); err == nil && info.Mode().IsRegular() {
		l.from = info.Size()
	}
	return l
}

// Secrets are the values from environments and programs' arguments that must not be
// shown; the longest first, since one may begin another.
func Secrets(environments []map[string]string, arguments []string) []string {
	var all []string
	for _, env := range environments {
		for name, value := range env {
			if name != ollama.Variable {
				all = append(all, secretsIn(value)...)
			}
		}
	}
	for _, arg := range arguments {
		all = append(all, secretsInArgument(arg)...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// secretsIn are the lines of a value, and the parts before the @ of a URL in it: a
// program may print these separately.
func secretsIn(value string) []string {
	var all []string
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= shortSecret {
			all = append(all, line)
		}
	}
	for _, m := range userinfo.FindAllStringSubmatch(value, -1) {
		_, password, _ := strings.Cut(m[1], ":")
		plain, _ := url.PathUnescape(password)
		for _, part := range []string{m[1], password, plain} {
			if len(part) >= shortPassword {
				all = append(all, part)
			}
		}
	}
	return all
}

// secretsInArgument are those of each word that sets something, as NAME=VALUE and
// --name=VALUE do, and of an argument that is no flag, path or word of Ollama's.
func secretsInArgument(arg string) []string {
	var all []string
	for word := range strings.FieldsSeq(arg) {
		name, value, set := strings.Cut(word, "=")
		if set && strings.TrimLeft(name, "-") != ollama.Variable {
			all = append(all, secretsIn(strings.Trim(value, `"';`))...)
		}
	}
	if !strings.HasPrefix(arg, "-") && !strings.Contains(strings.ToLower(arg), "ollama") && !filepath.IsAbs(arg) {
		all = append(all, secretsIn(arg)...)
	}
	return all
}

// userinfo is what comes before the host of a URL.
var userinfo = regexp.MustCompile(`://([^/@\s]+)@`)

// serverConfig is where Ollama logs its whole environment, which can hold
// secrets (ollama/ollama server/routes.go).
var serverConfig = regexp.MustCompile(`env="?map\[.*`)

const notShown = "(not shown)"

// shortSecret is the length below which a value is not taken for a secret; a short one,
// like "1", is in every other line.
const (
	shortSecret   = 6
	shortPassword = 4 // unless its place says that it is a password
)

// Tail is the last lines.
func (l Log) Tail() []string { return lastLines(l.text()) }

// Complaint is the last line about an error, or "".
func (l Log) Complaint() string {
	for _, line := range slices.Backward(strings.Split(l.text(), "\n")) {
		if errorLine.MatchString(line) {
			return shortened(line)
		}
	}
	return ""
}

// shortened is as much of a line as is worth showing.
func shortened(line string) string {
	if len(line) > longestLine {
		return strings.ToValidUTF8(line[:longestLine], "") + "…"
	}
	return line
}

// text is the end of the log, in whole lines.
func (l Log) text() string {
	info, err := os.Stat(l.Path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return ""
	}
	defer f.Close()
	start := l.from
	if info.Size() < start {
		start = 0 // the log was rotated
	}
	cut := info.Size()-logBytes > start
	start = max(start, info.Size()-logBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, start, logBytes))
	if err != nil {
		return ""
	}
	if cut { // in the middle of a line, whose beginning is unknown
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return l.masked(string(text))
}

// masked is text without what may be secret: the service's environment, which Ollama
// logs at every start.
func (l Log) masked(text string) string {
	text = serverConfig.ReplaceAllString(text, "env="+notShown)
	for _, secret := range l.Secrets {
		text = strings.ReplaceAll(text, secret, notShown)
	}
	return text
}

func lastLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-logLines):]
}

// errorLine matches how Ollama, Go's runtime and macOS's loader report an error.
var errorLine = regexp.MustCompile(`^Error: |\blevel=(ERROR|FATAL)\b|^panic: |^fatal error: |^dyld`)

const longestLine = 300

// LastError is the last line about an error. It is "" if Ollama has started well since,
// or if there is none near the log's end.
func (l Log) LastError() string {
	for _, line := range slices.Backward(strings.Split(l.text(), "\n")) {
		switch {
		case strings.Contains(line, `msg="Listening on `):
			return ""
		case errorLine.MatchString(line):
			return shortened(line)
		}
	}
	return ""
}

// Value is a value as it may be shown: a short one in full, of a long one the number of
// its lines.
func Value(value string) string {
	if len(strings.TrimSpace(value)) < shortSecret {
		return value
	}
	return notShown + strings.Repeat("\n", strings.Count(value, "\n"))
}
