package rebind

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/masked"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Diff is the edits as a unified diff. It always shows the value of OLLAMA_HOST, but
// other values, which patch(1) needs, only if asked: diffs end up in logs.
func (p Plan) Diff(values bool) string {
	var all strings.Builder
	for _, e := range p.Edits {
		if e.Layer == service.SettingLayer {
			continue // what stands in for the bytes cannot be patched
		}
		if bytes.HasPrefix(e.File.Data, []byte("bplist")) { // no lines, and values that nothing sets apart
			fmt.Fprintf(&all, "Binary files %s and %s differ\n", e.File.Path, nameOf(e.File.Path, e.After == nil))
			continue
		}
		text := diff.Diff(nameOf(e.File.Path, e.File.Absent), e.File.Data, nameOf(e.File.Path, e.After == nil), e.After)
		_, text, _ = bytes.Cut(text, []byte("\n")) // "diff PATH PATH" says nothing more
		if values {
			all.Write(text)
			continue
		}
		all.WriteString(maskDiff(string(text), maskFile(e, e.File.Data), maskFile(e, e.After)))
	}
	return all.String()
}

// nameOf is the name of a missing file in a diff.
func nameOf(path string, absent bool) string {
	if absent {
		return os.DevNull
	}
	return path
}

var hunk = regexp.MustCompile(`^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@`)

// maskDiff replaces the lines of the files with their masked lines.
func maskDiff(text string, before, after []string) string {
	var b strings.Builder
	var old, new int
	next := func(lines []string, n *int) { *n++; b.WriteString(lines[*n-2]) }
	for line := range strings.Lines(text) {
		switch {
		case hunk.MatchString(line):
			m := hunk.FindStringSubmatch(line)
			fmt.Sscan(m[1]+" "+m[2], &old, &new)
			b.WriteString(line)
		case old+new == 0 || line[0] == '\\': // the head, or "\ No newline at end of file"
			b.WriteString(line)
		case line[0] == '+':
			b.WriteString("+")
			next(after, &new)
		default:
			b.WriteString(line[:1])
			next(before, &old)
			if line[0] == ' ' {
				new++
			}
		}
	}
	return b.String()
}

// The values of a plist, with what stands before them if that is the one key
// whose value is shown, and those of an env file.
var (
	valueInPlist = regexp.MustCompile(`(?s)(<key>` + ollama.Variable + `</key>(?:\s|<!--.*?-->)*)?<(string|integer|real|date|data)>(.*?)</`)
	valueInEnv   = regexp.MustCompile(`(?m)^([^=\n]*=)(.*)$`)
	nameIsOurs   = regexp.MustCompile(`^\s*` + ollama.Variable + `\s*=`)
)

// maskFile returns a file's lines without values that may be secret.
func maskFile(e backup.Change, data []byte) []string {
	text := string(data)
	if e.Layer == service.EnvFileLayer {
		text = valueInEnv.ReplaceAllStringFunc(text, func(line string) string {
			name, value, _ := strings.Cut(line, "=")
			if nameIsOurs.MatchString(line) {
				return line
			}
			return name + "=" + masked.Value(value)
		})
	} else {
		text = valueInPlist.ReplaceAllStringFunc(text, func(element string) string {
			m := valueInPlist.FindStringSubmatch(element)
			if m[1] != "" {
				return element
			}
			return "<" + m[2] + ">" + masked.Value(m[3]) + "</"
		})
	}
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] != "" { // a diff ends each line
		lines[last] += "\n"
	}
	return lines
}
