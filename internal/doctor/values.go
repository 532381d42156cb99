package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

func judgeEnvFile(_ *Case, s bind.State) Finding {
	path, value := s.EnvFile.File.Path, s.EnvFile.Value
	layer := s.Layers(bind.Goal{Lasting: s.Plist.Value(), Persist: true})[0]
	switch {
	case layer.State == bind.Skipped, layer.State == bind.Unsupported, path == "":
		return skipped(layer.Detail, path)
	case s.EnvFile.Err != nil && s.Brew.Known && !s.Brew.HonoursEnvFile:
		return skipped("cannot be read, and this Homebrew ignores it: "+layer.Detail, path)
	case s.EnvFile.Err != nil:
		return judgeBadEnvFile(path, s.EnvFile.Err, layer.Detail)
	case s.EnvFile.File.Mode&bind.WritableByOthers != 0 && value != nil:
		return warned("others can write to it, so Homebrew skips it", "chmod go-w "+shell.Quote(path), path)
	case value != nil:
		return passed(worded(value), path)
	case s.Plist.Value() != nil:
		return warned("not set, though the property list has it: Homebrew's next restart of the service drops it", fixFor(s, s.Plist.Value()), path)
	}
	return passed("not set", path)
}

// judgeBadEnvFile tells what Homebrew passes over from what it fails on, which
// leaves the service stopped (Homebrew/brew Library/Homebrew/service.rb).
func judgeBadEnvFile(path string, err error, detail string) Finding {
	var malformed *homebrew.EnvError
	switch {
	case errors.As(err, &malformed):
		return failed("not as Homebrew and launchd need it: "+detail, "cat -v "+shell.Quote(path), path)
	case errors.Is(err, fs.ErrNotExist):
		return warned("a link that leads nowhere, which Homebrew ignores", "ls -l "+shell.Quote(path), path)
	case errors.Is(err, backup.ErrNotRegular):
		return warned("no file, so Homebrew ignores it", "ls -ld "+shell.Quote(path), path)
	}
	return failed("Homebrew may fail on it at its next restart of the service: "+detail, "ls -ld "+shell.Quote(path), path)
}

func judgePlistValue(c *Case, s bind.State) Finding {
	value, intended := s.Plist.Value(), s.EnvFile.Value
	switch {
	case s.Plist.Err != nil:
		return skipped("the property list could not be read", s.Agent.Plist)
	case !honoursEnvFile(s), intended == nil, bind.Equivalent(value, intended):
		return judgeValue(c, s, value, s.Agent.Plist)
	}
	return failed(fmt.Sprintf("%s, but Homebrew's env file says %s: that has not been taken over", worded(value), worded(intended)),
		fixFor(s, intended), s.Agent.Plist, s.EnvFile.File.Path)
}

// honoursEnvFile reports whether Homebrew would take a value over from its env
// file.
func honoursEnvFile(s bind.State) bool {
	l := s.Layers(bind.Goal{Lasting: s.EnvFile.Value, Persist: true})[0]
	return l.State == bind.OK
}

func judgeJobValue(c *Case, s bind.State) Finding {
	value, file := s.Job.Value(), s.Plist.Value()
	target := s.Agent.Target.String()
	inherited, isInherited := s.Job.InheritedEnvironment[ollama.Variable]
	switch {
	case s.Job.Err != nil:
		return skipped(s.Job.Err.Error())
	case !s.Job.Loaded:
		return skipped("launchd has not loaded the service")
	case s.Job.Environment == nil:
		return skipped("this launchctl does not show it", target)
	case s.Plist.Err == nil && !bind.Equivalent(value, file):
		return failed(fmt.Sprintf("%s, but the property list says %s: launchd has not read it since", worded(value), worded(file)),
			fixFor(s, orElse(file, value)), target, s.Agent.Plist)
	case value == nil && isInherited:
		return warned(inherited+", from launchctl setenv: it is gone after the next reboot",
			"launchctl unsetenv OLLAMA_HOST && "+fixFor(s, &inherited), target)
	}
	return judgeValue(c, s, value, target)
}

// judgeValue says what a value makes of Ollama. What is wrong with the value
// itself is the business of value-traps.
func judgeValue(c *Case, s bind.State, value *string, where string) Finding {
	h := ollama.Default
	if value != nil {
		h = ollama.ParseHost(*value)
	}
	port := h.Port
	if c.Asked {
		port = c.Goal.Host.Port
	}
	switch {
	case c.Asked && value != nil && h.Port != c.Goal.Host.Port:
		return failed(worded(value)+", which is another port than the wanted "+c.Goal.Host.String(), s.FixCommand(c.Goal), where)
	case h.Wildcard():
		return passed(*value+": all interfaces", where)
	case value == nil, *value == "":
		return loopbackAlone(worded(value)+": Ollama listens on ", measureFirst(s, port), where)
	case h.Loopback():
		return loopbackAlone(*value+": ", measureFirst(s, port), where)
	}
	return warned(*value+": one address, and not the loopback that most container runtimes come in by", measureFirst(s, port), where)
}

// worded is a value in words.
func worded(value *string) string {
	if value != nil && *value == "" {
		return "empty"
	}
	return bind.OrUnset(value)
}

func orElse(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

// fixFor is the command that brings all layers to a value.
func fixFor(s bind.State, value *string) string {
	if _, err := ollama.CheckHost(*value); err != nil {
		return s.FixCommand(bind.Goal{})
	}
	return s.FixCommand(bind.GoalFor(ollama.ParseHost(*value), true))
}

func checkGetenv(ctx context.Context, c *Case) Finding {
	value, err := c.Machine.Launchd.Getenv(ctx, ollama.Variable)
	var s bind.State
	if value != "" {
		s, _ = c.known(ctx) // without one, it is Homebrew's service that gets fixed
	}
	return judgeGetenv(s, value, err)
}

func judgeGetenv(s bind.State, value string, err error) Finding {
	const where = "launchctl getenv OLLAMA_HOST"
	switch {
	case err != nil:
		return withoutTool("launchctl", err)
	case value == "":
		return passed("not set", where)
	}
	return warned(value+", for all that launchd starts and until the next reboot", "launchctl unsetenv OLLAMA_HOST && "+fixFor(s, &value),
		where, "a value in the service's property list goes before it")
}

// checkTraps also needs to know which addresses there are.
func checkTraps(c *Case, s bind.State) Finding {
	return judgeTraps(c, s, c.Machine.Addresses())
}

func judgeTraps(c *Case, s bind.State, addresses []netip.Addr) Finding {
	var all []trap
	set := false
	for _, v := range valuesOf(s) {
		set = set || v.name == ollama.Variable
		for _, t := range v.trap(addresses) {
			if t.misnamed || c.Goal.Matches(&v.value) {
				t.left = v.name
			}
			all = append(all, t)
		}
	}
	for _, doubt := range homebrew.Suspicious(s.EnvFile.File.Data, ollama.Variable) {
		line, _, _ := strings.Cut(doubt, ":")
		all = append(all, trap{status: Warn, where: s.EnvFile.File.Path, text: doubt, left: line})
	}
	if len(all) == 0 {
		return passed("nothing that Ollama reads in another way than it was meant")
	}
	return tell(c, s, all, set)
}

// tell takes the worst trap for the summary. A wrong name does harm only where
// the right one is not set.
func tell(c *Case, s bind.State, all []trap, set bool) Finding {
	worst, status := all[0], Warn
	var evidence []string
	for _, t := range all {
		if t.status == Fail && status == Warn && !(t.misnamed && set) {
			worst, status = t, Fail
		}
		evidence = append(evidence, t.where+": "+t.text)
	}
	fix := s.FixCommand(c.Goal)
	if status == Warn && worst.left != "" && worst.where != setenv {
		fix = worst.removal(c, s)
	}
	return Finding{Status: status, Summary: worst.text, Fix: fix, Evidence: lines(slices.Compact(evidence)...)}
}

// trap is a setting that does not do what its author wanted.
type trap struct {
	status Status
	where  string
	text   string
	// misnamed is set for a variable that is not OLLAMA_HOST.
	misnamed bool
	// left is what fix leaves as it is, a variable or a line: "" for nothing.
	left string
}

// removal takes out what fix leaves, and keeps Ollama where it is unless another
// address was asked for. Homebrew's restart would take it out of the property list
// too, and all else that somebody has put there.
func (t trap) removal(c *Case, s bind.State) string {
	fix := s.FixCommand(c.Goal)
	if value := orElse(s.EnvFile.Value, s.Plist.Value()); value != nil && !c.Asked {
		fix = fixFor(s, value)
	}
	return "remove " + t.left + " from " + t.where + ", and then: " + fix
}

// setenv is where a job inherits variables from.
const setenv = "launchctl setenv"

// setting is a variable that may be meant for Ollama's address.
type setting struct{ where, name, value string }

// valuesOf are the settings in all layers.
func valuesOf(s bind.State) []setting {
	var all []setting
	add := func(where string, env map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(env)) {
			if name == ollama.Variable || isWrongName(name) {
				all = append(all, setting{where, name, env[name]})
			}
		}
	}
	file, _ := homebrew.ParseEnv(s.EnvFile.File.Data) // what cannot be read is told by value-in-env-file
	add(s.EnvFile.File.Path, file)
	add(s.Agent.Plist, s.Plist.Agent.EnvironmentVariables)
	add(s.Agent.Target.String(), s.Job.Environment)
	if s.Job.Value() == nil {
		add(setenv, s.Job.InheritedEnvironment)
	}
	return all
}

// wrongNames are what people have taken for OLLAMA_HOST, or programs that ask
// Ollama use for its address (ollama/ollama#703, for one).
var wrongNames = []string{
	"OLLAMA", "OLLAMA_HOSTS", "OLLAMA_HOSTNAME", "OLLAMAHOST", "OLLAMA-HOST", "OLLAMA_ADDRESS", "OLLAMA_ADDR", "OLLAMA_BIND",
	"OLLAMA_LISTEN", "OLLAMA_IP", "OLLAMA_PORT", "OLLAMA_URL", "OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_API_BASE_URL",
}

func isWrongName(name string) bool {
	return name != ollama.Variable && (slices.Contains(wrongNames, strings.ToUpper(name)) || strings.EqualFold(name, ollama.Variable))
}

// trap is what is wrong with the setting, if anything is.
func (v setting) trap(addresses []netip.Addr) []trap {
	if v.name != ollama.Variable {
		return []trap{{status: Fail, where: v.where, text: v.name + " is no variable of Ollama's server: it is called OLLAMA_HOST", misnamed: true}}
	}
	_, err := ollama.CheckHost(unquoted(v.value))
	switch {
	case err == nil:
		return v.elsewhere(addresses)
	case errors.Is(err, ollama.ErrPath):
		return nil // which Ollama cuts off
	}
	return []trap{{status: severity(v.value, err), where: v.where, text: err.Error()}}
}

// unquoted is the value without what Ollama trims.
func unquoted(value string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"'`))
}

// severity tells values that keep Ollama from being where it was meant to be from
// those that it has a default for.
func severity(value string, err error) Status {
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

// elsewhere is the trap of an address that this machine does not have.
func (v setting) elsewhere(addresses []netip.Addr) []trap {
	if !ollama.ParseHost(v.value).Elsewhere(addresses) {
		return nil
	}
	return []trap{{status: Fail, where: v.where,
		text: fmt.Sprintf("%q is not an address of this machine now: Ollama exits at once, again and again", v.value)}}
}
