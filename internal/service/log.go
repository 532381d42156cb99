package service

import (
	"bytes"
	"cmp"
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

// logMark is a place in the service's log.
type logMark struct {
	path    string
	size    int64
	secrets []string // that are not to be shown
}

// markLog remembers how long the log is: it is appended to over many runs, and
// only what comes now belongs to the story.
func markLog(s State) logMark {
	m := logMark{path: s.LogPath(), secrets: s.secrets()}
	if info, err := os.Stat(m.path); err == nil && info.Mode().IsRegular() {
		m.size = info.Size()
	}
	return m
}

// secrets are the values that the service may have in its environment and in its
// arguments, wherever they come from, and that are not to be shown; the longest first,
// since one may begin as another does.
func (s State) secrets() []string {
	all := append(secrets(s.Job.Environment), secrets(s.Job.InheritedEnvironment)...)
	for _, one := range s.Settings {
		all = append(all, secrets(one.Agent.EnvironmentVariables)...)
		for _, arg := range one.Agent.ProgramArguments {
			all = append(all, secretsInArgument(arg)...)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// secrets are the values of an environment that are not to be shown.
func secrets(env map[string]string) []string {
	var all []string
	for name, value := range env {
		if name != ollama.Variable {
			all = append(all, secretsIn(value)...)
		}
	}
	return all
}

// secretsIn are the lines of a value, and the parts of what stands before the @ of
// a URL in it: its reader may show these alone.
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

// userinfo is what stands before the host of a URL.
var userinfo = regexp.MustCompile(`://([^/@\s]+)@`)

// serverConfig is where Ollama logs its whole environment, which can hold
// secrets (ollama/ollama server/routes.go).
var serverConfig = regexp.MustCompile(`env="?map\[.*`)

const notShown = "(not shown)"

// shortSecret is how long a value has to be to be taken for a secret; a shorter
// one, like "1", stands in every other line.
const (
	shortSecret   = 6
	shortPassword = 4 // of what is a password by its place
)

// since returns the last lines written after the mark.
func (m logMark) since() []string { return lastLines(m.text()) }

// complaint is the last line written after the mark that tells of an error, "" for
// none.
func (m logMark) complaint() string {
	for _, line := range slices.Backward(strings.Split(m.text(), "\n")) {
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

// text is the end of what was written after the mark, in whole lines.
func (m logMark) text() string {
	info, err := os.Stat(m.path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(m.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	start := m.size
	if info.Size() < start {
		start = 0 // it was rotated
	}
	cut := info.Size()-logBytes > start
	start = max(start, info.Size()-logBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, start, logBytes))
	if err != nil {
		return ""
	}
	if cut { // in the middle of a line: what the rest of it is, nobody can tell
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return m.masked(string(text))
}

// masked is text without what may be a secret: whatever the service's environment
// holds, which Ollama logs at every start.
func (m logMark) masked(text string) string {
	text = serverConfig.ReplaceAllString(text, "env="+notShown)
	for _, secret := range m.secrets {
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

// LogPath is where the service writes its errors, "" if nowhere.
func (s State) LogPath() string { return cmp.Or(s.Plist().Agent.StandardErrorPath, s.Job.StderrPath) }

// errorLine is how Ollama, Go's runtime and macOS's loader begin to complain.
var errorLine = regexp.MustCompile(`^Error: |\blevel=(ERROR|FATAL)\b|^panic: |^fatal error: |^dyld`)

const longestLine = 300

// lastError is the last line of the service's log that tells of an error, without
// what may be a secret. It is "" if Ollama has started well since, or if there is
// none near the log's end.
func (s State) lastError() string {
	if s.Job.Err != nil {
		return "" // without its environment, nobody knows what is a secret in there
	}
	mark := logMark{path: s.LogPath(), secrets: s.secrets()}
	for _, line := range slices.Backward(strings.Split(mark.text(), "\n")) {
		switch {
		case strings.Contains(line, `msg="Listening on `):
			return ""
		case errorLine.MatchString(line):
			return shortened(line)
		}
	}
	return ""
}
