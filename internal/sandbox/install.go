package sandbox

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"howett.net/plist"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// Localise replaces Homebrew's prefix and Ollama's port in a plist by this Mac's own. It is textual in a property list in XML, so nothing
// else changes; a binary one is written anew. A plist that is local already stays as it is.
func (m *Mac) Localise(data []byte) []byte {
	if !isBinary(data) {
		return []byte(m.localise(string(data), xmlEscape(m.Prefix())))
	}
	return rewriteBinary(data, func(_, s string) string { return m.localise(s, m.Prefix()) })
}

// localise leaves what is local already alone, which contains /opt/homebrew too.
func (m *Mac) localise(s, prefix string) string {
	return strings.NewReplacer(
		prefix, prefix,
		"/opt/homebrew", prefix, // on Apple silicon
		"/usr/local", prefix, // on Intel
		":11434", ":"+strconv.Itoa(m.Port),
	).Replace(s)
}

// Install localises a plist, gives it the label, and writes it to LaunchAgents/LABEL.plist with mode 0644.
func (m *Mac) Install(label string, data []byte) (path string, err error) {
	path = filepath.Join(m.Agents(), label+".plist")
	if err := os.WriteFile(path, setLabel(m.Localise(data), label), 0o644); err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	// The umask may have taken bits away that the plist is to have.
	if err := os.Chmod(path, 0o644); err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	return path, nil
}

var labelPattern = lazyregexp.New(`(<key>Label</key>\s*<string>)[^<]*(</string>)`)

func setLabel(data []byte, label string) []byte {
	if !isBinary(data) {
		return labelPattern.ReplaceAll(data, []byte("${1}"+strings.ReplaceAll(xmlEscape(label), "$", "$$")+"${2}"))
	}
	return rewriteBinary(data, func(key, s string) string {
		if key == "Label" {
			return label
		}
		return s
	})
}

func isBinary(data []byte) bool { return bytes.HasPrefix(data, []byte("bplist")) }

func xmlEscape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// rewriteBinary applies f to the strings of a binary plist. What cannot be read stays as it is: tests install broken plists too.
func rewriteBinary(data []byte, f func(key, s string) string) []byte {
	var v any
	if _, err := plist.Unmarshal(data, &v); err != nil {
		return data
	}
	out, err := plist.Marshal(mapStrings("", v, f), plist.BinaryFormat)
	if err != nil {
		return data
	}
	return out
}

// mapStrings applies f to the strings in v, passing the dictionary key they stand under.
func mapStrings(key string, v any, f func(key, s string) string) any {
	switch v := v.(type) {
	case string:
		return f(key, v)
	case []any:
		for i := range v {
			v[i] = mapStrings("", v[i], f)
		}
	case map[string]any:
		for k := range v {
			v[k] = mapStrings(k, v[k], f)
		}
	}
	return v
}
