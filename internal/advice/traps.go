package advice

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// trap is a setting that does not do what its author wanted.
type trap struct {
	level Level
	where string
	text  string
	// misnamed: the variable is not OLLAMA_HOST.
	misnamed bool
	// left is what fix leaves alone, a variable or a line; "" for nothing.
	left string
}

// Traps lists the settings, in all layers, that do not do what their author wanted,
// each with where it is.
func Traps(f Facts) []string {
	var all []string
	traps, _ := trapsOf(f)
	for _, t := range traps {
		all = append(all, t.where+": "+t.text)
	}
	return slices.Compact(all)
}

// trapsOf also reports whether the right variable is set anywhere.
func trapsOf(f Facts) (all []trap, set bool) {
	if !f.Found() {
		return nil, false
	}
	for _, v := range valuesOf(f.State) {
		set = set || v.name == ollama.Variable
		for _, t := range f.trap(v) {
			if t.misnamed || f.Goal.Matches(&v.value) {
				t.left = v.name
			}
			all = append(all, t)
		}
	}
	for _, doubt := range Suspicious(f.State) {
		line, _, _ := strings.Cut(doubt, ":")
		all = append(all, trap{level: Warn, where: f.State.Lasting().File.Path, text: doubt, left: line})
	}
	return all, set
}

// Suspicious lists lines of the lasting setting that do not mean what they look like.
func Suspicious(s service.State) []string {
	return homebrew.Suspicious(s.Lasting().File.Data, ollama.Variable)
}

// trapped reports whether the worst trap is of that level.
func trapped(f Facts, level Level) bool { return worstTrap(f).level == level }

// worstTrap is the one to talk about. A wrong name does harm only if the right one is
// not set.
func worstTrap(f Facts) trap {
	all, set := trapsOf(f)
	for _, t := range all {
		if t.level == Fail && !(t.misnamed && set) {
			return t
		}
	}
	if len(all) == 0 {
		return trap{}
	}
	worst := all[0]
	worst.level = Warn
	return worst
}

// saySuspicious also says what to remove by hand.
func saySuspicious(f Facts) string {
	worst := worstTrap(f)
	if worst.left == "" || worst.where == setenv {
		return worst.text
	}
	text := worst.text + "; remove " + worst.left + " from " + worst.where
	if one := f.State.Lasting(); worst.misnamed && worst.where == one.File.Path {
		text += fmt.Sprintf(", line %d", homebrew.LineOf(one.File.Data, worst.left))
	}
	return text
}

// cureTraps has fix write the right value. What fix leaves alone can only be looked at:
// Homebrew's restart would take it out of the plist, together with everything else that
// was put there.
func cureTraps(f Facts) string {
	switch worst := worstTrap(f); {
	case worst.level == Fail, worst.left == "", worst.where == setenv:
		return fix(f)
	case strings.HasSuffix(worst.where, ".plist"):
		return "plutil -p " + shell.Quote(worst.where)
	default:
		return "cat -v " + shell.Quote(worst.where)
	}
}

// setenv is the place of variables that a job inherits.
const setenv = "launchctl setenv"

// setting is a variable that may be meant for Ollama's address.
type setting struct{ where, name, value string }

// valuesOf are the settings in all layers.
func valuesOf(s service.State) []setting {
	var all []setting
	add := func(where string, env map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(env)) {
			if name == ollama.Variable || isWrongName(name) {
				all = append(all, setting{where, name, env[name]})
			}
		}
	}
	for _, one := range s.Settings {
		add(one.File.Path, one.Agent.EnvironmentVariables)
	}
	add(s.Service.Target.String(), s.Job.Environment)
	if s.Job.Value() == nil {
		add(setenv, s.Job.InheritedEnvironment)
	}
	return all
}

// wrongNames are taken for OLLAMA_HOST, or belong to clients of Ollama
// (ollama/ollama#703, for one).
var wrongNames = []string{
	"OLLAMA", "OLLAMA_HOSTS", "OLLAMA_HOSTNAME", "OLLAMAHOST", "OLLAMA-HOST", "OLLAMA_ADDRESS", "OLLAMA_ADDR", "OLLAMA_BIND",
	"OLLAMA_LISTEN", "OLLAMA_IP", "OLLAMA_PORT", "OLLAMA_URL", "OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_API_BASE_URL",
}

func isWrongName(name string) bool {
	plain := strings.ToUpper(strings.TrimSpace(name)) // Homebrew leaves a no-break space in a name
	return name != ollama.Variable && (slices.Contains(wrongNames, plain) || plain == ollama.Variable)
}

// trap is what is wrong with the setting, if anything is.
func (f Facts) trap(v setting) []trap {
	if v.name != ollama.Variable {
		name := v.name
		if strings.TrimSpace(name) != name {
			name = strconv.QuoteToASCII(name)
		}
		return []trap{{level: Fail, where: v.where, text: name + " is no variable of Ollama's server: it is called OLLAMA_HOST", misnamed: true}}
	}
	_, err := ollama.CheckHost(unquoted(v.value))
	switch {
	case errors.Is(err, ollama.ErrPath): // which Ollama cuts off
		return nil
	case err != nil:
		return []trap{{level: severity(v.value, err), where: v.where, text: err.Error()}}
	case ollama.ParseHost(v.value).Elsewhere(f.Addresses):
		return []trap{{level: Fail, where: v.where,
			text: fmt.Sprintf("%q is not an address of this machine now: Ollama exits at once, again and again", v.value)}}
	}
	return nil
}

// unquoted is the value without what Ollama strips.
func unquoted(value string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"'`))
}

// severity separates values that keep Ollama from where it was meant to be from those
// that it replaces with a default.
func severity(value string, err error) Level {
	for _, mild := range []error{ollama.ErrEmpty, ollama.ErrName, ollama.ErrCharacters} {
		if errors.Is(err, mild) {
			return Warn
		}
	}
	if errors.Is(err, ollama.ErrBadPort) && ollama.ParseHost(value).Port != 0 {
		return Warn
	}
	return Fail
}
