package advice

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// NotFound is the advice where there is no service to look at.
func NotFound(f Facts) Advice {
	var e *service.Error
	if !errors.As(f.Err, &e) {
		return Advice{ID: "failed", Level: Fail, Check: "agent-found", Message: f.Err.Error()}
	}
	a := Advice{ID: e.ID, Level: Fail, Check: "agent-found", Message: e.Error(), Hint: e.Hint}
	switch e.ID {
	case "no-launchctl":
		a.Check, a.Level = "platform", Warn
		a.Hint = elsewhere(f)
	case service.SeveralServices:
		var all service.Several
		if errors.As(e, &all) {
			a.Message, a.Hint = severalServices(f, all), chooseOne(f, all[0], all)
		}
	case service.NoService:
		a.Message, a.Hint = inItsStead(f, e)
		if otherOllama(f) {
			a.Level = Warn
		}
	case "launchctl-failed":
		a.Hint = "launchctl print " + string(launchctl.GUI(f.UID))
	case "plist-unreadable":
		a.Hint = "ls -ld " + shell.Quote(filepath.Dir(e.Path))
	}
	return a
}

// elsewhere sets the variable on systems without launchd (Ollama's own FAQ,
// ollama/ollama docs/faq.mdx).
func elsewhere(f Facts) string {
	switch f.System {
	case "darwin":
		return "export PATH=$PATH:/bin:/usr/sbin"
	case "linux":
		if host := f.Goal.Host; !f.Asked && host.Wildcard() {
			return DropIn(ollama.Host{Name: bridge, Port: host.Port})
		}
		return DropIn(f.Goal.Host)
	case "windows":
		return "setx OLLAMA_HOST " + f.Goal.Host.String()
	}
	return Command("probe", f.Goal)
}

// bridge is this machine's address for Docker on Linux. The LAN has no route to it.
const bridge = "172.17.0.1"

// DropIn sets the variable for systemd's service, in one line, which survives
// Ollama's updates (docs/platforms.md).
func DropIn(host ollama.Host) string {
	const dir = "/etc/systemd/system/ollama.service.d"
	return fmt.Sprintf(`sudo mkdir -p %s && printf '[Service]\nEnvironment="%s=%s"\n' | sudo tee %[1]s/ollama-bind.conf && `+
		"sudo systemctl daemon-reload && sudo systemctl restart ollama", dir, ollama.Variable, host)
}

// otherOllama reports whether an Ollama that is not a service has the port. It may be
// all that containers need.
func otherOllama(f Facts) bool {
	all := f.State.Socket.Listeners
	return len(all) > 0 && strings.EqualFold(all[0].Command, "ollama")
}

// inItsStead says who has the port if there is no service. A service beside it would
// fight for the port.
func inItsStead(f Facts, e *service.Error) (message, hint string) {
	s := f.State.Socket
	switch {
	case errors.Is(e, service.ErrUnknownName):
		return e.Error(), Command("status", f.Goal)
	case len(s.Listeners) > 0:
		l := s.Listeners[0]
		hint = seeWho(l)
		if otherOllama(f) {
			hint = Command("probe", f.Goal)
		}
		return fmt.Sprintf("%v; port %d is held by %s, which ollama-bind does not manage", e, s.Port, service.Who(l)), hint
	case errors.Is(e, service.ErrNotInstalled):
		return e.Error(), "brew install ollama && " + startBrew
	}
	return e.Error(), startBrew
}

// Hinted is err with a command that helps, if there is one. The plan is what was being
// done, and now is the state after it.
func Hinted(err error, p rebind.Plan, now service.State) error {
	var e *service.Error
	if !errors.As(err, &e) || e.Hint != "" {
		return err
	}
	told := *e
	told.Hint = hintFor(e, p, now)
	return &told
}

func hintFor(e *service.Error, p rebind.Plan, now service.State) string {
	s := p.State
	again := FixCommand(s, p.Goal)
	if p.Command == "rollback" {
		again = RollbackCommand(s)
	}
	switch e.ID {
	case "timeout-too-short":
		return fmt.Sprintf("%s --timeout %s", again, p.EnoughTime())
	case "backup-failed", "write-failed":
		return diskHint(e.Err, e.Path)
	case "state-folder":
		return "ls -ld " + shell.Quote(e.Path)
	case "locked":
		return "ps -axo pid,command | grep ollama-bind"
	case "changed-meanwhile":
		return again
	case "reload-failed", "proof-failed":
		return sudo(s) + command("status", p.Goal, s.Service)
	case "undo-failed":
		return bringBack(now, p)
	case "plist-refused", "plist-malformed":
		if errors.Is(e, plistfix.ErrBinary) { // what cannot be kept as binary can become XML
			return "plutil -convert xml1 " + shell.Quote(e.Path)
		}
		return "plutil -lint " + shell.Quote(e.Path)
	case "env-file-refused":
		return again + " --no-persist"
	case "changed-since":
		return again + " --force"
	case "backup-damaged":
		return "ollama-bind rollback --list"
	case "backups-unreadable":
		return "ls -la " + shell.Quote(e.Path)
	case "no-backup":
		return noBackup(e)
	case "plist-unreadable":
		return "ls -ld " + shell.Quote(e.Path)
	}
	return ""
}

func noBackup(e *service.Error) string {
	switch {
	case e.Path != "":
		return "sudo ollama-bind rollback"
	case strings.Contains(e.Error(), "--to") || strings.HasPrefix(e.Error(), "backup "):
		return "ollama-bind rollback --list"
	}
	return "ollama-bind status"
}

// bringBack starts what a failed undo left stopped.
func bringBack(now service.State, p rebind.Plan) string {
	switch {
	case now.Job.Err != nil || now.Service.Loaded:
		return sudo(p.State) + command("status", p.Goal, p.State.Service)
	}
	return words(p.State).start(p.State)
}

// Silent names the addresses of this machine that gave the proof no answer; "" for
// none.
func Silent(s service.State) string {
	var all []string
	for _, ip := range s.Socket.Silent {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return ""
	}
	return "Ollama listens on every interface, but no answer came from " + strings.Join(all, " and ") +
		" when asked from this Mac: that address may belong to a tunnel (a VPN), or a filter or macOS's Local Network privacy holds back this terminal's connections"
}

// Opened says that launchd insisted on a plist that others can read.
func Opened(s service.State, was fs.FileMode) string {
	return fmt.Sprintf("launchd refused %s with mode %04o, and took it with %04o: others on this Mac can read it now",
		s.Service.Plist, was, was|0o044)
}

// diskHint shows why a path could not be written.
func diskHint(err error, path string) string {
	if errors.Is(err, syscall.EPERM) { // not even the owner may: a flag such as uchg, which ls -l does not show
		return "ls -ldO " + shell.Quote(filepath.Dir(path)) + " " + shell.Quote(path)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "df -h " + shell.Quote(filepath.Dir(path))
	}
	return "ls -ld " + shell.Quote(filepath.Dir(path))
}

// Down says why nothing answers, and what to do. Without a service, it says what was
// there instead of an answer, and whether another program holds the port.
func Down(f Facts, what string, held bool) Advice {
	port := f.keeping().Goal.Host.Port
	switch {
	case f.Found():
		if a := First(f); a != nil {
			return *a
		}
		return Advice{ID: "no-answer", Level: Fail, Message: what, Hint: command("status", f.Goal, f.State.Service)}
	case held:
		return Advice{ID: "no-answer", Level: Fail, Message: what, Hint: seeListeners(port)}
	case service.Is(f.Err, "no-launchctl") && f.System == "linux":
		return Advice{ID: "no-answer", Level: Fail, Message: what, Hint: "sudo systemctl start ollama || ollama serve"}
	case service.Is(f.Err, "no-launchctl"):
		return Advice{ID: "no-answer", Level: Fail, Message: what, Hint: "ollama serve"}
	}
	a := NotFound(f)
	a.Message = what + ": " + a.Message
	if len(f.State.Socket.Listeners) > 0 { // the command may be probe itself
		a.Hint = seeListeners(port)
	}
	return a
}

// Rebind is the command that makes Ollama listen on all interfaces: fix, or what has to
// come first.
func Rebind(f Facts) string {
	kept := f.keeping()
	kept.Goal = service.GoalFor(ollama.Host{Port: kept.Goal.Host.Port}, true)
	switch {
	case service.Is(f.Err, service.NoService):
		return ollama.Variable + "=" + *kept.Goal.Value + " ollama serve"
	case service.Is(f.Err, "no-launchctl"):
		return elsewhere(kept)
	case !f.Found():
		return fix(kept)
	}
	return cmp.Or(inTheWay(kept), fix(kept))
}

// Close is the command that makes Ollama listen on loopback only again.
func Close(f Facts) string {
	local := service.GoalFor(ollama.Host{Name: "127.0.0.1", Port: f.keeping().Goal.Host.Port}, true)
	switch {
	case !f.Found():
		return ollama.Variable + "=" + *local.Value + " ollama serve"
	case f.Fix != nil:
		return cmp.Or(inTheWay(f), RollbackCommand(f.State))
	}
	return cmp.Or(inTheWay(f), FixCommand(f.State, local))
}

// Upgrade gets a newer Ollama.
func Upgrade(f Facts) string {
	if f.Found() && words(f.State).writes {
		return "brew upgrade ollama && " + words(f.State).restart(f.State)
	}
	return "open https://ollama.com/download"
}

// Unfound is the error that there is no service to look at, with its hint.
func Unfound(f Facts) error {
	var e *service.Error
	if !errors.As(f.Err, &e) {
		return f.Err
	}
	a := NotFound(f)
	return &service.Error{Ending: e.Ending, ID: e.ID, Hint: a.Hint, Err: &caused{a.Message, e}}
}
