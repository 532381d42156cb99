package bind

import (
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/ollama-bind/ollama-bind/plistfix"
)

// How much of the service's log is shown when it did not come up.
const (
	logLines = 5
	logBytes = 8 << 10
)

// logMark is a place in the service's log.
type logMark struct {
	path string
	size int64
}

// markLog remembers how long the log is: it is appended to over many runs, and
// only what comes now belongs to the story.
func markLog(agent plistfix.Agent) logMark {
	m := logMark{path: agent.StandardErrorPath}
	if info, err := os.Stat(m.path); err == nil && info.Mode().IsRegular() {
		m.size = info.Size()
	}
	return m
}

// serverConfig is where Ollama logs its whole environment, which can hold
// secrets (ollama/ollama server/routes.go).
var serverConfig = regexp.MustCompile(`env="?map\[.*`)

// since returns the last lines written after the mark.
func (m logMark) since() []string {
	info, err := os.Stat(m.path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(m.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	start := m.size
	if info.Size() < start {
		start = 0 // it was rotated
	}
	start = max(start, info.Size()-logBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, start, logBytes))
	if err != nil {
		return nil
	}
	return lastLines(string(text))
}

func lastLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	lines = lines[max(0, len(lines)-logLines):]
	for i, line := range lines {
		lines[i] = serverConfig.ReplaceAllString(line, "env=(not shown)")
	}
	return lines
}
