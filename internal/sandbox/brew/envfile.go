package brew

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// errNotUTF8 is what Ruby 3.1 says of text that is not UTF-8. What newer ones do is
// unverified.
const errNotUTF8 = odie("invalid byte sequence in UTF-8")

// envFilePath is where brew looks for the user's variables. The environment of the
// caller decides; that a brew.env file can set HOMEBREW_XDG_CONFIG_HOME too is not
// modelled.
func envFilePath(getenv func(string) string) string {
	home := filepath.Join(getenv("HOME"), ".homebrew")
	for _, name := range []string{"HOMEBREW_XDG_CONFIG_HOME", "XDG_CONFIG_HOME"} {
		if dir := getenv(name); dir != "" {
			home = filepath.Join(dir, "homebrew")
		}
	}
	return filepath.Join(home, "services", "ollama.env")
}

// readEnvFile adds the variables of the env file to those of the formula. warn is told
// what is left out.
func readEnvFile(
	path string, env []variable, warn func(string),
) ([]variable, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return env, nil
	}
	if reason := distrust(info.Mode()); reason != "" {
		warn(fmt.Sprintf("Skipping %s: %s.", path, reason))
		return env, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, odie("Permission denied @ rb_sysopen - " + path)
	}
	if err != nil {
		return nil, err
	}
	return parseEnvFile(data, env, func(line string) {
		warn(fmt.Sprintf("Skipping invalid line in %s: %s", path, line))
	})
}

// distrust says why brew does not trust a file of that mode, if it does not.
func distrust(mode fs.FileMode) string {
	switch {
	case mode&0o002 != 0:
		return "file is world-writable"
	case mode&0o020 != 0:
		return "file is group-writable"
	default:
		return ""
	}
}

// rubySpace is what Ruby's strip takes away.
const rubySpace = "\x00\t\n\v\f\r "

// parseEnvFile reads KEY=VALUE lines. Nothing is unquoted or expanded, and a comment is
// a line of its own.
func parseEnvFile(
	data []byte, env []variable, skipped func(line string),
) ([]variable, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	for raw := range bytes.SplitSeq(data, []byte("\n")) {
		line := strings.Trim(string(raw), rubySpace)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key = strings.Trim(key, rubySpace)
		if !found || key == "" {
			skipped(line)
			continue
		}
		env = setVariable(env, variable{key, strings.Trim(value, rubySpace)})
	}
	return env, nil
}
