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
	all := map[string]any{"RunAtLoad": true}
	all["ProgramArguments"] = []string{"/bin/sh", "-c", text}
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
	for _, kind := range []error{
		launchctl.ErrNotLoaded, launchctl.ErrNoDomain, launchctl.ErrDisabled,
		launchctl.ErrInProgress, launchctl.ErrStillLoaded, launchctl.ErrOtherPath,
		launchctl.ErrFormat,
	} {
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
	if errors.As(err, &exit) && (exit.Code == 5 || exit.Code == 37) {
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

// launchctl runs one verb.
func (s *side) launchctl(args ...string) error {
	_, err := s.Run(context.Background(), "launchctl", args...)
	return err
}

func bootstrapped(s *side) string {
	return readBootstrap(s.launchctl("bootstrap", string(s.domain), s.path()))
}
func bootedOut(s *side) string {
	return readBootout(s.launchctl("bootout", s.target().String()))
}
func kickstarted(s *side) string {
	return readError(s.launchctl("kickstart", s.target().String()))
}
func takenOut(s *side) string {
	return readError(s.client().Unload(context.Background(), s.target(), 0, nil))
}
func enabled(s *side) string {
	return readError(s.launchctl("enable", s.target().String()))
}
func disabledState(s *side) string {
	all, err := s.client().Disabled(context.Background(), s.domain)
	disabled, known := all[s.label]
	return fmt.Sprintf("%s, known %t, disabled %t", readError(err), known, disabled)
}

func printed(s *side, d launchctl.Domain) string {
	t := launchctl.Target{Domain: d, Label: s.label}
	_, err := s.client().Print(context.Background(), t)
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
	return s.plain(fmt.Sprintf("path %s, state %s, process %t, program %s, environment %q, "+
		"log %s, exit timeout known %t, last exit %s", job.Path, job.State, job.PID > 0,
		job.Program, env, job.StderrPath, job.ExitTimeout > 0, job.LastExit))
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
		return err == nil && j.PID == 0 && j.LastExit != "(never exited)" &&
			(j.State == "spawn scheduled" || j.State == "not running")
	})
}

func untilGone(s *side) string {
	return until(s, func(_ launchctl.Job, err error) bool {
		return errors.Is(err, launchctl.ErrNotLoaded)
	})
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

// rawCode is for what no code of ours runs. L and P stand for target and plist.
func rawCode(args string) func(*side) string {
	return func(s *side) string {
		line := strings.NewReplacer("L", s.target().String(), "P", s.path()).Replace(args)
		return fmt.Sprintf("exit %d", s.raw("launchctl", strings.Fields(line)...).code)
	}
}

const (
	byHand    = "nothing here runs it, but users do"
	bothKnown = "several answers are known, and each is dealt with"
	forPeople = "shown to people, nothing is decided by it"
)

// nobody is a user who is on no Mac.
const nobody = 99999

var ourEnvironment = map[string]string{
	"OLLAMA_HOST": "0.0.0.0:11434", "OLLAMA_EMPTY": "", "OLLAMA_ARROW": "a => b = {",
}

func in(d func(uid int) launchctl.Domain, uid int) func(*side) string {
	return func(s *side) string {
		if uid == 0 {
			return printed(s, d(s.uid))
		}
		return printed(s, d(uid))
	}
}

// bootstrapInto is a bootstrap into another domain.
func bootstrapInto(d launchctl.Domain) func(*side) string {
	return func(s *side) string {
		return readBootstrap(s.launchctl("bootstrap", string(d), s.path()))
	}
}

// spoilt is a bootstrap of a plist to which something was done.
func spoilt(spoil func(path string) error) func(*side) string {
	return given(sleeper(ourEnvironment), func(s *side) string {
		if err := spoil(s.path()); err != nil {
			return err.Error()
		}
		return bootstrapped(s)
	})
}

var (
	idle     = map[string]any{"ProgramArguments": []string{"/bin/sleep", "300"}}
	missing  = map[string]any{"ProgramArguments": []string{"/nowhere/x"}, "RunAtLoad": true}
	stubborn = script(`trap "" TERM; n=0; while [ $n -lt 60 ]; do sleep 1; n=$((n+1)); done`,
		map[string]any{"ExitTimeOut": 5})
	failing = script("exit 3", map[string]any{"KeepAlive": true})
	odd     = map[string]any{
		"ProgramArguments": []string{"/bin/sleep", "300"},
		"EnvironmentVariables": map[string]string{
			"OLLAMA_LINES": "one\ntwo", "OLLAMA_QUOTED": `a "b" \c`, "OLLAMA_WIDE": "ü 猫"},
	}
)

// steps are all situations, in an order in which each leads to the next.
var steps = []step{
	// Nobody there.
	{"print, not loaded", "", func(s *side) string { return printed(s, s.domain) }},
	{"print, not loaded, user domain", "", in(launchctl.User, 0)},
	{"print, no such user", "", in(launchctl.GUI, nobody)},
	{"bootout, not loaded", "", bootedOut},
	{"kickstart, not loaded", "", kickstarted},
	{"getenv, not set", "", func(s *side) string {
		value, err := s.client().Getenv(context.Background(), "OLLAMA_BIND_NOT_SET")
		return fmt.Sprintf("%q, %s", value, readError(err))
	}},

	// The database of disabled services.
	{"enable", "", enabled},
	{"print-disabled, enabled", "", disabledState},
	{"disable", byHand, given(sleeper(ourEnvironment), rawCode("disable L"))},
	{"print-disabled, disabled", "", disabledState},
	{"bootstrap, disabled", bothKnown, bootstrapped},
	{"not loaded while disabled", "", takenOut},
	{"enable again", "", enabled},

	// A life.
	{"bootstrap", "", bootstrapped},
	{"print, running", "", runs},
	{"bootstrap, loaded already", "", bootstrapped},
	{"kickstart, running already", "", kickstarted},
	{"bootout, running", "", bootedOut},
	{"print, right after it", "Unload looks until it is gone", func(s *side) string {
		return printed(s, s.domain)
	}},
	{"gone", "", untilGone},
	{"bootout, gone already", "", bootedOut},

	// Until bootout is done, launchd refuses the next bootstrap.
	{"a job that ignores SIGTERM", "", given(stubborn, bootstrapped)},
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
	{"a job that fails", "", given(failing, bootstrapped)},
	{"print, throttled", "", ended},
	{"kickstart, throttled", bothKnown, kickstarted},
	{"out", "", out},
	{"a job without a program", forPeople, given(missing, bootstrapped)},
	{"print, could not be started", forPeople, ended},
	{"out again", "", out},
	{"a job that a signal ends", "", given(script("kill -TERM $$", nil), bootstrapped)},
	{"print, ended by a signal", "", ended},
	{"out once more", "", out},

	// A job that waits to be told.
	{"a job that is not started", "", given(idle, bootstrapped)},
	{"print, never started", "", shown},
	{"kickstart", "", kickstarted},
	{"print, started", "", runs},
	{"out of there", "", out},

	// Plists that launchd will not have.
	{"bootstrap, writable for all", bothKnown, spoilt(func(path string) error {
		return os.Chmod(path, 0o666)
	})},
	{"bootstrap, no plist", bothKnown, spoilt(write("<plist>"))},
	{"bootstrap, no file", bothKnown, spoilt(os.Remove)},
	{"bootstrap, into the system as a user", "fix asks for root before it tries",
		given(sleeper(ourEnvironment), bootstrapInto(launchctl.System))},
	{"bootstrap, no such user", "", bootstrapInto(launchctl.GUI(nobody))},
	{"none of those is loaded", "", takenOut},

	// How print shows odd values. Homebrew writes none of them.
	{"odd values", "", given(odd, bootstrapped)},
	{"print, odd values", "unverified, and ParsePrint takes it either way", shown},
	{"odd values out", "", out},

	// The verbs of old.
	{"load", byHand, given(sleeper(ourEnvironment), rawCode("load P"))},
	{"load, loaded already", byHand, rawCode("load P")},
	{"unload", byHand, rawCode("unload P")},
	{"unload, is gone", byHand, untilGone},
	{"unload, not loaded", byHand, rawCode("unload P")},

	// What fix and rollback do.
	{"Load", "", given(sleeper(ourEnvironment), func(s *side) string {
		domains := []launchctl.Domain{s.domain}
		t, err := s.client().Load(context.Background(), domains, s.label, s.path(), nil)
		return fmt.Sprintf("%t %s", t == s.target(), readError(err))
	})},
	{"Load, it runs", "", runs},
	{"Reload", "", given(sleeper(map[string]string{"OLLAMA_HOST": "127.0.0.1:11434"}),
		func(s *side) string {
			job, err := s.client().Print(context.Background(), s.target())
			if err != nil {
				return readError(err)
			}
			err = s.client().Reload(context.Background(), s.target(), job, s.path(), nil)
			return readError(err)
		})},
	{"Reload, it runs with another environment", "", runs},
	{"Unload", "", takenOut},
	{"Unload, nobody there", "", func(s *side) string { return printed(s, s.domain) }},
}
