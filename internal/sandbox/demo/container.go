package main

import (
	"fmt"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

var withContainer = act{
	"A container whose program asks for Ollama, on an engine whose bridge does not lead to loopback.",
	show.startContainer,
	[]scene{
		{"What does the container get?", "ollama-bind probe", 3, false},
		{"A rebind is what it takes.", "ollama-bind fix", 0, true},
		{"And now?", "ollama-bind probe", 0, false},
	},
}

// startContainer has an engine and a container beside Homebrew's service.
func (s show) startContainer() error {
	if err := s.startService(); err != nil {
		return err
	}
	if err := s.mac.StartEngine(sandbox.Engine{Product: "linux"}); err != nil {
		return err
	}
	return s.mac.Docker.Run(sandbox.Container{
		Name: "web", Image: "app", Tools: []string{"curl"},
		Env:        []string{fmt.Sprintf("LLM_BASE_URL=http://host.docker.internal:%d", s.mac.Port)},
		ExtraHosts: []string{"host.docker.internal:host-gateway"},
	})
}
