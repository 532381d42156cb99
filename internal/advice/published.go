package advice

import (
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lsof"
)

// publishers are the programs that hold a port for a container that publishes it, by
// the beginning of their name in lsof, with the tool that lists such containers. For
// Colima and Lima that is ssh or limactl.
var publishers = []struct{ command, tool string }{
	{"com.docke", "docker"}, {"docker-pr", "docker"}, {"vpnkit", "docker"}, {"OrbStack", "docker"},
	{"rootlessk", "docker"}, {"limactl", "docker"}, {"ssh", "docker"},
	{"gvproxy", "podman"}, {"rootlessp", "podman"}, {"conmon", "podman"},
}

// published is the command that shows the container which holds a port, or "".
func published(l lsof.Listener) string {
	for _, p := range publishers {
		if strings.HasPrefix(l.Command, p.command) {
			return fmt.Sprintf("%s ps --filter publish=%d", p.tool, l.Port())
		}
	}
	return ""
}

// forContainer says that a listener serves a container.
func forContainer(l lsof.Listener) string {
	if published(l) == "" {
		return ""
	}
	return ", for a container that publishes the port"
}
