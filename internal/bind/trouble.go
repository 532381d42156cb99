package bind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Trouble is why Ollama does not answer where it is wanted.
//
// The IDs are not-installed, two-jobs, not-loaded, not-running, crash-looping,
// port-held, needs-root, listens-elsewhere and no-answer. A firewall is none of them:
// it lets the machine's own connections pass, so nobody can see it from here.
type Trouble struct {
	ID   string // kebab-case, for scripts
	Text string // one line
	Hint string // a command to paste
}

// Trouble says why Ollama does not answer where the goal wants it. It is false
// where Ollama does.
func (s State) Trouble(g Goal) (Trouble, bool) {
	if s.answers(g) {
		return Trouble{}, false
	}
	return s.trouble(g), true
}

// Explain is Trouble with the last error of the service's log, where that may
// say more, and with what keeps fix from being the cure.
func (m Machine) Explain(s State, g Goal) (Trouble, bool) {
	t, troubled := s.Trouble(g)
	switch t.ID {
	case "listens-elsewhere":
		if p := m.refusal(s, g); p != nil {
			t.Text, t.Hint = t.Text+", and fix refuses to change that: "+p.Error(), p.Hint
		}
	case "crash-looping", "not-running", "no-answer":
		if line := s.LastError(); line != "" {
			t.Text += "; the last error in its log: " + line
		}
	}
	if value := s.Job.Value(); t.ID == "crash-looping" && value != nil && !m.bindable(*value) && m.bindable(g.Host.String()) {
		t.Text, t.Hint = fmt.Sprintf("%s; OLLAMA_HOST=%s is none of this machine's addresses", t.Text, *value), m.cure(s, g)
	}
	return t, troubled
}

// bindable reports whether Ollama could listen there. A variable that nobody has
// filled in is no name.
func (m Machine) bindable(value string) bool {
	h := ollama.ParseHost(value)
	return !h.Elsewhere(m.Addresses()) && !strings.Contains(h.Name, "$")
}

// answers goes by what could be looked at: without lsof nobody knows whose
// answer it is, without launchd nobody knows whose process it is.
func (s State) answers(g Goal) bool {
	switch {
	case s.Socket.APIVersion == "":
		return false
	case s.Socket.Err != nil:
		return true
	case s.Job.Err != nil:
		return listens(s.Socket.Listeners, g.Host)
	}
	return s.judgeSocket(g).State == OK
}

func (s State) trouble(g Goal) Trouble {
	held, isHeld := s.Held(g.Host.Port)
	switch {
	case s.Agent.Plist == "" && !s.Agent.Loaded:
		return Trouble{"not-installed", "there is no Homebrew service for Ollama here", installService}
	case s.NoProgram:
		return Trouble{"not-installed", "the service's program is gone: " + s.program(), "brew install ollama"}
	case s.Job.Err != nil:
		return Trouble{"no-answer", fmt.Sprintf("Ollama does not answer on port %d, and launchd does not tell why: %v", g.Host.Port, s.Job.Err), s.command("doctor", g)}
	case s.Agent.Rival != nil:
		return Trouble{"two-jobs", s.Agent.TwoJobs(), s.Agent.Rival.EndCommand()}
	case isHeld:
		return held
	case s.Hidden():
		return Trouble{"needs-root", fmt.Sprintf("the service runs as root (pid %d), and lsof shows its sockets to root alone", s.Job.PID), "sudo " + s.command("status", g)}
	case !s.Job.Loaded:
		return Trouble{"not-loaded", "launchd has not loaded the service", s.StartCommand()}
	case len(s.own()) == 0:
		return s.silent(g)
	case s.Socket.APIVersion != "":
		return Trouble{"listens-elsewhere", fmt.Sprintf("the service listens on %s, not on %s", s.own()[0].Address, g.Host.Socket()), s.FixCommand(g)}
	}
	return Trouble{"no-answer", fmt.Sprintf("the service listens on %s, but does not answer: %v", s.own()[0].Address, s.Socket.APIErr), s.TailCommand()}
}

// silent is the trouble with a loaded service that listens nowhere.
func (s State) silent(g Goal) Trouble {
	switch {
	case s.Job.Looping():
		return Trouble{"crash-looping", s.Job.unsteady(), s.TailCommand()}
	case s.Job.PID == 0:
		return Trouble{"not-running", "launchd has loaded the service, but does not run it", s.KickstartCommand()}
	case s.Socket.Err != nil:
		return Trouble{"no-answer", fmt.Sprintf("the service runs (pid %d), but does not answer: %v", s.Job.PID, s.Socket.APIErr), s.TailCommand()}
	}
	return Trouble{"no-answer", fmt.Sprintf("the service runs (pid %d), but does not listen on port %d", s.Job.PID, g.Host.Port), s.TailCommand()}
}

// Held says who holds the port in the service's stead, if anybody does.
func (s State) Held(port int) (Trouble, bool) {
	foreign := s.foreign(port)
	switch {
	case len(foreign) > 0:
		return Trouble{"port-held",
			fmt.Sprintf("port %d is held by %s, which is not %s", port, who(foreign[0]), s.Agent.name()),
			seeWho(foreign[0])}, true
	case s.Socket.Unseen && !s.Hidden():
		return Trouble{"port-held",
			fmt.Sprintf("port %d is held by a process of another user", port),
			fmt.Sprintf("sudo lsof -nP -iTCP:%d -sTCP:LISTEN", port)}, true
	}
	return Trouble{}, false
}

// Hidden reports whether the port is held by a process that lsof does not show,
// which is root's own service as far as can be seen without being root.
func (s State) Hidden() bool {
	return s.Socket.Unseen && s.Agent.Daemon && s.Job.PID != 0 && s.Port() == s.Socket.Port
}

// seeWho shows who a listener is.
func seeWho(l launchctl.Listener) string {
	return fmt.Sprintf("ps -p %d -o pid,user,command", l.PID)
}

// Looping reports whether launchd starts the job again and again: after a failure,
// or more often than somebody who starts it by hand would.
func (j Job) Looping() bool {
	return j.Runs > 2 || !j.EndedWell() && (j.PID == 0 || j.Runs > 1)
}

// EndedWell reports whether the run before ended as it was asked to, if there was
// one.
func (j Job) EndedWell() bool {
	return slices.Contains([]string{"", "0", "(never exited)", "Terminated: 15", "signal 15"}, j.LastExit)
}

func (j Job) unsteady() string {
	return fmt.Sprintf("the service does not stay up (last exit: %s)", cmp.Or(j.LastExit, "unknown"))
}

// sudo goes before the commands that only root may give.
func (s State) sudo() string {
	return shell.Sudo(s.Agent.Daemon || s.Agent.Target.Domain == launchctl.System)
}

// StartCommand loads the service.
func (s State) StartCommand() string {
	if homebrew.IsLabel(s.Agent.Label) {
		return s.sudo() + startService
	}
	domain := "gui/$(id -u)"
	if len(s.Agent.Domains) > 0 {
		domain = string(s.Agent.Domains[0])
	}
	return s.sudo() + "launchctl bootstrap " + domain + " " + shell.Quote(s.Agent.Plist)
}

// KickstartCommand starts a loaded service without writing its property list anew,
// as Homebrew would.
func (s State) KickstartCommand() string {
	return s.sudo() + "launchctl kickstart " + s.Agent.Target.String()
}

// TailCommand shows the end of the service's log, or what launchd knows where
// there is none.
func (s State) TailCommand() string {
	if s.LogPath() == "" {
		return "launchctl print " + s.Agent.Target.String()
	}
	return "tail -n 20 " + shell.Quote(s.LogPath())
}

// LogPath is where the service writes its errors, "" if nowhere.
func (s State) LogPath() string { return cmp.Or(s.Plist.Agent.StandardErrorPath, s.Job.StderrPath) }

// errorLine is how Ollama, Go's runtime and macOS's loader begin to complain.
var errorLine = lazyregexp.New(`^Error: |\blevel=(ERROR|FATAL)\b|^panic: |^fatal error: |^dyld`)

// longestLine is as much of a line as is worth showing.
const longestLine = 300

// LastError is the last line of the service's log that tells of an error, without
// what may be a secret. It is "" if Ollama has started well since, or if there is
// none near the log's end. It is a hint and no proof: the log goes on over many
// runs.
func (s State) LastError() string {
	if s.Job.Err != nil {
		return "" // what is a secret in there, nobody can tell
	}
	mark := logMark{path: s.LogPath(), secrets: s.secrets()}
	for _, line := range slices.Backward(strings.Split(mark.text(), "\n")) {
		switch {
		case strings.Contains(line, `msg="Listening on `):
			return ""
		case len(line) > longestLine && errorLine.MatchString(line):
			return strings.ToValidUTF8(line[:longestLine], "") + "…"
		case errorLine.MatchString(line):
			return line
		}
	}
	return ""
}
