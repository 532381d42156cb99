package service

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Agent is the kind of a launchd job that is not Homebrew's: written by hand, or by a
// tool.
const Agent = "agent"

type agent struct{ byLaunchd }

func (agent) Name() string { return Agent }

// manyAgents are more than launchd is asked about one by one.
const manyAgents = 8

// find goes by the plists that launchd loads on its own.
func (agent) find(ctx context.Context, m Machine, harder bool) ([]candidate, error) {
	if harder {
		return nil, nil
	}
	var services []Service
	for _, path := range m.propertyLists() {
		one := readPlist(path) // what we cannot understand is not ours
		if isAgent(one.Agent.Label) && commandOf(one.Agent).serves() {
			services = append(services, m.serviceOf(one.Agent.Label, path))
		}
	}
	all := m.ask(ctx, m.likely(ctx, services))
	var each []candidate
	for _, s := range services {
		c := candidate{Service: s}
		c.Domains = domainsOf(s.Plist, all)
		for _, seen := range all {
			switch {
			case seen.Plist != s.Plist:
			case seen.loaded():
				c = seen.candidate()
			case !seen.absent():
				c.job.Err = seen.err
			}
		}
		each = append(each, c)
	}
	return each, nil
}

// Broken are the plists that were skipped because they could not be understood.
func (m Machine) Broken() []string {
	return slices.DeleteFunc(m.propertyLists(), func(path string) bool { return readPlist(path).Err == nil })
}

func (agent) adopt(ctx context.Context, m Machine, s *State, _ []candidate) (candidate, bool) {
	return m.adopted(ctx, s, isAgent)
}

// isAgent reports whether a job belongs to no kind that has labels of its own.
func isAgent(label string) bool { return kindOfJob(label) == agent{} }

// likely are those that, by launchd's list, have a process.
func (m Machine) likely(ctx context.Context, services []Service) []Service {
	if len(services) <= manyAgents {
		return services
	}
	labels, err := m.Launchd.Running(ctx)
	if err != nil {
		return services
	}
	up := map[string]bool{}
	for _, label := range labels {
		up[label] = true
	}
	return slices.DeleteFunc(slices.Clone(services), func(s Service) bool { return !up[s.Label] })
}

// propertyLists are the files that launchd loads on its own, except Apple's.
func (m Machine) propertyLists() []string {
	var all []string
	for _, dir := range []string{m.agents(), m.allAgents(), m.Daemons} {
		files, _ := os.ReadDir(dir) // a missing folder has none
		for _, f := range files {
			if filepath.Ext(f.Name()) == ".plist" {
				all = append(all, filepath.Join(dir, f.Name()))
			}
		}
	}
	return all
}

func (agent) settings(_ context.Context, _ Machine, s State) []Setting {
	one := readPlist(s.Service.Plist)
	c := commandOf(one.Agent)
	one.Override, one.HostFlag = c.sets(one.File), c.hostFlag(one.File)
	one.Keeper = keeperOf(one)
	return []Setting{one}
}

// Keeper is the tool that writes a file, and would write it again.
type Keeper string

// The keepers.
const (
	Nobody      Keeper = ""
	HomeManager Keeper = "home-manager"
	NixDarwin   Keeper = "nix-darwin"
	Nix         Keeper = "Nix"
	MacPorts    Keeper = "MacPorts"
)

// keeperOf goes by the labels that the tools use, and by where Nix keeps what it
// writes.
func keeperOf(one Setting) Keeper {
	label := one.Agent.Label
	switch {
	case strings.HasPrefix(label, "org.macports."):
		return MacPorts
	case strings.HasPrefix(label, "org.nix-community.home."):
		return HomeManager
	case strings.HasPrefix(label, "org.nixos."):
		return NixDarwin
	case strings.Contains(one.File.Real, "/nix/store/"):
		return Nix
	}
	return Nobody
}

func (agent) Parse(_ string, f backup.File) Setting { return parsePlist(f) }

func (agent) judge(one Setting, g Goal) (LayerState, string) {
	if one.Override != nil {
		return Unsupported, "its command sets it, in " + one.Override.String()
	}
	return judgePlist(one, g)
}

func (agent) Set(one Setting, value *string) (*backup.Change, error) {
	if one.Override != nil {
		return nil, nil // nothing would read it
	}
	return setPlist(one, value)
}

func (agent) Owns(r backup.Receipt, s Service) bool { return r.Label == s.Label }

// notOllama reports whether a job plainly runs something else: none of its arguments
// names Ollama, or it only sets a variable.
func notOllama(one Setting) bool {
	c := commandOf(one.Agent)
	text := strings.ToLower(c.whole())
	return text != "" && !c.serves() && (strings.Contains(text, "setenv") || !strings.Contains(text, "ollama"))
}

// SetsAgain is the first plist whose command sets OLLAMA_HOST with launchctl setenv, as
// people do at login, or "". Without one, such a value lasts until the next reboot.
func (m Machine) SetsAgain() string {
	for _, path := range m.propertyLists() {
		if setenvHost.MatchString(commandOf(readPlist(path).Agent).whole()) {
			return path
		}
	}
	return ""
}

var setenvHost = regexp.MustCompile(`\bsetenv\s+` + ollama.Variable + `\b`)

// ServesAll reports whether there is a service whose file is root's.
func (m Machine) ServesAll() bool {
	return slices.ContainsFunc(m.propertyLists(), func(path string) bool {
		return filepath.Dir(path) != m.agents() && commandOf(readPlist(path).Agent).serves()
	})
}
