package sandbox

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Localise replaces Homebrew's prefix and Ollama's port in a plist by this Mac's own. It
// is textual, so nothing else changes; a binary plist is taken as it is. One that is
// local already stays as it is, though its prefix contains /opt/homebrew too.
func (m *Mac) Localise(data []byte) []byte {
	if isBinary(data) {
		return data
	}
	prefix := xmlEscape(m.Prefix())
	return []byte(strings.NewReplacer(
		prefix, prefix,
		"/opt/homebrew", prefix, // on Apple silicon
		"/usr/local", prefix, // on Intel
		":11434", ":"+strconv.Itoa(m.Port),
	).Replace(string(data)))
}

// Install localises a plist, gives it the label, and writes it to
// LaunchAgents/LABEL.plist with mode 0644. A binary plist is written as it is.
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

var labelPattern = regexp.MustCompile(`(<key>Label</key>\s*<string>)[^<]*`)

func setLabel(data []byte, label string) []byte {
	if isBinary(data) {
		return data
	}
	escaped := strings.ReplaceAll(xmlEscape(label), "$", "$$")
	return labelPattern.ReplaceAll(data, []byte("${1}"+escaped))
}

func isBinary(data []byte) bool { return bytes.HasPrefix(data, []byte("bplist")) }

func xmlEscape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
