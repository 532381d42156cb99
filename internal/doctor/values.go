package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

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
		return failed("Homebrew may fail on it at its next restart of the service: "+layer.Detail, "mend it: "+path, path)
	case s.EnvFile.File.Mode&bind.WritableByOthers != 0 && value != nil:
		return warned("others can write to it, so Homebrew skips it", "chmod go-w "+shell.Quote(path), path)
	case value != nil:
		return passed(*value, path)
	case s.Plist.Value() != nil:
		return warned("not set, though the property list has it: Homebrew's next restart of the service drops it", fixFor(s.Plist.Value()), path)
	}
	return passed("not set", path)
}

func judgePlistValue(c *Case, s bind.State) Finding {
	value, intended := s.Plist.Value(), s.EnvFile.Value
	switch {
	case s.Plist.Err != nil:
		return skipped("the property list could not be read", s.Agent.Plist)
	case !honoursEnvFile(s), intended == nil, bind.Equivalent(value, intended):
		return judgeValue(c, value, s.Agent.Plist)
	}
	return failed(fmt.Sprintf("%s, but Homebrew's env file says %s: that has not been taken over", bind.OrUnset(value), *intended),
		fixFor(intended), s.Agent.Plist, s.EnvFile.File.Path)
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
		return failed(fmt.Sprintf("%s, but the property list says %s: launchd has not read it since", bind.OrUnset(value), bind.OrUnset(file)),
			fixFor(orElse(file, value)), target, s.Agent.Plist)
	case value == nil && isInherited:
		return warned(inherited+", from launchctl setenv: it is gone after the next reboot",
			"launchctl unsetenv OLLAMA_HOST && "+fixFor(&inherited), target)
	}
	return judgeValue(c, value, target)
}

// judgeValue says what a value makes of Ollama. What is wrong with the value
// itself is the business of value-traps.
func judgeValue(c *Case, value *string, where string) Finding {
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
		return failed(*value+", which is another port than the wanted "+c.Goal.Host.String(), bind.FixCommand(c.Goal), where)
	case h.Wildcard():
		return passed(*value+": all interfaces", where)
	case value == nil:
		return warned("not set: Ollama listens on "+loopbackAlone, measureFirst(port), where)
	case h.Loopback():
		return warned(*value+": "+loopbackAlone, measureFirst(port), where)
	}
	return warned(*value+": one address, and not the loopback that most container runtimes come in by", measureFirst(port), where)
}

func orElse(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

// fixFor is the command that brings all layers to a value.
func fixFor(value *string) string {
	if _, err := ollama.CheckHost(*value); err != nil {
		return "ollama-bind fix"
	}
	return bind.FixCommand(bind.GoalFor(ollama.ParseHost(*value), true))
}

func checkGetenv(ctx context.Context, c *Case) Finding {
	value, err := c.Machine.Launchd.Getenv(ctx, ollama.Variable)
	return judgeGetenv(value, err)
}

func judgeGetenv(value string, err error) Finding {
	const where = "launchctl getenv OLLAMA_HOST"
	switch {
	case err != nil:
		return withoutTool("launchctl", err)
	case value == "":
		return passed("not set", where)
	}
	return warned(value+", for all that launchd starts and until the next reboot", "launchctl unsetenv OLLAMA_HOST && "+fixFor(&value),
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
		all = append(all, v.trap(addresses)...)
	}
	for _, doubt := range homebrew.Suspicious(s.EnvFile.File.Data, ollama.Variable) {
		all = append(all, trap{status: Warn, where: s.EnvFile.File.Path, text: doubt})
	}
	if len(all) == 0 {
		return passed("nothing that Ollama reads in another way than it was meant")
	}
	return tell(c, all, set)
}

// tell takes the worst trap for the summary. A wrong name does harm only where
// the right one is not set.
func tell(c *Case, all []trap, set bool) Finding {
	worst, status := all[0], Warn
	var evidence []string
	for _, t := range all {
		if t.status == Fail && status == Warn && !(t.misnamed && set) {
			worst, status = t, Fail
		}
		evidence = append(evidence, t.where+": "+t.text)
	}
	return Finding{Status: status, Summary: worst.text, Fix: bind.FixCommand(c.Goal), Evidence: lines(slices.Compact(evidence)...)}
}

// trap is a setting that does not do what its author wanted.
type trap struct {
	status Status
	where  string
	text   string
	// misnamed is set for a variable that is not OLLAMA_HOST.
	misnamed bool
}

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
		add("launchctl setenv", s.Job.InheritedEnvironment)
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
		return []trap{{Fail, v.where, v.name + " is no variable of Ollama's server: it is called OLLAMA_HOST", true}}
	}
	_, err := ollama.CheckHost(unquoted(v.value))
	switch {
	case err == nil:
		return v.elsewhere(addresses)
	case errors.Is(err, ollama.ErrPath):
		return nil // which Ollama cuts off
	}
	return []trap{{severity(v.value, err), v.where, err.Error(), false}}
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
	h := ollama.ParseHost(v.value)
	ip, err := netip.ParseAddr(h.Name)
	if err != nil || h.Wildcard() || h.Loopback() || slices.Contains(addresses, ip.Unmap()) {
		return nil
	}
	return []trap{{Fail, v.where, fmt.Sprintf("%q is not an address of this machine now: Ollama exits at once, again and again", v.value), false}}
}
