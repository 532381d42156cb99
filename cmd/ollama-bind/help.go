//go:build !windows

package main

import (
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/urfave/cli/v2"
)

// firstSteps is what the bare program name prints.
const firstSteps = `ollama-bind makes the Ollama on this Mac reachable from containers.

   status     show where the address is set, and who listens
   probe      ask from inside your containers whether they reach Ollama
   fix        make Ollama listen on all interfaces, prove it, keep a backup
   rollback   put back what was there before
   doctor     check everything between OLLAMA_HOST and a container

Everything else is in ollama-bind --help. To begin with, have a look:
   ollama-bind status
`

// examples are command lines, and what they do.
var examples = map[string][][2]string{
	"": {
		{"ollama-bind probe", "is there anything to fix?"},
		{"ollama-bind fix --dry-run", "see the change first"},
		{"ollama-bind fix", "make it"},
		{"ollama-bind rollback", "take it back"},
	},
	"fix": {
		{"ollama-bind fix --dry-run", "see the change first"},
		{"ollama-bind fix", "listen on all interfaces, port 11434"},
		{"ollama-bind fix --host 192.168.1.10", "on one address only"},
		{"ollama-bind fix --no-restart", "take effect at Ollama's next start"},
	},
	"status": {
		{"ollama-bind status", "have a look"},
		{"ollama-bind status --json | jq .advice", "for scripts"},
	},
	"rollback": {
		{"ollama-bind rollback", "back to before the first fix"},
		{"ollama-bind rollback --list", "see the backups"},
	},
	"doctor": {
		{"ollama-bind doctor", "the whole report"},
		{"ollama-bind doctor --container open-webui", "and what that container sees"},
		{"ollama-bind doctor --check listeners", "one check only"},
	},
	"probe": {
		{"ollama-bind probe", "all that use Ollama"},
		{"ollama-bind probe --container open-webui", "one container"},
		{"ollama-bind probe --url http://192.168.1.10:11434", "another URL"},
	},
	"url": {
		{"export OLLAMA_BASE_URL=$(ollama-bind url)", "for a script"},
		{"ollama-bind url --runtime docker", "without asking the runtime"},
	},
	"version": {
		{"ollama-bind version --json", "for scripts"},
	},
}

var help = commandline.Help{Examples: examples, Exits: exitsOf}

func init() { cli.HelpPrinter = help.Print }
