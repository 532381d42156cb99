package advice

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Services of which nobody knows which one is meant, and those that somebody else
// looks after.

// severalServices names each of them, with the command that chooses it.
func severalServices(f Facts, all []service.Service) string {
	var each []string
	for _, s := range all {
		each = append(each, fmt.Sprintf("%s (`%s`)", Name(service.State{Service: s}), chooseOne(f, s, all)))
	}
	what := "there are several services for Ollama here"
	if all[0].Loaded {
		what = "several services want one port, and one of them has to be chosen"
	}
	return what + ": " + strings.Join(each, ", ")
}

// chooseOne fixes one of all. Those that are loaded as well have to end before that:
// they would take the port.
func chooseOne(f Facts, one service.Service, all []service.Service) string {
	var steps []string
	for _, s := range all {
		if s.Loaded && s.Target != one.Target {
			steps = append(steps, words(service.State{Service: s}).end(service.State{Service: s}))
		}
	}
	return strings.Join(append(steps, sudo(service.State{Service: one})+Command("fix", f.Goal)+" "+choose(one, all)), " && ")
}

// choose is the flag that chooses one of all: the label, where no other has it.
func choose(one service.Service, all []service.Service) string {
	for _, s := range all {
		if called(s) == called(one) && s.Plist != one.Plist {
			return "--plist " + shell.Quote(one.Plist)
		}
	}
	return "--service " + shell.Quote(called(one))
}

// sayKept names the line of the configuration from which the tool writes the file.
func sayKept(f Facts) string {
	one := f.State.Plist()
	text := fmt.Sprintf("%s writes %s, and would write it again: ", one.Keeper, one.File.Path)
	switch one.Keeper {
	case service.MacPorts:
		return text + fmt.Sprintf("its service reads %s, where %s=%s lasts", portsEnv(one), ollama.Variable, f.Goal.Host)
	case service.HomeManager:
		return text + fmt.Sprintf("set `services.ollama.host = %q;` in its configuration, and switch", cmp.Or(f.Goal.Host.Name, "0.0.0.0"))
	case service.NixDarwin:
		kind := "user.agents"
		if f.State.Service.Daemon {
			kind = "daemons"
		}
		return text + fmt.Sprintf("set `launchd.%s.%s.serviceConfig.EnvironmentVariables.%s = %q;` in its configuration, and switch",
			kind, strings.TrimPrefix(one.Agent.Label, "org.nixos."), ollama.Variable, f.Goal.Host)
	}
	return text + "set " + ollama.Variable + " in the configuration from which it was built"
}

func askKeeper(f Facts) string {
	one := f.State.Plist()
	switch one.Keeper {
	case service.MacPorts: // the verb is unverified
		return fmt.Sprintf("echo %s=%s | sudo tee -a %s && sudo port reload ollama", ollama.Variable, f.Goal.Host, shell.Quote(portsEnv(one)))
	case service.HomeManager:
		return "home-manager switch"
	case service.NixDarwin:
		return "darwin-rebuild switch"
	}
	return "ls -l " + shell.Quote(one.File.Path)
}

// portsEnv is the file that MacPorts' service reads, in the prefix in which its
// plist lies (macports-ports llm/ollama).
func portsEnv(one service.Setting) string {
	prefix, _, found := strings.Cut(one.File.Real, "/etc/LaunchDaemons/")
	if !found {
		prefix = "/opt/local"
	}
	return filepath.Join(prefix, "etc", "ollama", "ollama_env.conf")
}

// showLine shows where the text stands.
func showLine(l service.Line, text string) string {
	return "grep -n -e " + text + " " + shell.Quote(l.Path)
}
