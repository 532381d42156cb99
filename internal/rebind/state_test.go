package rebind

import (
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

var everywhere = service.GoalFor(ollama.ParseHost("0.0.0.0:11434"), true)

// homebrews is the kind of Homebrew's service.
var homebrews = service.KindOf(backup.Receipt{Label: "sh.brew.ollama"})

// bound is a state in which all is as everywhere wants it.
func bound() service.State {
	return service.State{
		Service: service.Service{Kind: homebrews, Loaded: true, Target: launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"}},
		Settings: []service.Setting{
			{Layer: service.EnvFileLayer, Value: everywhere.Value},
			{Layer: service.PlistLayer, Value: everywhere.Value, Agent: plistfix.Agent{Label: "sh.brew.ollama"}},
		},
		Job: service.Job{Loaded: true, Job: launchctl.Job{PID: 6574, Environment: map[string]string{"OLLAMA_HOST": *everywhere.Value}}},
		Socket: service.Socket{
			Port:       11434,
			Listeners:  []lsof.Listener{{PID: 6574, Command: "ollama", Family: "IPv6", Address: "*:11434"}},
			APIVersion: "0.33.0",
		},
	}
}
