package doctor

import (
	"bytes"
	"context"
	"fmt"
	"regexp"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// socketfilterfw is Apple's command for the application firewall. It is not on
// PATH.
const socketfilterfw = "/usr/libexec/ApplicationFirewall/socketfilterfw"

// firewallState is the part of the answer that all versions share: "Firewall is
// enabled. (State = 1)".
var firewallState = regexp.MustCompile(`State = (\d)`)

// blocksAll is Firewall's answer if no program may accept connections.
const blocksAll = "on, and blocks all incoming connections"

// Firewall says whether macOS's application firewall is "on", "on (state 2)", "off" or
// blocksAll, or nothing if that cannot be found out. It filters only strangers: the
// machine's own connections always pass, so no check on this machine can show its effect.
func Firewall(ctx context.Context, run launchctl.Runner) string {
	out, err := run.Run(ctx, socketfilterfw, "--getglobalstate")
	if err != nil {
		return ""
	}
	state := firewallState.FindSubmatch(out)
	switch {
	case state == nil:
		return ""
	case string(state[1]) == "0":
		return "off"
	case bytes.Contains(out, []byte("blocking all")):
		return blocksAll
	case string(state[1]) != "1": // of 2 some say that it blocks all, and some that it is stealth mode
		return fmt.Sprintf("on (state %s)", state[1])
	}
	return "on"
}
