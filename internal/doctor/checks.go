package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Checks lists all checks in the order of the report: from what has to be there, down
// the layers to the socket, and on to who reaches it.
func Checks() []Check {
	return slices.Concat([]Check{
		{ID: "platform", Question: "is launchd here, which runs services on a Mac?", judge: platform},
		{ID: "agent-found", Question: "is there an Ollama that fix can work on, and its program?", judge: ofState(agentFound)},
		{ID: "label", Question: "does the plist have the label that launchd and Homebrew know?", judge: ofState(label)},
		{ID: "two-jobs", Question: "is it the only service for Ollama?", judge: ofState(twoJobs)},
		{ID: "job-loaded", Question: "has launchd loaded the service, and does it run?", judge: ofJob(jobLoaded)},
		{ID: "disabled", Question: "may launchd start the service at login?", judge: ofState(disabled)},
		{ID: "last-exit", Question: "how did the service's last run end?", judge: ofJob(lastExit)},
		{ID: "plist-parses", Question: "can launchd read the plist?", judge: ofState(plistParses)},
		{ID: "plist-permissions", Question: "is the plist yours, and writable by nobody else?", judge: ofState(permissions)},
		{ID: "value-in-env-file", Question: "what is OLLAMA_HOST in Homebrew's env file, which every restart by Homebrew reads?", judge: ofState(valueInEnvFile)},
		{ID: "value-in-plist", Question: "what is OLLAMA_HOST in the plist, which launchd reads when it loads the service?", judge: ofState(valueInPlist)},
		{ID: "value-in-job", Question: "what is OLLAMA_HOST in the service that launchd has loaded?", judge: ofJob(valueInJob)},
		{ID: "launchctl-getenv", Question: "is OLLAMA_HOST set with launchctl setenv?", judge: getenv},
		{ID: "value-traps", Question: "does Ollama read the value as it was meant?", judge: ofState(valueTraps)},
		{ID: "listeners", Question: "who listens on Ollama's port, and on which addresses?", judge: listeners},
		{ID: "owner-is-job", Question: "is it the service's own process that listens?", judge: ofState(ownerIsJob)},
		{ID: "second-ollama", Question: "is another Ollama running, such as Ollama.app?", judge: secondOllama},
		{ID: "api-version", Question: "does Ollama answer on this machine?", judge: apiVersion},
		{ID: "api-from-own-address", Question: "does Ollama answer on this machine's other addresses?", judge: ownAddress},
		{ID: "lasting", Question: "does the setting survive the next restart?", judge: ofState(lasting)},
		{ID: "state-folder", Question: "can fix keep what it replaces, for rollback?", judge: ofState(stateFolder)},
		{ID: "homebrew-version", Question: "is Homebrew new enough to keep the setting (6.0.15)?", judge: ofState(brewVersion)},
		{ID: "firewall-state", Question: "what does the macOS firewall do?", judge: firewall},
		{ID: "exposed-addresses", Question: "at which addresses could others reach Ollama?", judge: exposed},
		{ID: "ollama-version-advisories", Question: "does this version of Ollama have known security holes?", judge: knownHoles},
		{ID: "client-env", Question: "does the ollama command in this shell ask this Ollama?", judge: clientEnv},
	}, containerChecks)
}

// ofState is a check that needs a service, and comes with the list's advice.
func ofState(judge func(Seen) Finding) func(Seen) Finding {
	return func(s Seen) Finding {
		switch err := s.Err; {
		case service.Is(err, "no-launchctl"):
			return skipped("there is no launchd on this machine")
		case service.Is(err, service.NoService):
			return skipped("no Ollama service was found")
		case err != nil:
			return skipped(err.Error())
		case advice.Missing(s.State):
			return skipped("there is no plist")
		}
		return judge(s)
	}
}

// ofJob is a check that needs the job to be loaded.
func ofJob(judge func(Seen) Finding) func(Seen) Finding {
	return ofState(func(s Seen) Finding {
		switch {
		case s.State.Job.Err != nil:
			return skipped(s.State.Job.Err.Error())
		case !s.State.Job.Loaded:
			return skipped("launchd has not loaded the service")
		}
		return judge(s)
	})
}

// withoutTool says why a program could not be asked.
func withoutTool(name string, err error) Finding {
	if errors.Is(err, launchctl.ErrNoTool) {
		return skipped("there is no " + name + " on this machine")
	}
	return skipped(err.Error())
}

// platform gives advice for other systems from Ollama's own FAQ (ollama/ollama
// docs/faq.mdx).
func platform(s Seen) Finding {
	const none = "there is no launchctl on this machine"
	switch {
	case !errors.Is(s.getenvErr, launchctl.ErrNoTool):
		return passed("launchd is here")
	case s.System == "linux":
		return skipped(none, "this is Linux, where systemd usually runs Ollama: fix cannot change it")
	case s.System == "windows":
		return skipped(none, "this is Windows: Ollama takes OLLAMA_HOST from your user account, and fix cannot change it",
			"if the address has to change, set it, quit Ollama in the task bar, and start it again")
	}
	return skipped(none)
}

func agentFound(s Seen) Finding {
	what := cmp.Or(s.State.Service.Label, advice.Name(s.State))
	switch {
	case s.State.Service.Chosen != service.NotChosen:
		what += ", the one that was named"
	case s.State.Service.Daemon:
		what += ", a service of the whole machine"
	}
	evidence := []string{s.State.Service.Plist}
	for _, path := range s.broken {
		evidence = append(evidence, "not understood: "+path)
	}
	return passed("found: "+what, evidence...)
}

func label(s Seen) Finding {
	name, canonical, path := s.State.Service.Label, homebrew.Labels()[0], s.State.Service.Plist
	switch {
	case s.State.Service.Chosen != service.NotChosen:
		return passed(cmp.Or(name, "unknown")+", of the plist that was named", path)
	case s.State.Service.KindName() != service.Brew && name == "":
		return skipped("launchd does not run it")
	case s.State.Service.KindName() != service.Brew:
		return passed(name, path)
	case name != canonical:
		return passed(name+", which Homebrew replaces by "+canonical+" at its next restart of the service", path)
	}
	return passed(name, path)
}

// twoJobs also looks at files that launchd would load at the next login.
func twoJobs(s Seen) Finding {
	path := s.State.Service.Plist
	if len(s.others) > 0 && s.State.Service.KindName() == service.Brew {
		other := s.others[0]
		return warned("there is a second plist: after the next login, two services may want one port",
			shell.Sudo(other.Daemon)+"rm "+shell.Quote(other.Plist), "in use: "+path, "as well: "+other.Plist)
	}
	return passed("there is only one", path)
}

func jobLoaded(s Seen) Finding {
	job, target := s.State.Job, s.State.Service.Target.String()
	if job.PID == 0 {
		return skipped("it does not run", target, "state: "+cmp.Or(job.State, "unknown"), "last exit: "+exit(job))
	}
	return passed(fmt.Sprintf("runs as process %d", job.PID), target)
}

func exit(j service.Job) string { return cmp.Or(j.LastExit, "unknown") }

func disabled(s Seen) Finding {
	if s.disabledErr != nil {
		return withoutTool("launchctl", s.disabledErr)
	}
	return passed("nothing keeps launchd from starting it", "launchctl print-disabled: "+s.State.Service.Label)
}

func lastExit(s Seen) Finding {
	job, log := s.State.Job, ""
	if s.State.LogError != "" {
		log = "the last error in " + s.State.LogPath() + ": " + s.State.LogError
	}
	started := ""
	if job.Runs > 0 {
		started = fmt.Sprintf("started %d times since it was loaded", job.Runs)
	}
	switch {
	case !job.EndedWell():
		return warned("runs now, but the run before ended with "+exit(job), advice.TailCommand(s.State),
			started, meaningOf(job.LastExit), log)
	case job.PID == 0:
		return passed("does not run now; last exit: "+exit(job), log)
	case job.LastExit == "(never exited)":
		return passed("has run without a break since it was loaded")
	}
	return passed("runs; the run before: "+exit(job), started)
}

// meaningOf explains the one exit status that leaves nothing in the log.
func meaningOf(exit string) string {
	if exit == "78" || exit == "78: EX_CONFIG" {
		return "78: launchd could not start it at all, for instance because the program or its log file is missing"
	}
	return ""
}

func plistParses(s Seen) Finding {
	return passed("a plist that launchd understands", s.State.Service.Plist)
}

func permissions(s Seen) Finding {
	f := s.State.Plist().File
	if f.Data == nil {
		return skipped("the plist could not be read", s.State.Service.Plist)
	}
	return passed("yours, and nobody else can write to it",
		fmt.Sprintf("%s: mode %04o, owner %d", s.State.Service.Plist, f.Mode, f.UID))
}

func valueInEnvFile(s Seen) Finding {
	one := s.State.Lasting()
	path := one.File.Path
	layer := s.State.JudgeLasting(service.Goal{})
	switch {
	case one.Layer == "":
		return skipped("for Homebrew's services only")
	case layer.State == service.Unsupported, one.Err != nil:
		return skipped(layer.Detail, path)
	case one.File.Mode&service.WritableByOthers != 0 && one.Value != nil:
		return warned("others can write to it, so Homebrew skips it", "chmod go-w "+shell.Quote(path), path)
	}
	return passed(worded(one.Value), path)
}

func valueInPlist(s Seen) Finding {
	if s.State.Plist().Err != nil {
		return skipped("the plist could not be read", s.State.Service.Plist)
	}
	return passed(worded(s.State.Plist().Value), s.State.Service.Plist, s.State.Lasting().File.Path)
}

func valueInJob(s Seen) Finding {
	return passed(worded(s.State.Job.Value()), s.State.Service.Target.String())
}

// worded is a value in words.
func worded(value *string) string {
	if value != nil && *value == "" {
		return "empty"
	}
	return service.OrUnset(value)
}

func getenv(s Seen) Finding {
	const where = "launchctl getenv OLLAMA_HOST"
	switch {
	case s.getenvErr != nil:
		return withoutTool("launchctl", s.getenvErr)
	case s.getenv == "":
		return passed("not set", where)
	}
	// What works is not taken away until something lasting replaces it.
	cure := ""
	if s.Found() && (s.State.Plist().Value != nil || s.State.Lasting().Value != nil) {
		cure = "launchctl unsetenv OLLAMA_HOST"
	}
	evidence := []string{where, "it reaches what launchd starts after it was set, and no process that runs", holder(s.State)}
	until := "until the next reboot"
	if s.setsAgain != "" {
		until = "and " + s.setsAgain + " sets it again at each login"
	}
	return warned(s.getenv+", for all that launchd starts, "+until, cure, evidence...)
}

// holder says whether the service has the value of launchctl setenv.
func holder(s service.State) string {
	switch {
	case !s.Job.Loaded:
		return ""
	case s.Job.Value() == nil && s.Job.Inherited() != nil, s.Plist().Layer == "" && s.Job.Value() != nil && s.Lasting().Value == nil:
		return "the service has it from there"
	case s.Job.Value() != nil:
		return "the service has a value of its own, which goes before it"
	}
	return "the service was started without it"
}

func valueTraps(s Seen) Finding {
	return passed("nothing that Ollama reads differently from how it was meant", advice.Traps(s.Facts)...)
}

func lasting(s Seen) Finding {
	if s.State.Plist().Value == nil {
		return skipped("OLLAMA_HOST is not set, so nothing can be lost")
	}
	return passed("the setting stays", cmp.Or(s.State.Lasting().File.Path, s.State.Service.Plist))
}

func stateFolder(s Seen) Finding { return passed("backups can be kept", s.Store.Dir) }

// brewVersion goes by what Homebrew's source was found to read.
func brewVersion(s Seen) Finding {
	one := s.State.Lasting()
	switch {
	case one.Layer == "":
		return skipped("the service is not Homebrew's")
	case one.Use == service.NotForRoot:
		return skipped("no version keeps the setting of a service that root starts")
	case one.Use == service.Unasked:
		return skipped("Homebrew's own code was not found")
	case one.Use == service.TooOld:
		return warned("older than 6.0.15: it drops the setting whenever it restarts the service", "brew update")
	}
	return passed("6.0.15 or later: it keeps the setting")
}
