package homebrew

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxEnvFile is the size in bytes of the largest env file that is accepted. A
// real one has a handful of lines.
const MaxEnvFile = 1 << 20

// EnvFileEnding is how the path of every env file for Ollama ends.
const EnvFileEnding = "/services/ollama.env"

// EnvFile is the file in which Homebrew 6.0.15 and later looks for variables
// to add to the service's environment. It is "" when no one place is meant,
// because a path is relative or home is unknown.
//
// The rule is that of Homebrew/brew bin/brew. HOMEBREW_USER_CONFIG_HOME, in
// which bin/brew hands on what it has found, is not asked for: bin/brew sets it
// again at every start, whatever the user has put there.
// HOMEBREW_XDG_CONFIG_HOME may stand in one of Homebrew's brew.env files
// instead of the environment; only getenv can know that.
func EnvFile(home string, getenv func(string) string) string {
	dir := configHome(home, getenv)
	// bin/brew takes a relative path as it is, so it means another file in
	// every folder that brew is started in (unverified: never tried).
	if !filepath.IsAbs(dir) {
		return ""
	}
	return dir + EnvFileEnding
}

// configHome joins text, as bin/brew does, without cleaning it: ".." after a symbolic
// link has to lead where it leads Homebrew.
func configHome(home string, getenv func(string) string) string {
	for _, name := range []string{"XDG_CONFIG_HOME", "HOMEBREW_XDG_CONFIG_HOME"} {
		if dir := getenv(name); dir != "" {
			return strings.TrimRight(dir, "/") + "/homebrew"
		}
	}
	if home == "" {
		return ""
	}
	return strings.TrimRight(home, "/") + "/.homebrew"
}

// EnvError says why an env file is refused. Homebrew, or launchd after it, would fail
// on such a file, and leave the service stopped.
type EnvError struct {
	// Reason is what is wrong, in lower case and without a full stop. It never
	// shows a value.
	Reason string
	// Line is the line number, from 1; 0 means the whole file.
	Line int
}

// Error returns the place and the reason.
func (e *EnvError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

// ParseEnv reads an env file as Homebrew does (Homebrew/brew
// Library/Homebrew/service.rb). A line is a name, "=" and a value, with blanks
// around each that do not count. Empty lines and those that begin with # are
// skipped, as are, with a warning from Homebrew, those without "=" or without a
// name. The last line of a name wins. There are no quotes, no export, and no
// comments behind a value: all of it becomes part of the name or the value.
//
// Its error is an [*EnvError]: the file is too large or not UTF-8, a line
// begins with a byte order mark, or a character is one that no plist can
// carry.
func ParseEnv(data []byte) (map[string]string, error) {
	if err := checkEnv(data); err != nil {
		return nil, err
	}
	vars := make(map[string]string)
	for line := range bytes.Lines(data) {
		if s, ok := parseLine(line); ok {
			vars[s.name] = s.value
		}
	}
	return vars, nil
}

// LineOf is the number of the line that sets a variable, 0 for none.
func LineOf(data []byte, name string) int {
	number, found := 0, 0
	for line := range bytes.Lines(data) {
		number++
		if s, ok := parseLine(line); ok && s.name == name {
			found = number
		}
	}
	return found
}

// Suspicious lists the lines of an env file that were probably meant to set a
// variable in another way than Homebrew understands them: with export, in
// quotes, or with a comment behind the value. There is one sentence for each
// mistake; it begins with the numbers of its lines and shows no value. A file
// that ParseEnv refuses has worse problems, and none of these.
func Suspicious(data []byte, name string) []string {
	if checkEnv(data) != nil {
		return nil
	}
	var all []string
	lines := map[string][]string{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		s, _ := parseLine(line)
		for _, doubt := range s.doubts(name) {
			if lines[doubt] == nil {
				all = append(all, doubt)
			}
			lines[doubt] = append(lines[doubt], strconv.Itoa(number))
		}
	}
	for i, doubt := range all {
		where := "line "
		if len(lines[doubt]) > 1 {
			where = "lines "
		}
		all[i] = where + strings.Join(lines[doubt], " and ") + ": " + doubt
	}
	return all
}

// blanks are the characters that Ruby's String#strip takes off: NUL and ASCII
// white space. Unicode's other spaces stay.
const blanks = "\x00\t\n\v\f\r "

// setting is a line that Homebrew takes for a variable.
type setting struct {
	name, value string
	// start and end tell where in the line the value stands. That of an empty
	// one is right behind the "=".
	start, end int
}

// parseLine reads a line, with or without its line ending. It is false for a
// line that Homebrew skips.
func parseLine(line []byte) (setting, bool) {
	before, after, found := bytes.Cut(line, []byte("="))
	name := bytes.Trim(before, blanks)
	if !found || len(name) == 0 || name[0] == '#' {
		return setting{}, false
	}
	value := bytes.Trim(after, blanks)
	start := len(before) + len("=")
	if len(value) > 0 {
		start += bytes.Index(after, value)
	}
	return setting{string(name), string(value), start, start + len(value)}, true
}

// doubts says what a setting may have been meant to do.
func (s setting) doubts(name string) []string {
	if words := strings.Fields(s.name); len(words) == 2 && words[0] == "export" && words[1] == name {
		return []string{"Homebrew does not know export, so this line does not set " + name}
	}
	if s.name != name {
		return nil
	}
	var all []string
	if strings.HasPrefix(s.value, `"`) || strings.HasPrefix(s.value, "'") {
		all = append(all, "Homebrew takes the quotes as part of the value of "+name)
	}
	if commented(s.value) {
		all = append(all, "Homebrew takes the comment as part of the value of "+name)
	}
	return all
}

// commented reports whether a shell would see a comment in value.
func commented(value string) bool {
	before, _, found := strings.Cut(value, "#")
	return found && strings.TrimRight(before, blanks) != before || strings.HasPrefix(value, "#")
}

// bom is the byte order mark. Two files joined together can have it in the middle.
var bom = []byte("\ufeff")

// checkEnv refuses a file that would break the service at its next start.
func checkEnv(data []byte) error {
	if len(data) > MaxEnvFile {
		return &EnvError{Reason: fmt.Sprintf("the file is larger than %d bytes", MaxEnvFile)}
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if reason := checkLine(line); reason != "" {
			return &EnvError{reason, number}
		}
	}
	return nil
}

// checkLine says why a line is refused, or nothing. Homebrew strips every line,
// so bytes that are no text break it even in a comment. Control characters pass
// Homebrew, but launchd cannot read the plist that they end up in.
func checkLine(line []byte) string {
	if !utf8.Valid(line) {
		return "this is not valid UTF-8, and Homebrew fails on it"
	}
	if bytes.HasPrefix(line, bom) {
		return "there is a byte order mark, which Homebrew takes as part of the name"
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return "there is a NUL, which launchd cannot read in a plist"
	}
	s, _ := parseLine(line)
	if i := strings.IndexFunc(s.name+s.value, unfit); i >= 0 {
		r, _ := utf8.DecodeRuneInString((s.name + s.value)[i:])
		return fmt.Sprintf("there is the character %U, which launchd cannot read in a plist", r)
	}
	return ""
}

// unfit reports whether XML cannot hold r, not even escaped.
func unfit(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff'
}
