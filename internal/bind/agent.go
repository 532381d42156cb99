package bind

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// sighting is launchd's answer about one candidate in one domain.
type sighting struct {
	homebrew.Candidate
	target launchctl.Target
	job    launchctl.Job
	err    error
}

func (s sighting) loaded() bool { return s.err == nil }

// steadiness is 0 for a job that does not run, 1 for one that launchd has just
// started again, and 2 for one that stays up.
func (s sighting) steadiness() int {
	switch {
	case s.job.PID == 0:
		return 0
	case Job{Job: s.job}.Looping():
		return 1
	}
	return 2
}

func (s sighting) same(o *sighting) bool {
	return s.Label == o.Label && s.job.PID == o.job.PID && s.job.Path == o.job.Path
}

// absent is set when launchd says for certain that the job is not there.
func (s sighting) absent() bool {
	return errors.Is(s.err, launchctl.ErrNotLoaded) || errors.Is(s.err, launchctl.ErrNoDomain)
}

// Subject says which agent is meant. The zero value is Homebrew's, wherever it
// is found.
type Subject struct {
	Plist string // the property list's path
	Label string // of the job, where the property list does not tell
}

func (m Machine) find(ctx context.Context, subject Subject) (Agent, Job, error) {
	if subject.Plist != "" {
		return m.findNamed(ctx, subject)
	}
	candidates := homebrew.Candidates(m.Home, m.Daemons)
	all := m.lookFor(ctx, candidates)
	f, err := sift(all)
	switch {
	case err != nil:
		return Agent{}, Job{}, err
	case f.best == nil:
		agent, job, err := m.chooseFile(candidates, f.unclear)
		agent.Domains = domainsOf(agent.Candidate, all)
		return agent, job, err
	}
	return f.agent(), Job{Job: f.best.job, Loaded: true}, nil
}

// findNamed looks for the job of one property list. A list that cannot be
// understood has no label; it is reported when it is read for its own sake.
func (m Machine) findNamed(ctx context.Context, subject Subject) (Agent, Job, error) {
	path, err := filepath.Abs(subject.Plist)
	if err != nil {
		return Agent{}, Job{}, err
	}
	c := homebrew.Candidate{Label: readPlist(path).Agent.Label, Plist: path, Daemon: filepath.Dir(path) == m.Daemons}
	if c.Label == "" {
		c.Label = subject.Label
	}
	if c.Label == "" {
		return Agent{Candidate: c, Chosen: true}, Job{}, nil
	}
	all := m.lookFor(ctx, []homebrew.Candidate{c})
	f, err := sift(all)
	if err != nil || f.best == nil {
		return Agent{Candidate: c, Chosen: true, Domains: domainsOf(c, all)}, Job{Err: f.unclear}, err
	}
	agent := f.agent()
	agent.Candidate, agent.Chosen = c, true
	return agent, Job{Job: f.best.job, Loaded: true}, nil
}

// lookFor asks launchd for every candidate in every domain at once: each
// question is a process of its own, and none depends on another's answer.
func (m Machine) lookFor(ctx context.Context, candidates []homebrew.Candidate) []sighting {
	var all []sighting
	for _, c := range candidates {
		for _, d := range launchctl.DomainsFor(m.UID, c.Daemon) {
			all = append(all, sighting{Candidate: c, target: launchctl.Target{Domain: d, Label: c.Label}})
		}
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i].job, all[i].err = m.Launchd.Print(ctx, all[i].target) })
	}
	wg.Wait()
	return all
}

// found is what is left of all sightings.
type found struct {
	best  *sighting // the job that is meant
	rival *sighting // another one that is loaded as well
	// unclear is why launchd did not answer some question.
	unclear error
}

// sift takes the job that is loaded, a running one before one that is merely
// loaded, as Homebrew does. Of two that want one port, one does not stay up.
func sift(all []sighting) (found, error) {
	var f found
	for i := range all {
		s := &all[i]
		switch {
		case errors.Is(s.err, launchctl.ErrNoTool):
			return found{}, problem(NothingHere, "no-launchctl",
				"run it on the Mac whose Ollama shall be reached", "this machine has no launchctl: %w", s.err)
		case !s.loaded() && !s.absent():
			f.unclear = s.err
		case !s.loaded():
		case f.best == nil:
			f.best = s
		case s.same(f.best): // an old launchctl shows it for every domain that it is asked for
		case s.steadiness() > f.best.steadiness():
			f.best, f.rival = s, f.best
		default:
			f.rival = s
		}
	}
	return f, nil
}

// domainsOf are the domains that launchd has for a candidate: nobody may be
// logged in at the screen.
func domainsOf(c homebrew.Candidate, all []sighting) []launchctl.Domain {
	var domains []launchctl.Domain
	for _, s := range all {
		if s.Candidate == c && !errors.Is(s.err, launchctl.ErrNoDomain) {
			domains = append(domains, s.target.Domain)
		}
	}
	return domains
}

func (f found) agent() Agent {
	a := Agent{Candidate: f.best.Candidate, Loaded: true, Target: f.best.target}
	if filepath.IsAbs(f.best.job.Path) {
		a.Plist = f.best.job.Path // `brew services run` loads the file in the keg
	}
	if f.rival != nil {
		a.Rival = &Rival{Target: f.rival.target}
		shared := samePath(f.rival.Plist, a.Plist) || samePath(f.rival.Plist, f.best.Plist)
		if isThere(f.rival.Plist) && !shared {
			a.Rival.Plist = f.rival.Plist
		}
	}
	return a
}

// chooseFile takes the first property list that there is, where no job is
// loaded.
func (m Machine) chooseFile(candidates []homebrew.Candidate, unclear error) (Agent, Job, error) {
	for _, c := range candidates {
		_, err := os.Lstat(c.Plist)
		switch {
		case err == nil:
			return Agent{Candidate: c}, Job{Err: unclear}, nil
		case !errors.Is(err, fs.ErrNotExist):
			return Agent{}, Job{}, problem(Failed, "plist-unreadable", "ls -ld "+shell.Quote(filepath.Dir(c.Plist)),
				"looking for %s: %w", c.Plist, bare(err))
		}
	}
	if unclear != nil {
		return Agent{}, Job{}, problem(Failed, "launchctl-failed",
			"launchctl print "+string(launchctl.GUI(m.UID)), "looking for the Ollama service: %w", unclear)
	}
	hint := startService
	if homebrew.LacksOllama(m.Prefixes) {
		hint = installService
	}
	return Agent{}, Job{}, problem(NothingHere, "no-agent", hint,
		"no Homebrew service for Ollama here: launchd holds none of its labels (%s), and there is no %s",
		strings.Join(homebrew.Labels(), ", "), candidates[0].Plist)
}

const (
	startService   = "brew services start ollama"
	installService = "brew install ollama && " + startService
)

// inItsStead adds to the error that there is no service who has its port. Another
// Ollama may be all that containers need; a service beside it would fight for the
// port.
func inItsStead(err error, s Socket, g Goal) error {
	var p *Problem
	if !errors.As(err, &p) || p.ID != "no-agent" || len(s.Listeners) == 0 {
		return err
	}
	l := s.Listeners[0]
	hint := seeWho(l)
	if strings.EqualFold(l.Command, "ollama") {
		hint = Command("probe", g)
	}
	return problem(p.Kind, p.ID, hint, "%w; port %d is held by %s, which ollama-bind does not manage", p.Err, s.Port, who(l))
}

// samePath compares paths as launchd may have resolved them. A path that
// launchd did not tell is taken for the same.
func samePath(a, b string) bool {
	return a == "" || resolved(a) == resolved(b)
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}
