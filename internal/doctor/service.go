package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

const restartService = "brew services restart ollama"

func checkPlatform(_ context.Context, c *Case) Finding {
	path, err := launchctl.Lookup("launchctl")
	return judgePlatform(c.System, c.Goal.Host.String(), path, err)
}

// judgePlatform knows what to do on other systems from Ollama's own FAQ
// (ollama/ollama docs/faq.mdx).
func judgePlatform(system, value, launchctl string, err error) Finding {
	switch {
	case err == nil:
		return passed("launchd is here", launchctl)
	case system == "darwin":
		return failed("this Mac's launchctl is not to be found", "export PATH=$PATH:/bin:/usr/sbin", err.Error())
	case system == "linux":
		return warned("this is Linux, where systemd runs Ollama, as a rule: fix cannot change it",
			"sudo systemctl edit ollama && sudo systemctl restart ollama",
			"should the address have to change, put into the editor that opens:", "[Service]", fmt.Sprintf("Environment=%q", "OLLAMA_HOST="+value))
	case system == "windows":
		return warned("this is Windows: Ollama takes OLLAMA_HOST from your user account, and fix cannot change it",
			"setx OLLAMA_HOST "+value, "should the address have to change: set it, quit Ollama in the task bar, and start it again")
	}
	return warned("there is no launchd here, so fix cannot change Ollama", "set OLLAMA_HOST="+value+" where Ollama is started")
}

func checkAgent(ctx context.Context, c *Case) Finding {
	s, err := c.state(ctx)
	var p *bind.Problem
	if errors.As(err, &p) && p.ID == "no-agent" {
		answers, _ := c.answers(ctx) // if it did not get to answer, nobody did
		return judgeNoAgent(p, answers, measure(c.port(ctx)))
	}
	if err != nil {
		return withoutState(err)
	}
	return judgeAgent(c, s)
}

// judgeNoAgent: an Ollama that is no service of Homebrew's can be reached as well.
func judgeNoAgent(p *bind.Problem, answers []answer, measure string) Finding {
	if a, ok := firstAnswer(answers); ok {
		return warned("there is no Homebrew service for Ollama, and yet one answers at "+a.address.String()+
			": Ollama.app, or one started by hand", measure, p.Error())
	}
	return failed("there is no Homebrew service for Ollama", p.Hint, p.Error())
}

func judgeAgent(_ *Case, s bind.State) Finding {
	if s.NoProgram {
		return failed("the service is here, but its program is gone", "brew install ollama && "+restartService, s.Agent.Plist)
	}
	if noFile(s) {
		return failed("there is no property list "+s.Agent.Plist, lookBeside(s))
	}
	what := s.Agent.Label
	switch {
	case s.Agent.Chosen:
		what += ", the one that was named"
	case s.Agent.Daemon:
		what += ", a service of the whole machine"
	}
	return passed("found: "+what, s.Agent.Plist)
}

// noFile reports whether a property list was named that is not there: about its
// service there is nothing to know.
func noFile(s bind.State) bool {
	return s.Missing() != nil
}

// lookBeside shows what there is in place of a property list.
func lookBeside(s bind.State) string { return "ls -l " + shell.Quote(filepath.Dir(s.Agent.Plist)) }

func judgeLabel(_ *Case, s bind.State) Finding {
	label, canonical := s.Agent.Label, homebrew.Labels()[0]
	own := s.Plist.Agent.Label
	switch {
	case noFile(s):
		return skipped("there is no property list")
	case s.Plist.Err == nil && s.Agent.Loaded && own != label:
		return failed(fmt.Sprintf("the property list has the label %q, but launchd loaded it as %q", own, label), restartService, s.Agent.Plist)
	case s.Agent.Chosen:
		return passed(cmp.Or(label, "unknown")+", of the property list that was named", s.Agent.Plist)
	case s.Plist.Err == nil && !homebrew.IsLabel(own):
		return failed(fmt.Sprintf("the property list has the label %q, by which Homebrew does not know it", own),
			"ollama-bind fix --plist "+shell.Quote(s.Agent.Plist), s.Agent.Plist)
	case label != canonical:
		return passed(label+", which Homebrew replaces by "+canonical+" at its next restart of the service", s.Agent.Plist)
	}
	return passed(label, s.Agent.Plist)
}

// checkTwoJobs also looks for files that launchd would load at the next login.
func checkTwoJobs(c *Case, s bind.State) Finding {
	var others []homebrew.Candidate
	for _, candidate := range homebrew.Candidates(c.Machine.Home, c.Machine.Daemons) {
		if _, err := os.Lstat(candidate.Plist); err == nil && candidate.Plist != s.Agent.Plist {
			others = append(others, candidate)
		}
	}
	return judgeTwoJobs(s, others)
}

func judgeTwoJobs(s bind.State, others []homebrew.Candidate) Finding {
	switch rival := s.Agent.Rival; {
	case rival != nil:
		return failed(s.Agent.TwoJobs(), rival.EndCommand(), s.Agent.Plist)
	case len(others) > 0 && homebrew.IsLabel(s.Agent.Label):
		other := others[0]
		return warned("there is a second property list, and after the next login there may be two services for one port",
			shell.Sudo(other.Daemon)+"rm "+shell.Quote(other.Plist), "in use: "+s.Agent.Plist, "as well: "+other.Plist)
	}
	return passed("only one is here", s.Agent.Plist)
}

// judgeLoaded: as long as somebody else has the port, starting the service is no
// cure.
func judgeLoaded(_ *Case, s bind.State) Finding {
	start, next := s.StartCommand(), whatNow(s)
	if held, isHeld := s.Held(s.Port()); isHeld {
		start, next = held.Hint, held.Hint
	}
	switch {
	case s.Job.Err != nil:
		return skipped(s.Job.Err.Error())
	case noFile(s):
		return skipped("there is no property list")
	case !s.Job.Loaded:
		return failed("launchd has not loaded the service", start, s.Agent.Plist)
	case s.Job.PID == 0:
		return failed("launchd has loaded the service, but it does not run (last exit: "+lastExit(s)+")", next,
			s.Agent.Target.String(), "state: "+cmp.Or(s.Job.State, "unknown"))
	}
	return passed(fmt.Sprintf("runs as process %d", s.Job.PID), s.Agent.Target.String())
}

func lastExit(s bind.State) string { return cmp.Or(s.Job.LastExit, "unknown") }

// whatNow is for a service that is down, or has been.
func whatNow(s bind.State) string {
	if s.Job.EndedWell() || s.LogPath() == "" {
		return s.KickstartCommand()
	}
	return s.TailCommand()
}

// checkDisabled asks for the overrides of the user and of the system before it
// knows which of them counts: each is one quick question.
func checkDisabled(ctx context.Context, c *Case) Finding {
	launchd := c.Machine.Launchd
	var s bind.State
	var users, systems map[string]bool
	var err, usersErr, systemsErr error
	together(
		func() { s, err = c.state(ctx) },
		func() { users, usersErr = launchd.Disabled(ctx, launchctl.User(c.Machine.UID)) },
		func() { systems, systemsErr = launchd.Disabled(ctx, launchctl.System) },
	)
	switch {
	case err != nil:
		return withoutState(err)
	case s.Agent.Daemon:
		return judgeDisabled(c, s, systems, systemsErr)
	}
	return judgeDisabled(c, s, users, usersErr)
}

func judgeDisabled(c *Case, s bind.State, overrides map[string]bool, err error) Finding {
	label := cmp.Or(s.Plist.Agent.Label, s.Agent.Label)
	target := launchctl.Target{Domain: launchctl.DomainsFor(c.Machine.UID, s.Agent.Daemon)[0], Label: label}
	if s.Agent.Loaded {
		target.Domain = s.Agent.Target.Domain
	}
	switch {
	case err != nil:
		return withoutTool("launchctl", err)
	case noFile(s):
		return skipped("there is no property list")
	case overrides[label]:
		return failed("the service is disabled: launchd does not start it at login", shell.Sudo(target.Domain == launchctl.System)+"launchctl enable "+target.String(), "launchctl print-disabled: "+label)
	}
	return passed("nothing keeps launchd from starting it", "launchctl print-disabled: "+label)
}

// checkLastExit looks into the service's log too.
func checkLastExit(_ *Case, s bind.State) Finding {
	return judgeLastExit(s, s.LastError())
}

func judgeLastExit(s bind.State, logged string) Finding {
	if logged != "" {
		logged = "the last error in " + s.LogPath() + ": " + logged
	}
	switch {
	case s.Job.Err != nil:
		return skipped(s.Job.Err.Error())
	case !s.Job.Loaded:
		return skipped("launchd has not loaded the service")
	case s.Job.PID == 0 && s.Job.EndedWell():
		return warned("does not run now; last exit: "+lastExit(s), whatNow(s), logged)
	case s.Job.PID == 0:
		return failed("does not stay up; last exit: "+lastExit(s), whatNow(s), started(s.Job), meaningOf(s.Job.LastExit), logged)
	case !s.Job.EndedWell():
		return warned("runs now, but the run before ended with "+lastExit(s), whatNow(s), started(s.Job), meaningOf(s.Job.LastExit), logged)
	}
	if s.Job.LastExit == "(never exited)" {
		return passed("has run without end since it was loaded")
	}
	return passed("runs; the run before: "+lastExit(s), started(s.Job))
}

func started(j bind.Job) string {
	if j.Runs == 0 {
		return ""
	}
	return fmt.Sprintf("started %d times since it was loaded", j.Runs)
}

// meaningOf explains the one exit status that leaves nothing in the log.
func meaningOf(exit string) string {
	if exit == "78" || exit == "78: EX_CONFIG" {
		return "78: launchd could not start it at all, because the program or its log file is missing, for instance"
	}
	return ""
}

// rebind is what makes an Ollama listen on all interfaces: the command, where
// there is a service that it could work on, and else what to do instead.
func rebind(system string, s bind.State, port int, err error) string {
	g := onAll(port)
	value := ollama.Variable + "=" + *g.Value
	switch {
	case noAgent(err):
		return "switch on \"Expose Ollama to the network\" in the settings of Ollama.app, or set " + value + " where Ollama is started"
	case inTheWay(s, port) != "":
		return inTheWay(s, port)
	case !noLaunchd(err):
		return s.FixCommand(g)
	case system == "linux":
		return fmt.Sprintf("sudo systemctl edit ollama, with Environment=%q below [Service], and sudo systemctl restart ollama", value)
	case system == "windows":
		return "setx OLLAMA_HOST " + *g.Value + ", and start Ollama again"
	}
	return "set " + value + " where Ollama is started"
}
