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
		before, after := e.File.Data, e.After
		if !values {
			before, after = maskFile(e.Layer, before), maskFile(e.Layer, after)
		}
		text := diff.Diff(nameOf(e.File.Path, e.File.Absent), before, nameOf(e.File.Path, e.After == nil), after)
		_, text, _ = bytes.Cut(text, []byte("\n")) // "diff PATH PATH" says nothing more
		all.Write(text)
	}
	return sums.ReplaceAllString(all.String(), "")
}

// nameOf is the name of a missing file in a diff.
func nameOf(path string, absent bool) string {
	if absent {
		return os.DevNull
	}
	return path
}

// hidden is a value as it may be shown, with its sum behind it until the files are
// compared: values that differ have to.
func hidden(value string) string {
	shown := masked.Value(value)
	if shown != value {
		shown += "\x00" + backup.Sum([]byte(value))
	}
	return shown
}

var sums = regexp.MustCompile(`\x00[0-9a-f]{64}`)

// The values of a plist, with what stands before them if that is the one key
// whose value is shown, and those of an env file.
var (
	valueInPlist = regexp.MustCompile(`(?s)(<key>` + ollama.Variable + `</key>(?:\s|<!--.*?-->)*)?<(string|integer|real|date|data)>(.*?)</`)
	valueInEnv   = regexp.MustCompile(`(?m)^([^=\n]*=)(.*)$`)
	nameIsOurs   = regexp.MustCompile(`^\s*` + ollama.Variable + `\s*=`)
)

// maskFile is a file with the same lines, and without values that may be secret.
func maskFile(layer string, data []byte) []byte {
	if layer == service.EnvFileLayer {
		return valueInEnv.ReplaceAllFunc(data, func(line []byte) []byte {
			name, value, _ := strings.Cut(string(line), "=")
			if nameIsOurs.Match(line) {
				return line
			}
			return []byte(name + "=" + hidden(value))
		})
	}
	return valueInPlist.ReplaceAllFunc(data, func(element []byte) []byte {
		m := valueInPlist.FindSubmatch(element)
		if len(m[1]) > 0 {
			return element
		}
		return fmt.Appendf(nil, "<%s>%s</", m[2], hidden(string(m[3])))
	})
}
