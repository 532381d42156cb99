package homebrew

import (
	"regexp"
	"slices"
	"strings"
)

// header is how Homebrew's plist writer begins every file.
const header = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
`

const footer = "</dict>\n</plist>\n"

// serviceKeys are the keys that Homebrew can write for a formula, with any options of
// `brew services` (Homebrew/brew Library/Homebrew/service.rb). Ollama's formula uses
// half of them.
var serviceKeys = []string{
	"EnvironmentVariables", "ExitTimeOut", "KeepAlive", "Label", "LaunchOnlyOnce", "LegacyTimers",
	"LimitLoadToSessionType", "Nice", "ProcessType", "ProgramArguments", "RootDirectory", "RunAtLoad",
	"Sockets", "StandardErrorPath", "StandardInPath", "StandardOutPath", "StartCalendarInterval",
	"StartInterval", "ThrottleInterval", "TimeOut", "UserName", "WorkingDirectory",
}

// integerKeys are those with a number as their value.
var integerKeys = []string{"ExitTimeOut", "Nice", "StartInterval", "ThrottleInterval", "TimeOut"}

// Generated reports whether a plist looks as Homebrew writes it: its header, its
// indentation, its keys in its order. An edit by hand usually leaves some other trace;
// a perfect imitation cannot be told apart.
func Generated(doc []byte) bool {
	body, begins := strings.CutPrefix(string(doc), header)
	body, ends := strings.CutSuffix(body, footer)
	if !begins || !ends {
		return false
	}
	depth, key, keys := 1, "", []string{}
	for line := range strings.Lines(body) {
		element := strings.TrimSuffix(strings.TrimLeft(line, "\t"), "\n")
		if strings.HasPrefix(element, "</") {
			depth--
		}
		if line != strings.Repeat("\t", max(depth, 0))+element+"\n" || !written.MatchString(element) {
			return false
		}
		if strings.HasPrefix(element, "<integer>") && depth == 1 && !slices.Contains(integerKeys, key) {
			return false
		}
		if name, ok := strings.CutPrefix(element, "<key>"); ok && depth == 1 {
			key = strings.TrimSuffix(name, "</key>")
			keys = append(keys, key)
		}
		if element == "<dict>" || element == "<array>" {
			depth++
		}
	}
	return depth == 1 && slices.IsSorted(keys) && !slices.ContainsFunc(keys, foreignKey)
}

func foreignKey(key string) bool { return !slices.Contains(serviceKeys, key) }

// written matches the lines of a service's plist.
var written = regexp.MustCompile(
	`^<(/?dict|/?array|true/|false/|string/|key>[^<>]*</key|integer>-?[0-9]+</integer|string>[^<>]*</string)>$`)
