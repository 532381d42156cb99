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

// Services that have to be told apart by name, and those that a tool looks after.

// severalServices names each one, with the command that chooses it.
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

// chooseOne fixes one of them. Others that are loaded have to end first: they would
// take the port.
func chooseOne(f Facts, one service.Service, all []service.Service) string {
	var steps []string
	for _, s := range all {
		if s.Loaded && s.Target != one.Target {
			steps = append(steps, words(service.State{Service: s}).end(service.State{Service: s}))
		}
	}
	return strings.Join(append(steps, sudo(service.State{Service: one})+Command("fix", f.Goal)+" "+choose(one, all)), " && ")
}

// choose is the flag that chooses one of them: by label, if no other has the same.
func choose(one service.Service, all []service.Service) string {
	for _, s := range all {
		if called(s) == called(one) && s.Plist != one.Plist {
			return "--plist " + shell.Quote(one.Plist)
		}
	}
	return "--service " + shell.Quote(called(one))
}

// sayKept names the configuration line from which the tool writes the file.
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

// portsEnv is the file that MacPorts' service reads, under the prefix of its plist
// (macports-ports llm/ollama).
func portsEnv(one service.Setting) string {
	prefix, _, found := strings.Cut(one.File.Real, "/etc/LaunchDaemons/")
	if !found {
		prefix = "/opt/local"
	}
	return filepath.Join(prefix, "etc", "ollama", "ollama_env.conf")
}

// showLine shows where the text is.
func showLine(l service.Line, text string) string {
	return "grep -n -e " + text + " " + shell.Quote(l.Path)
}
