package advice

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// item is one thing that can be wrong.
type item struct {
	id    string
	level Level
	check string // the doctor's check that reports it
	// trouble marks reasons why Ollama does not answer where it should.
	trouble bool
	// blocks says which plans it keeps from being carried out; nil for none.
	blocks func(rebind.Plan) bool
	ending service.Ending // of a command that is blocked
	when   func(Facts) bool
	say    func(Facts) string
	next   func(Facts) string
}

func (i item) of(f Facts) Advice {
	return Advice{ID: i.id, Level: i.level, Check: i.check, Message: i.say(f), Hint: i.next(f)}
}

// cause keeps the error behind a message, for errors.Is.
func (i item) cause(f Facts, message string) error {
	if i.check == "plist-parses" && f.State.Plist().Err != nil {
		return &caused{message, f.State.Plist().Err}
	}
	return errors.New(message)
}

type caused struct {
	message string
	err     error
}

func (c *caused) Error() string { return c.message }
func (c *caused) Unwrap() error { return c.err }

// What an item blocks.
func anyPlan(rebind.Plan) bool      { return true }
func anyFix(p rebind.Plan) bool     { return p.Command == "fix" }
func anyChange(p rebind.Plan) bool  { return p.Command == "fix" && p.Changes() }
func anyRestart(p rebind.Plan) bool { return p.Reload }

func lastingFix(p rebind.Plan) bool {
	return p.Command == "fix" && p.Goal.Persist && p.State.Lasting().Use != service.NotForRoot
}

// list is everything that can be wrong with the service, the first cause first.
var list = []item{
	{id: "plist-missing", level: Fail, check: "agent-found", blocks: anyFix, ending: service.NothingHere,
		when: func(f Facts) bool { return f.Found() && Missing(f.State) },
		say:  func(f Facts) string { return "there is no plist " + f.State.Service.Plist },
		next: func(f Facts) string { return "ls -l " + shell.Quote(filepath.Dir(f.State.Service.Plist)) }},
	{id: "plist-missing", level: Fail, check: "plist-parses", blocks: anyFix, ending: service.NothingHere,
		when: func(f Facts) bool { return f.Found() && gone(f.State) && f.State.Service.Loaded },
		say: func(f Facts) string {
			return fmt.Sprintf("launchd holds %s, but its plist %s is gone", f.State.Service.Target, f.State.Service.Plist)
		},
		next: func(f Facts) string { return words(f.State).rewrite(f.State) }},
	{id: "plist-missing", level: Fail, check: "plist-parses", blocks: anyFix, ending: service.NothingHere,
		when: func(f Facts) bool { return f.Found() && gone(f.State) },
		say:  func(f Facts) string { return "there is no plist " + f.State.Service.Plist },
		next: func(f Facts) string { return words(f.State).start(f.State) }},
	{id: "state-folder", level: Warn, check: "state-folder", blocks: rebind.Plan.Changes,
		when: func(f Facts) bool { return f.Found() && f.StoreErr != nil },
		say: func(f Facts) string {
			return fmt.Sprintf("what fix replaces cannot be kept in %s: %v", stateFolder(f), service.Bare(f.StoreErr))
		},
		next: mendStore},
	{id: "plist-missing", level: Fail, check: "plist-parses", blocks: anyFix,
		when: func(f Facts) bool { return f.Found() && f.State.Ran() && !f.Goal.Persist && !f.State.Running(f.Goal) },
		say: func(Facts) string {
			return "the service was started with `brew services run`, from a file that is deleted by now: only Homebrew's env file can set anything"
		},
		next: fix},
	{id: "plist-malformed", level: Fail, check: "plist-parses", blocks: anyFix,
		when: func(f Facts) bool { return f.Found() && malformed(f.State) },
		say:  unreadable, next: mendPlist},
	{id: "plist-not-a-file", level: Fail, check: "plist-parses", blocks: anyPlan,
		when: func(f Facts) bool { return f.Found() && notAFile(f.State.Plist().Err) },
		say:  unreadable,
		next: func(f Facts) string { return "ls -ld " + shell.Quote(f.State.Service.Plist) }},
	{id: "plist-unreadable", level: Fail, check: "plist-parses", blocks: anyPlan,
		when: func(f Facts) bool {
			err := f.State.Plist().Err
			return f.Found() && err != nil && !gone(f.State) && !f.State.Ran() && !malformed(f.State) && !notAFile(err)
		},
		say:  unreadable,
		next: func(f Facts) string { return "ls -le " + shell.Quote(f.State.Service.Plist) }},
	{id: "not-ollama", level: Fail, check: "agent-found", blocks: anyFix,
		when: func(f Facts) bool { return f.Found() && f.State.NotOllama },
		say: func(f Facts) string {
			return fmt.Sprintf("%s does not run Ollama: its program is %s", f.State.Service.Plist, f.State.Program())
		},
		next: func(f Facts) string { return "plutil -p " + shell.Quote(f.State.Service.Plist) }},
	{id: "managed-elsewhere", level: Warn, check: "value-in-plist", blocks: anyChange,
		when: func(f Facts) bool { return readable(f) && f.State.Plist().Keeper != service.Nobody },
		say:  sayKept, next: askKeeper},
	{id: "serve-host-flag", level: Fail, check: "value-traps", blocks: anyFix,
		when: func(f Facts) bool { return readable(f) && f.State.Plist().HostFlag != nil },
		say: func(f Facts) string {
			return fmt.Sprintf("%s has `ollama serve --host`, which Ollama does not know: it exits at once; take it out",
				f.State.Plist().HostFlag)
		},
		next: func(f Facts) string { return showLine(*f.State.Plist().HostFlag, "host") }},
	{id: "sets-it-itself", level: Fail, check: "value-traps", blocks: anyFix,
		when: func(f Facts) bool {
			return readable(f) && f.State.Plist().Override != nil && !f.Goal.Matches(&f.State.Plist().Override.Value)
		},
		say: func(f Facts) string {
			line := f.State.Plist().Override
			return fmt.Sprintf("the command itself sets %s=%s, in %s, and the plist has no say: write %s there, or take it out",
				ollama.Variable, line.Value, line, f.Goal.Host)
		},
		next: func(f Facts) string { return showLine(*f.State.Plist().Override, ollama.Variable) }},
	{id: "not-installed", level: Fail, check: "agent-found", trouble: true, blocks: anyRestart,
		when: func(f Facts) bool { return f.Found() && f.State.NoProgram },
		say:  func(f Facts) string { return "the service's program is gone: " + f.State.Program() },
		next: func(f Facts) string { return words(f.State).install(f.State) }},
	{id: "needs-root", level: Warn, check: "owner-is-job", trouble: true,
		when: func(f Facts) bool { return f.Found() && f.State.Hidden() },
		say: func(f Facts) string {
			return fmt.Sprintf("the service runs as root (pid %d), and lsof shows its sockets to root alone", f.State.Job.PID)
		},
		next: func(f Facts) string { return "sudo " + command("status", f.Goal, f.State.Service) }},
	{id: "not-owner", level: Fail, check: "plist-permissions", blocks: anyPlan,
		when: func(f Facts) bool { return foreignFile(f, f.State.Plist()) && (f.UID == 0 || !rootsOwn(f)) },
		say:  func(f Facts) string { return belongs(f, f.State.Plist()) },
		next: func(f Facts) string { return takeOver(f, f.State.Plist()) }},
	{id: "not-owner", level: Warn, check: "plist-permissions", blocks: anyPlan,
		when: func(f Facts) bool { return foreignFile(f, f.State.Plist()) && f.UID != 0 && rootsOwn(f) },
		say:  func(f Facts) string { return belongs(f, f.State.Plist()) },
		next: func(f Facts) string { return "sudo " + command(f.verb(), f.Goal, f.State.Service) }},
	{id: "whose-agent", level: Fail, check: "owner-is-job", blocks: anyRestart,
		when: func(f Facts) bool { return f.Found() && f.State.Service.Shared && f.UID == 0 && f.Sudo == 0 },
		say: func(f Facts) string {
			return f.State.Service.Plist + " is an agent of all users, and launchd runs it for each who is logged in: this is root, and nobody has typed sudo who could be meant"
		},
		next: func(f Facts) string {
			return "SUDO_UID=$(stat -f %u /dev/console) " + command(f.verb(), f.Goal, f.State.Service)
		}},
	{id: "plist-writable", level: Fail, check: "plist-permissions", blocks: anyFix,
		when: func(f Facts) bool { return f.Found() && f.State.Plist().File.Mode&service.WritableByOthers != 0 },
		say: func(f Facts) string {
			return fmt.Sprintf("%s can be written to by others (mode %04o): launchd would refuse to load it",
				f.State.Service.Plist, f.State.Plist().File.Mode)
		},
		next: func(f Facts) string { return "chmod go-w " + shell.Quote(f.State.Service.Plist) }},
	{id: "foreign-label", level: Fail, check: "label", blocks: anyFix,
		when: func(f Facts) bool { return readable(f) && words(f.State).foreign(f.State) },
		say: func(f Facts) string {
			return fmt.Sprintf("%s has the label %q, which is not one of Homebrew's for Ollama", f.State.Service.Plist, f.State.Plist().Agent.Label)
		},
		next: func(f Facts) string { return byName(f, f.State.Service.Plist) }},
	{id: "label-mismatch", level: Fail, check: "label", blocks: anyFix,
		when: func(f Facts) bool {
			return readable(f) && f.State.Service.Loaded && f.State.Service.Label != f.State.Plist().Agent.Label
		},
		say: func(f Facts) string {
			return fmt.Sprintf("%s has the label %q, but launchd loaded it as %q", f.State.Service.Plist, f.State.Plist().Agent.Label, f.State.Service.Label)
		},
		next: func(f Facts) string { return words(f.State).restart(f.State) }},
	{id: "other-plist", level: Fail, check: "label", blocks: anyPlan,
		when: func(f Facts) bool { return f.Found() && f.State.OtherPlist() },
		say: func(f Facts) string {
			return fmt.Sprintf("launchd loaded %s from %s, not from %s", f.State.Service.Target, f.State.Job.Path, f.State.Service.Plist)
		},
		next: func(f Facts) string { return byName(f, f.State.Job.Path) }},
	{id: "two-jobs", level: Fail, check: "two-jobs", trouble: true, blocks: anyChange,
		when: func(f Facts) bool { return f.Found() && f.State.Service.Rival != nil },
		say: func(f Facts) string {
			return fmt.Sprintf("two services for Ollama are loaded, %s and %s: one of them has to go", f.State.Service.Target, f.State.Service.Rival)
		},
		next: func(f Facts) string { return endRival(*f.State.Service.Rival) }},
	{id: "app-would-take-port", level: Fail, check: "second-ollama", blocks: anyRestart,
		when: func(f Facts) bool { return appBeside(f) != nil },
		say: func(f Facts) string {
			return fmt.Sprintf("Ollama.app (%s) runs as well, and takes the port within a second of when %s stops: quit it first, and for good in System Settings > General > Login Items",
				appBeside(f).Bundle, words(f.State).name(f.State))
		},
		next: func(Facts) string { return QuitApp }},
	{id: "app-host", level: Warn, check: "agent-found", blocks: anyFix,
		when: otherHost,
		say: func(Facts) string {
			return fmt.Sprintf("Ollama.app listens on 0.0.0.0:%d or on loopback, and nowhere else: %s knows nothing more", service.AppPort, theSwitch)
		},
		next: func(Facts) string { return "ollama-bind fix" }},
	{id: "app-by-hand", level: Warn, check: "agent-found", blocks: anyChange,
		when: func(f Facts) bool { return appLimit(f) != "" }, say: appLimit, next: leadOut},
	{id: "app-must-stop", level: Warn, check: "agent-found", blocks: func(p rebind.Plan) bool { return p.Held },
		when: func(f Facts) bool { return ofApp(f) && f.Command != "" },
		say: func(Facts) string {
			return "Ollama.app has to be stopped for that, which --no-restart forbids; by hand it is " + theSwitch
		},
		next: fix},
	{id: "several-services", level: Fail, check: "two-jobs", trouble: true, blocks: anyRestart,
		when: func(f Facts) bool { return f.Found() && len(f.State.Service.Others) > 0 && appBeside(f) == nil },
		say: func(f Facts) string {
			return severalServices(f, append([]service.Service{f.State.Service}, f.State.Service.Others...))
		},
		next: func(f Facts) string {
			return chooseOne(f, f.State.Service, append([]service.Service{f.State.Service}, f.State.Service.Others...))
		}},
	{id: "terminal", level: Warn, check: "agent-found", trouble: true, blocks: anyRestart, ending: service.NothingHere,
		when: func(f Facts) bool { return f.State.Service.KindName() == service.Terminal },
		say: func(f Facts) string {
			return fmt.Sprintf("no job of launchd's has started the ollama of process %d: it was typed as `ollama serve`, and has to be started again, or `%s` makes it a service",
				f.State.Job.PID, startBrew)
		},
		next: func(f Facts) string {
			return fmt.Sprintf("kill %d && sleep 1 && %s=%s ollama serve", f.State.Job.PID, ollama.Variable, f.Goal.Host)
		}},
	{id: "launchctl-failed", level: Warn, blocks: unknownJob,
		when: func(f Facts) bool { return f.Found() && f.State.Job.Err != nil },
		say:  func(f Facts) string { return fmt.Sprintf("asking launchd for the Ollama job: %v", f.State.Job.Err) },
		next: func(f Facts) string { return "launchctl print " + domain(f.State) + "/" + f.State.Service.Label }},
	{id: "lsof-silent", level: Warn, blocks: anyRestart,
		when: func(f Facts) bool { return f.Found() && errors.Is(f.State.Socket.Err, launchctl.ErrNoAnswer) },
		say: func(f Facts) string {
			return fmt.Sprintf("looking for listeners on port %d: neither lsof nor netstat answered in time; a network share that is away can keep lsof waiting until it is ejected", f.Goal.Host.Port)
		},
		next: func(Facts) string { return "mount -v | grep -v apfs" }},
	{id: "lsof-failed", level: Warn, blocks: anyRestart,
		when: func(f Facts) bool {
			return f.Found() && f.State.Socket.Err != nil && !errors.Is(f.State.Socket.Err, launchctl.ErrNoAnswer)
		},
		say: func(f Facts) string {
			return fmt.Sprintf("looking for listeners on port %d: %v", f.Goal.Host.Port, f.State.Socket.Err)
		},
		next: func(f Facts) string { return seeListeners(f.Goal.Host.Port) }},
	{id: "port-held", level: Fail, check: "owner-is-job", trouble: true, blocks: anyRestart,
		when: func(f Facts) bool {
			return f.Found() && f.State.Job.Err == nil && f.State.Socket.Err == nil && f.State.Held(f.Goal.Host.Port)
		},
		say: held, next: seeHolder},
	{id: "env-file-malformed", level: Fail, check: "value-in-env-file", blocks: lastingFix,
		when: func(f Facts) bool { return badLasting(f) == "env-file-malformed" },
		say:  sayLasting, next: mendLasting},
	{id: "env-file-nowhere", level: Warn, check: "value-in-env-file", blocks: lastingFix,
		when: func(f Facts) bool { return badLasting(f) == "env-file-nowhere" },
		say:  sayLasting, next: withoutLasting},
	{id: "env-file-dangling", level: Warn, check: "value-in-env-file", blocks: lastingFix,
		when: func(f Facts) bool { return badLasting(f) == "env-file-dangling" },
		say:  sayLasting,
		next: func(f Facts) string { return "ls -l " + shell.Quote(f.State.Lasting().File.Path) }},
	{id: "env-file-unreadable", level: Fail, check: "value-in-env-file", blocks: lastingPlan,
		when: func(f Facts) bool { return badLasting(f) == "env-file-unreadable" },
		say:  sayLasting,
		next: func(f Facts) string { return "ls -ld " + shell.Quote(f.State.Lasting().File.Path) }},
	{id: "not-owner", level: Warn, check: "value-in-env-file", blocks: lastingPlan,
		when: func(f Facts) bool { return f.State.Lasting().Err == nil && foreignFile(f, f.State.Lasting()) },
		say:  func(f Facts) string { return belongs(f, f.State.Lasting()) },
		next: func(f Facts) string { return takeOver(f, f.State.Lasting()) }},
	{id: "app-switch-off", level: Warn, check: "lasting", trouble: true,
		when: switchedOff, say: sayOff, next: fix},
	{id: "not-loaded", level: Fail, check: "job-loaded", trouble: true,
		when: func(f Facts) bool { return f.Found() && f.State.Job.Err == nil && !f.State.Job.Loaded },
		say: func(f Facts) string {
			if ofApp(f) {
				return "Ollama.app does not run"
			}
			return "launchd has not loaded the service"
		},
		next: func(f Facts) string { return words(f.State).start(f.State) }},
	{id: "stale-signature", level: Fail, check: "last-exit", trouble: true,
		when: func(f Facts) bool { return silent(f) && f.State.Job.StaleSignature() },
		say: func(f Facts) string {
			return fmt.Sprintf("launchd refuses to start the service (last exit: %s): its program is not the one whose signature launchd has noted, as after `brew upgrade ollama`; loading the service again cures that",
				cmp.Or(f.State.Job.LastExit, "unknown"))
		},
		next: fix},
	{id: "held-back", level: Fail, check: "job-loaded", trouble: true,
		when: func(f Facts) bool { return silent(f) && f.State.Job.HeldBack() != "" },
		say: func(f Facts) string {
			return fmt.Sprintf("launchd holds the service back (pended nondemand spawn = %s), as it does in Low Power Mode, on battery, or with a service that was loaded over ssh; it starts when it is asked for",
				f.State.Job.HeldBack())
		},
		next: func(f Facts) string { return Kickstart(f.State) }},
	{id: "not-restarted", level: Fail, check: "value-in-job", trouble: true,
		when: func(f Facts) bool {
			return f.Found() && f.State.Ran() && !f.State.Running(f.Goal) && f.State.JudgeLasting(f.Goal).State == service.OK
		},
		say: func(Facts) string {
			return "the service was started with `brew services run`, from a file that is deleted by now: only Homebrew can restart it, and it reads the env file then"
		},
		next: func(f Facts) string { return words(f.State).restart(f.State) }},
	{id: "crash-looping", level: Fail, check: "last-exit", trouble: true,
		when: func(f Facts) bool { return silent(f) && f.State.Job.Looping() },
		say:  sayLooping, next: stopLooping},
	{id: "not-running", level: Fail, check: "job-loaded", trouble: true,
		when: func(f Facts) bool { return silent(f) && f.State.Job.PID == 0 },
		say: func(f Facts) string {
			return "launchd has loaded the service, but does not run it" + logged(f.State)
		},
		next: func(f Facts) string { return Kickstart(f.State) }},
	{id: "value-trap", level: Fail, check: "value-traps",
		when: func(f Facts) bool { return trapped(f, Fail) },
		say:  func(f Facts) string { return worstTrap(f).text }, next: cureTraps},
	{id: "no-answer", level: Fail, check: "api-version", trouble: true,
		when: func(f Facts) bool { return f.Found() && f.State.Socket.APIVersion == "" && f.State.Job.Loaded },
		say:  sayNoAnswer,
		next: func(f Facts) string { return TailCommand(f.State) }},
	{id: "listens-elsewhere", level: Warn, check: "listeners", trouble: true,
		when: func(f Facts) bool { return f.Found() && len(f.State.Own()) > 0 && !answersAsWanted(f) },
		say:  sayElsewhere, next: fix},
	{id: "lasting-not-read", level: Fail, check: "value-in-plist",
		when: func(f Facts) bool { return readable(f) && notTakenOver(f.State) },
		say: func(f Facts) string {
			return fmt.Sprintf("%s is %s in the plist, but %s in Homebrew's env file: that has not been taken over",
				ollama.Variable, service.OrUnset(f.State.Plist().Value), service.OrUnset(f.State.Lasting().Value))
		},
		next: fix},
	{id: "job-older", level: Fail, check: "value-in-job",
		when: func(f Facts) bool {
			return readable(f) && f.State.Job.Loaded && !service.Equivalent(f.State.Job.Value(), f.State.Plist().Value)
		},
		say: func(f Facts) string {
			return fmt.Sprintf("the service runs with %s, but its plist says %s: launchd has not read it since",
				service.OrUnset(f.State.Job.Value()), service.OrUnset(f.State.Plist().Value))
		},
		next: fix},
	{id: "inherited", level: Warn, check: "value-in-job",
		when: func(f Facts) bool { return f.Found() && f.State.Job.Value() == nil && f.State.Job.Inherited() != nil },
		say: func(f Facts) string {
			text := fmt.Sprintf("the service has %s=%s from launchctl setenv", ollama.Variable, *f.State.Job.Inherited())
			if again := f.State.SetsAgain; again != "" {
				return text + ", which " + again + " sets at each login; the service may start before that"
			}
			return text + ": it is gone after the next reboot"
		},
		next: fix},
	{id: "plist-differs", level: Warn, check: "value-in-plist",
		when: func(f Facts) bool { return readable(f) && !f.Goal.Matches(f.State.Plist().Value) && answersAsWanted(f) },
		say: func(f Facts) string {
			return fmt.Sprintf("%s is %s in the plist: the service comes back with that at its next start",
				ollama.Variable, service.OrUnset(f.State.Plist().Value))
		},
		next: fix},
	{id: "disabled", level: Fail, check: "disabled",
		when: func(f Facts) bool { return f.Found() && f.Disabled },
		say:  func(Facts) string { return "the service is disabled: launchd does not start it at login" },
		next: func(f Facts) string {
			return sudo(f.State) + "launchctl enable " + domain(f.State) + "/" + f.State.Service.Label
		}},
	{id: "not-lasting", level: Warn, check: "lasting",
		when: func(f Facts) bool { return Lasting(f) != "" },
		say:  Lasting, next: lastingHint},
	{id: "app-schema", level: Warn, check: "lasting",
		when: func(f Facts) bool { return ofApp(f) && f.State.Lasting().Use == service.Newer },
		say: func(f Facts) string {
			return fmt.Sprintf("the settings of Ollama.app are of a newer version than is known (%d): fix proves what it changes, and takes it back otherwise; by hand it is %s",
				service.NewestSchema, theSwitch)
		},
		next: leadOut},
	{id: "value-suspicious", level: Warn, check: "value-traps",
		when: func(f Facts) bool { return trapped(f, Warn) && !trapped(f, Fail) },
		say:  saySuspicious, next: cureTraps},
}

// fix is the command that reaches the goal.
func fix(f Facts) string { return FixCommand(f.State, f.Goal) }

// verb is the command being run.
func (f Facts) verb() string { return cmp.Or(f.Command, "fix") }

// mendStore makes the state folder one that can be used, or uses another.
func mendStore(f Facts) string {
	folder := stateFolder(f)
	switch {
	case errors.Is(f.StoreErr, backup.ErrOpen):
		return "chmod go-w " + shell.Quote(folder)
	case f.Store.Moved && f.verb() == "fix":
		return "unset " + backup.StateDirVariable + " && " + fix(f)
	case errors.Is(f.StoreErr, backup.ErrForeign):
		return fmt.Sprintf("sudo chown %d %s", f.UID, shell.Quote(folder))
	}
	return "ls -ld " + shell.Quote(folder)
}

// stateFolder is the folder that cannot be used.
func stateFolder(f Facts) string {
	var e *fs.PathError
	if errors.As(f.StoreErr, &e) {
		return e.Path
	}
	return f.Store.Dir
}

// Missing reports whether a named plist is not there. Nothing else is known about its
// service.
func Missing(s service.State) bool {
	return s.Service.Chosen == service.ByPlist && !s.Service.Loaded && gone(s)
}

func gone(s service.State) bool { return errors.Is(s.Plist().Err, fs.ErrNotExist) && !s.Ran() }

func malformed(s service.State) bool {
	var e *plistfix.Error
	return errors.As(s.Plist().Err, &e)
}

func notAFile(err error) bool {
	return errors.Is(err, backup.ErrNotRegular) || errors.Is(err, syscall.ELOOP)
}

// readable reports whether there is a plist that was understood.
func readable(f Facts) bool {
	one := f.State.Plist()
	return f.Found() && one.Layer != "" && one.Err == nil
}

func unreadable(f Facts) string {
	err := f.State.Plist().Err
	if !malformed(f.State) {
		err = service.Bare(err)
	}
	return fmt.Sprintf("reading %s: %v", f.State.Service.Plist, err)
}

// mendPlist has Homebrew write its own file again, or converts what Apple can read and
// we cannot.
func mendPlist(f Facts) string {
	path, data := shell.Quote(f.State.Service.Plist), string(f.State.Plist().File.Data)
	text := strings.TrimLeft(strings.TrimPrefix(data, "\ufeff"), " \t\r\n")
	switch {
	case words(f.State).writes && f.State.Service.Chosen != service.ByPlist:
		return words(f.State).restart(f.State) + " && " + FixCommand(f.State, f.Goal)
	case strings.HasPrefix(text, "<"), strings.HasPrefix(text, "bplist"), text == "":
		return "plutil -lint " + path
	}
	return "plutil -convert xml1 " + path
}

// foreignFile reports whether the file belongs to another user.
func foreignFile(f Facts, one service.Setting) bool {
	return f.Found() && one.File.Data != nil && one.File.UID != f.UID
}

// rootsOwn reports whether the plist is that of a daemon or of all users, which has to
// be root's.
func rootsOwn(f Facts) bool {
	s := f.State.Service
	return f.State.Plist().File.UID == 0 && (s.Daemon || s.Shared)
}

func belongs(f Facts, one service.Setting) string {
	return fmt.Sprintf("%s belongs to user %d, and this runs as user %d", one.File.Path, one.File.UID, f.UID)
}

func takeOver(f Facts, one service.Setting) string {
	if f.UID == 0 {
		return fmt.Sprintf("sudo -u '#%d' ", one.File.UID) + command(f.verb(), f.Goal, f.State.Service)
	}
	return fmt.Sprintf("sudo chown %d %s", f.UID, shell.Quote(one.File.Path))
}

// byName is a fix that has to name the plist.
func byName(f Facts, plist string) string {
	return sudo(f.State) + Command("fix", f.Goal) + " --plist " + shell.Quote(plist)
}

func endRival(r service.Rival) string {
	root := shell.Sudo(r.Domain == launchctl.System)
	end := root + "launchctl bootout " + r.String()
	if r.Plist != "" {
		end += " && " + root + "rm " + shell.Quote(r.Plist)
	}
	return end
}

func unknownJob(p rebind.Plan) bool { return p.Reload || p.Command == "rollback" }

// domain is where the service is, or would be loaded.
func domain(s service.State) string {
	switch {
	case s.Service.Loaded:
		return string(s.Service.Target.Domain)
	case len(s.Service.Domains) > 0:
		return string(s.Service.Domains[0])
	case s.Service.Daemon:
		return string(launchctl.System)
	}
	return "gui/$(id -u)"
}

func seeListeners(port int) string { return fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port) }

func held(f Facts) string {
	port := f.Goal.Host.Port
	if f.State.Orphan() {
		return fmt.Sprintf("Ollama.app was killed, and its server is left on port %d: the app ends that when it is opened", port)
	}
	if foreign := f.State.Foreign(port); len(foreign) > 0 {
		return fmt.Sprintf("port %d is held by %s, which is not %s%s", port, service.Who(foreign[0]), words(f.State).name(f.State), forContainer(foreign[0]))
	}
	return fmt.Sprintf("port %d is held by a process of another user", port)
}

func seeHolder(f Facts) string {
	if f.State.Orphan() {
		return words(f.State).start(f.State)
	}
	if foreign := f.State.Foreign(f.Goal.Host.Port); len(foreign) > 0 {
		return seeWho(foreign[0])
	}
	return "sudo " + seeListeners(f.Goal.Host.Port)
}

// seeWho shows who a listener is.
func seeWho(l lsof.Listener) string {
	return cmp.Or(published(l), fmt.Sprintf("ps -p %d -o pid,user,command", l.PID))
}

// silent reports whether a loaded service listens nowhere.
func silent(f Facts) bool {
	return f.Found() && f.State.Job.Err == nil && f.State.Job.Loaded && len(f.State.Own()) == 0
}

// Unsteady says that the service is started again and again.
func Unsteady(j service.Job) string {
	return fmt.Sprintf("the service does not stay up (last exit: %s)", cmp.Or(j.LastExit, "unknown"))
}

func logged(s service.State) string {
	if s.LogError == "" {
		return ""
	}
	return "; the last error in its log: " + s.LogError
}

func sayLooping(f Facts) string {
	text := Unsteady(f.State.Job) + logged(f.State)
	if badAddress(f) {
		text += fmt.Sprintf("; %s=%s is not an address of this machine", ollama.Variable, *f.State.Job.Value())
	}
	return text
}

func stopLooping(f Facts) string {
	if badAddress(f) {
		return fix(f)
	}
	return TailCommand(f.State)
}

// badAddress reports whether the service ends because of its own address, and would not
// with the wanted one.
func badAddress(f Facts) bool {
	value := f.State.Job.Value()
	return value != nil && !f.bindable(*value) && f.bindable(f.Goal.Host.String())
}

// bindable reports whether Ollama could listen there. A shell variable that nobody
// expanded is no name.
func (f Facts) bindable(value string) bool {
	h := ollama.ParseHost(value)
	return !h.Elsewhere(f.Addresses) && !strings.Contains(h.Name, "$")
}

func sayNoAnswer(f Facts) string {
	s := f.State
	switch own := s.Own(); {
	case len(own) > 0:
		return fmt.Sprintf("the service listens on %s, but does not answer: %v", own[0].Address, s.Socket.APIErr) + logged(s)
	case s.Socket.Err != nil:
		return fmt.Sprintf("the service runs (pid %d), but does not answer: %v", s.Job.PID, s.Socket.APIErr) + logged(s)
	}
	return fmt.Sprintf("the service runs (pid %d), but does not listen on port %d", s.Job.PID, f.Goal.Host.Port) + logged(s)
}

func sayElsewhere(f Facts) string {
	text := fmt.Sprintf("the service listens on %s, not on %s", f.State.Own()[0].Address, f.Goal.Host.Socket())
	if h, err := ollama.FromSocket(f.State.Own()[0].Address); err == nil && h.Loopback() {
		text += "; not every container runtime reaches that, and `" + Command("probe", f.Goal) + "` measures whether yours does"
	}
	return text
}

// notTakenOver reports whether the lasting setting has changed, and the tool has not
// written the plist since.
func notTakenOver(s service.State) bool {
	value := s.Lasting().Value
	return value != nil && s.JudgeLasting(service.Goal{Lasting: value}).State == service.OK &&
		!service.Equivalent(value, s.Plist().Value)
}

// Kickstart starts a loaded service without writing its plist.
func Kickstart(s service.State) string {
	return sudo(s) + "launchctl kickstart " + s.Service.Target.String()
}

// TailCommand shows the end of the service's log, or what launchd knows if there is
// none.
func TailCommand(s service.State) string {
	if s.LogPath() == "" {
		return "launchctl print " + s.Service.Target.String()
	}
	return "tail -n 20 " + shell.Quote(s.LogPath())
}
