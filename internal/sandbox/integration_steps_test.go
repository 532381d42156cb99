//go:build integration

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// sleeper is a service that ends by itself, should nobody be left to end it.
func sleeper(env map[string]string) map[string]any {
	return map[string]any{
		"ProgramArguments":     []string{"/bin/sleep", "300"},
		"RunAtLoad":            true,
		"EnvironmentVariables": env,
	}
}

func script(text string, more map[string]any) map[string]any {
	all := map[string]any{"ProgramArguments": []string{"/bin/sh", "-c", text}, "RunAtLoad": true}
	maps.Copy(all, more)
	return all
}

// step is one thing to do on both sides. The reading that it returns is what
// the program depends on.
type step struct {
	name  string
	loose string // why a different reading fails nothing
	do    func(*side) string
}

// readError names what the error is to the program.
func readError(err error) string {
	for _, kind := range []error{launchctl.ErrNotLoaded, launchctl.ErrNoDomain, launchctl.ErrDisabled, launchctl.ErrInProgress,
		launchctl.ErrUnknownSubcommand, launchctl.ErrStillLoaded, launchctl.ErrOtherPath, launchctl.ErrFormat} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if err != nil {
		return "refused"
	}
	return "ok"
}

// readBootstrap is the decision of Load and Reload.
func readBootstrap(err error) string {
	var exit *launchctl.ExitError
	if errors.As(err, &exit) && (exit.Code == errIO || exit.Code == errAlready) {
		return "try again"
	}
	return readError(err)
}

// readBootout is the decision of Unload: a job that is on its way out is out.
func readBootout(err error) string {
	if errors.Is(err, launchctl.ErrInProgress) {
		return "ok"
	}
	return readError(err)
}

func bootstrapped(s *side) string {
	return readBootstrap(s.client().Bootstrap(context.Background(), s.target(), s.path()))
}
func bootedOut(s *side) string {
	return readBootout(s.client().Bootout(context.Background(), s.target()))
}
func kickstarted(s *side) string {
	return readError(s.client().Kickstart(context.Background(), s.target()))
}
func takenOut(s *side) string {
	return readError(s.client().Unload(context.Background(), s.target(), 0, s.path()))
}
func enabled(s *side) string { return readError(s.client().Enable(context.Background(), s.target())) }
func disabledState(s *side) string {
	all, err := s.client().Disabled(context.Background(), s.domain)
	disabled, known := all[s.label]
	return fmt.Sprintf("%s, known %t, disabled %t", readError(err), known, disabled)
}

func printed(s *side, d launchctl.Domain) string {
	_, err := s.client().Print(context.Background(), launchctl.Target{Domain: d, Label: s.label})
	return readError(err)
}

// shown reads what print shows of the job, with those fields that the program
// looks at and that two machines can have in common.
func shown(s *side) string {
	job, err := s.client().Print(context.Background(), s.target())
	if err != nil {
		return readError(err)
	}
	env := map[string]string{}
	for name, value := range job.Environment {
		if strings.HasPrefix(name, "OLLAMA_") {
			env[name] = value
		}
	}
	return s.plain(fmt.Sprintf("path %s, state %s, process %t, runs %d, program %s, environment %q, log %s, exit timeout known %t, last exit %s",
		job.Path, job.State, job.PID > 0, job.Runs, job.Program, env, job.StderrPath, job.ExitTimeout > 0, job.LastExit))
}

// details are the fields by which nothing is decided.
func details(s *side) string {
	job, err := s.client().Print(context.Background(), s.target())
	return s.plain(fmt.Sprintf("%s, type %s, arguments %q, output %s, in %s, minimum runtime %s, exit timeout %s, default environment %q",
		readError(err), job.Type, job.Arguments, job.StdoutPath, job.WorkingDirectory, job.MinimumRuntime, job.ExitTimeout, job.DefaultEnvironment))
}

// until looks at the job until it is as it should be, and returns shown.
func until(s *side, want func(launchctl.Job, error) bool) string {
	deadline := time.Now().Add(40 * time.Second)
	for {
		job, err := s.client().Print(context.Background(), s.target())
		if want(job, err) {
			return shown(s)
		}
		if time.Now().After(deadline) {
			return "never came to be; now: " + shown(s)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func runs(s *side) string {
	return until(s, func(j launchctl.Job, err error) bool { return err == nil && j.PID > 0 })
}

// ended waits for a run to be over. A job that launchd keeps alive is in another
// state for a moment before it is scheduled.
func ended(s *side) string {
	return until(s, func(j launchctl.Job, err error) bool {
		return err == nil && j.PID == 0 && j.LastExit != "(never exited)" && (j.State == "spawn scheduled" || j.State == "not running")
	})
}

func untilGone(s *side) string {
	return until(s, func(_ launchctl.Job, err error) bool { return errors.Is(err, launchctl.ErrNotLoaded) })
}

// out takes the job out and waits: what ends each scene.
func out(s *side) string { return bootedOut(s) + ", then " + untilGone(s) }

// given writes a plist first.
func given(keys map[string]any, do func(*side) string) func(*side) string {
	return func(s *side) string {
		if err := s.write(keys); err != nil {
			return err.Error()
		}
		return do(s)
	}
}

// rawCode is for what no code of ours runs.
func rawCode(args func(*side) []string) func(*side) string {
	return func(s *side) string { return fmt.Sprintf("exit %d", s.raw("launchctl", args(s)...).code) }
}

// printLayout is the keys of print's answer, one a line, for people to compare.
func printLayout(s *side) string {
	a := s.raw("launchctl", "print", s.target().String())
	var keys []string
	for line := range strings.Lines(a.stdout) {
		if strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "\t\t") {
			if key, _, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
				keys = append(keys, key)
			}
		}
	}
	return strings.Join(keys, ", ")
}

// line is one line of print's answer.
func line(s *side, key string) string {
	for l := range strings.Lines(s.raw("launchctl", "print", s.target().String()).stdout) {
		if strings.HasPrefix(strings.TrimSpace(l), key+" = ") {
			return strings.TrimSpace(l)
		}
	}
	return "no line " + key
}

// renamed is a Runner that says another verb than it was given.
type renamed struct {
	launchctl.Runner
	verb string
}

func (r renamed) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return r.Runner.Run(ctx, name, append([]string{r.verb}, args[1:]...)...)
}

const (
	notUsed   = "nothing here runs it"
	onlyOld   = "used only with a launchctl that has no bootstrap, before OS X 10.10"
	bothKnown = "several answers are known, and each is dealt with"
	forPeople = "shown to people, nothing is decided by it"
)

// nobody is a user who is on no Mac.
const nobody = 99999

var ourEnvironment = map[string]string{"OLLAMA_HOST": "0.0.0.0:11434", "OLLAMA_EMPTY": "", "OLLAMA_ARROW": "a => b = {"}

// steps are all situations, in an order in which each leads to the next.
var steps = []step{
	// Nobody there.
	{"print, not loaded", "", func(s *side) string { return printed(s, s.domain) }},
	{"print, not loaded, user domain", "", func(s *side) string { return printed(s, launchctl.User(s.uid)) }},
	{"print, not loaded, system domain", "", func(s *side) string { return printed(s, launchctl.System) }},
	{"print, no such user", "", func(s *side) string { return printed(s, launchctl.GUI(nobody)) }},
	{"list LABEL, not loaded", onlyOld, rawCode(func(s *side) []string { return []string{"list", s.label} })},
	{"bootout, not loaded", "", bootedOut},
	{"bootout by path, not loaded", notUsed, given(sleeper(ourEnvironment),
		rawCode(func(s *side) []string { return []string{"bootout", string(s.domain), s.path()} }))},
	{"kickstart, not loaded", "", kickstarted},
	{"getenv, not set", "", func(s *side) string {
		value, err := s.client().Getenv(context.Background(), "OLLAMA_BIND_NOT_SET")
		return fmt.Sprintf("%q, %s", value, readError(err))
	}},
	{"unknown subcommand", onlyOld, func(s *side) string {
		c := launchctl.Client{Runner: renamed{s, "frobnicate"}}
		_, err := c.Disabled(context.Background(), s.domain)
		return readError(err)
	}},
	{"usage error", notUsed, rawCode(func(*side) []string { return []string{"print"} })},
	{"bad target", notUsed, rawCode(func(*side) []string { return []string{"print", "foo"} })},

	// The database of disabled services.
	{"enable", "", enabled},
	{"print-disabled, enabled", "", disabledState},
	{"disable", "nothing here runs it, but users do", rawCode(func(s *side) []string { return []string{"disable", s.target().String()} })},
	{"print-disabled, disabled", "", disabledState},
	{"bootstrap, disabled", bothKnown, bootstrapped},
	{"kickstart, disabled", notUsed, kickstarted},
	{"not loaded while disabled", "", takenOut},
	{"enable again", "", enabled},

	// A life.
	{"bootstrap", "", bootstrapped},
	{"print, running", "", runs},
	{"print, the layout", forPeople, printLayout},
	{"print, the details", forPeople, details},
	{"bootstrap, loaded already", "", bootstrapped},
	{"kickstart, running already", "", kickstarted},
	{"list LABEL, running", onlyOld, func(s *side) string {
		job, err := launchctl.ParseList([]byte(s.raw("launchctl", "list", s.label).stdout))
		return s.plain(fmt.Sprintf("%s, process %t, program %s, arguments %q, log %s, last exit %q",
			readError(err), job.PID > 0, job.Program, job.Arguments, job.StdoutPath, job.LastExit))
	}},
	{"bootout, running", "", bootedOut},
	{"print, right after it", "Unload looks until it is gone", func(s *side) string { return printed(s, s.domain) }},
	{"gone", "", untilGone},
	{"bootout, gone already", "", bootedOut},

	// Until bootout is done, launchd refuses the next bootstrap.
	{"a job that ignores SIGTERM", "", given(script(`trap "" TERM; n=0; while [ $n -lt 60 ]; do sleep 1; n=$((n+1)); done`,
		map[string]any{"ExitTimeOut": 5}), bootstrapped)},
	{"it runs", "", func(s *side) string {
		said := runs(s)
		time.Sleep(500 * time.Millisecond) // for the shell to get to its trap
		return said
	}},
	{"bootout of it", "", bootedOut},
	{"print meanwhile", "", shown},
	{"bootstrap meanwhile", "", bootstrapped},
	{"bootout meanwhile", "", bootedOut},
	{"gone in the end", "", untilGone},

	// Jobs that do not stay up.
	{"a job that fails", "", given(script("exit 3", map[string]any{"KeepAlive": true}), bootstrapped)},
	{"print, throttled", "", ended},
	{"kickstart, throttled", bothKnown, kickstarted},
	{"out", "", out},
	{"a job without a program", forPeople, given(map[string]any{"ProgramArguments": []string{"/nowhere/ollama-bind-test"}, "RunAtLoad": true}, bootstrapped)},
	{"print, could not be started", forPeople, ended},
	{"out again", "", out},
	{"a job that a signal ends", "", given(script("kill -TERM $$", nil), bootstrapped)},
	{"print, ended by a signal", "", ended},
	{"out once more", "", out},

	// A job that waits to be told.
	{"a job that is not started", "", given(map[string]any{"ProgramArguments": []string{"/bin/sleep", "300"}}, bootstrapped)},
	{"print, never started", "", shown},
	{"kickstart", "", kickstarted},
	{"print, started", "", runs},
	{"out of there", "", out},

	// Plists that launchd will not have.
	{"bootstrap, writable for all", bothKnown, given(sleeper(ourEnvironment), func(s *side) string {
		if err := os.Chmod(s.path(), 0o666); err != nil {
			return err.Error()
		}
		return bootstrapped(s)
	})},
	{"bootstrap, no property list", bothKnown, func(s *side) string {
		if err := errors.Join(os.Remove(s.path()), os.WriteFile(s.path(), []byte("<plist>"), 0o644)); err != nil {
			return err.Error()
		}
		return bootstrapped(s)
	}},
	{"bootstrap, no file", bothKnown, func(s *side) string {
		if err := os.Remove(s.path()); err != nil {
			return err.Error()
		}
		return bootstrapped(s)
	}},
	{"bootstrap, into the system as a user", "fix asks for root before it tries", given(sleeper(ourEnvironment), func(s *side) string {
		return readBootstrap(s.client().Bootstrap(context.Background(), launchctl.Target{Domain: launchctl.System, Label: s.label}, s.path()))
	})},
	{"bootstrap, no such user", "", func(s *side) string {
		return readBootstrap(s.client().Bootstrap(context.Background(), launchctl.Target{Domain: launchctl.GUI(nobody), Label: s.label}, s.path()))
	}},

	{"none of those is loaded", "", takenOut},

	// How print shows odd values. Homebrew writes none of them.
	{"odd values", "", given(map[string]any{"ProgramArguments": []string{"/bin/sleep", "300"}, "ExitTimeOut": 0,
		"EnvironmentVariables": map[string]string{"OLLAMA_LINES": "one\ntwo", "OLLAMA_QUOTED": `a "b" \c`, "OLLAMA_WIDE": "ü 猫"}}, bootstrapped)},
	{"print, odd values", "unverified, and ParsePrint takes it either way", shown},
	{"print, no exit timeout", "unverified; 20 seconds are taken where it is not understood", func(s *side) string { return line(s, "exit timeout") }},
	{"odd values out", "", out},

	// The verbs of old.
	{"load", onlyOld, given(sleeper(ourEnvironment), rawCode(func(s *side) []string { return []string{"load", s.path()} }))},
	{"load, loaded already", onlyOld, rawCode(func(s *side) []string { return []string{"load", s.path()} })},
	{"unload", onlyOld, rawCode(func(s *side) []string { return []string{"unload", s.path()} })},
	{"unload, is gone", onlyOld, untilGone},
	{"unload, not loaded", onlyOld, rawCode(func(s *side) []string { return []string{"unload", s.path()} })},

	// What fix and rollback do.
	{"Load", "", given(sleeper(ourEnvironment), func(s *side) string {
		t, err := s.client().Load(context.Background(), []launchctl.Domain{s.domain}, s.label, s.path())
		return fmt.Sprintf("%t %s", t == s.target(), readError(err))
	})},
	{"Load, it runs", "", runs},
	{"Reload with another environment", "", given(sleeper(map[string]string{"OLLAMA_HOST": "127.0.0.1:11434"}), func(s *side) string {
		job, err := s.client().Print(context.Background(), s.target())
		if err != nil {
			return readError(err)
		}
		return readError(s.client().Reload(context.Background(), s.target(), job, s.path()))
	})},
	{"Reload, it runs with it", "", runs},
	{"Unload", "", takenOut},
	{"Unload, nobody there", "", func(s *side) string { return printed(s, s.domain) }},
}
