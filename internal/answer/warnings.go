package answer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Occasional are warnings about what happened on the way. That Homebrew has to restart
// the service is for JSON only: the text says it as a result.
func Occasional(plan rebind.Plan, out rebind.Outcome, json bool) []Warning {
	var all []Warning
	if s := out.State; json && plan.Held && s.Ran() {
		all = append(all, Warning{"not-restarted", "the running service is unchanged: `" + advice.RestartCommand(s) + "` restarts it"})
	}
	if message := advice.Silent(out.State); message != "" {
		all = append(all, Warning{"address-silent", message})
	}
	if out.Opened != 0 {
		all = append(all, Warning{"plist-mode", advice.Opened(out.State, out.Opened)})
	}
	return all
}

// A line of the env file that Homebrew skips can be why the setting does not last.
const notLasting, suspicious = "not-lasting", "env-file-suspicious"

// Standing are warnings that hold as long as the state does.
func Standing(f advice.Facts) []Warning {
	var all []Warning
	if message := advice.Lasting(f); message != "" {
		all = append(all, Warning{notLasting, message})
	}
	if lines := advice.Suspicious(f.State); len(lines) > 0 {
		all = append(all, Warning{suspicious, f.State.Lasting().File.Path + ": " + strings.Join(lines, "; ")})
	}
	for _, a := range advice.All(f) {
		if slices.Contains([]string{"two-jobs", service.SeveralServices, "app-schema"}, a.ID) {
			all = append(all, Warning{a.ID, a.Message + ": `" + a.Hint + "`"})
		}
	}
	return all
}

// NotKept warns of what a new file in an old one's place does not have: its other names,
// and its access control list, whose entries ls shows below it.
func NotKept(ctx context.Context, m service.Machine, p rebind.Plan) (all []Warning) {
	if !p.State.Service.Kind.WritesFiles() { // what is edited in place keeps them
		return nil
	}
	for _, e := range p.Edits {
		if e.File.Links > 1 {
			all = append(all, Warning{"hard-link", "another name of " + e.File.Path + " (a hard link) keeps the file of before the fix"})
		}
		if e.File.Real == "" || e.File.Absent {
			continue
		}
		listed, _ := m.Launchd.Runner.Run(ctx, "ls", "-lde", e.File.Real)
		if strings.Contains(string(listed), "\n 0: ") {
			all = append(all, Warning{"acl", "the access control list of " + e.File.Path + " is not kept; the backup does not have it either"})
		}
	}
	return all
}

// PortMoves warns where the service has a port of its own, and --host was not given.
func PortMoves(plan rebind.Plan, asked bool) *Warning {
	from, to := plan.State.Port(), plan.Goal.Host.Port
	if asked || from == to || !plan.Changes() {
		return nil
	}
	keep := service.GoalFor(ollama.Host{Name: plan.Goal.Host.Name, Port: from}, plan.Goal.Persist)
	return &Warning{"port-moves", fmt.Sprintf("this moves Ollama from port %d to %d, and cuts off who uses %d: `%s` keeps the port",
		from, to, from, advice.FixCommand(plan.State, keep))}
}

// Exposed says what binding opens, or would open once launchd has read it.
func Exposed(h ollama.Host, firewall string, done bool) Warning {
	what := "on " + h.Socket()
	if h.Wildcard() {
		what = fmt.Sprintf("on any of its interfaces, by IPv4 and IPv6, on port %d", h.Port)
	}
	message := "anyone who can reach this Mac " + what + " can use and change Ollama: it has no password, and its Host check is off there"
	if !done {
		message = "anyone who can reach this Mac " + what + " could then use and change Ollama: it has no password, and its Host check would be off there"
	}
	if firewall != "" {
		message += "; the macOS firewall is " + firewall
	}
	return Warning{"exposed-without-auth", message}
}

// Lines are the warnings that the advice has not said yet, those with one cause in one
// line.
func Lines(all []Warning, said *Advice) (lines []string) {
	for i, w := range all {
		switch {
		case said != nil && said.ID == w.ID:
		case i > 0 && w.ID == suspicious && all[i-1].ID == notLasting && len(lines) > 0:
			lines[len(lines)-1] += "; " + w.Message
		default:
			lines = append(lines, w.Message)
		}
	}
	return lines
}
