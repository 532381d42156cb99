package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// What the kinds that launchd runs share.

// sighting is launchd's answer about one service in one domain.
type sighting struct {
	Service
	target launchctl.Target
	job    launchctl.Job
	err    error
}

func (s sighting) loaded() bool { return s.err == nil }

// absent: launchd says for certain that the job is not there.
func (s sighting) absent() bool {
	return errors.Is(s.err, launchctl.ErrNotLoaded) || errors.Is(s.err, launchctl.ErrNoDomain)
}

// steadiness is 0 for a job that does not run, 1 for one that launchd has just
// restarted, and 2 for one that stays up.
func (s sighting) steadiness() int {
	switch {
	case s.job.PID == 0:
		return 0
	case Job{Job: s.job}.Looping():
		return 1
	}
	return 2
}

// candidate is the service of a sighting, with the file from which launchd loaded it:
// not always the one where it was looked for.
func (s sighting) candidate() candidate {
	c := candidate{Service: s.Service, job: Job{Job: s.job, Loaded: true}}
	c.Loaded, c.Target = true, s.target
	if filepath.IsAbs(s.job.Path) {
		c.Plist = backup.Clean(s.job.Path)
	}
	return c
}

// named looks for the job of one plist. A plist that cannot be understood has no label;
// that is reported when it is read as the service's.
func (m Machine) named(ctx context.Context, subject Subject) ([]candidate, error) {
	path, err := filepath.Abs(backup.Clean(subject.Plist))
	if err != nil {
		return nil, err
	}
	s := m.serviceOf(cmp.Or(readPlist(path).Agent.Label, subject.Label), path)
	s.Kind, s.Chosen = kindOfJob(s.Label), ByPlist
	if s.Label == "" {
		return []candidate{{Service: s}}, nil
	}
	all := m.ask(ctx, []Service{s})
	f, err := sift(all)
	if err != nil || f.best == nil {
		s.Domains = domainsOf(s.Plist, all)
		return []candidate{{s, Job{Err: f.unclear}}}, err
	}
	s.Loaded, s.Target = true, f.best.target
	return []candidate{{s, Job{Job: f.best.job, Loaded: true}}}, nil
}

// serviceOf goes by the folder of the file.
func (m Machine) serviceOf(label, plist string) Service {
	dir := filepath.Dir(plist)
	return Service{Label: label, Plist: plist, Daemon: dir == m.Daemons, Shared: dir == m.allAgents()}
}

// userOf is the user for whom launchd loads the service: root has no agents, but for the
// one who has typed sudo.
func (m Machine) userOf(s Service) int {
	if m.UID == 0 && s.Shared {
		return m.Sudo
	}
	return m.UID
}

// ask looks for all of them in parallel, and for each in one domain after the other
// until it is found.
func (m Machine) ask(ctx context.Context, candidates []Service) []sighting {
	found := make([][]sighting, len(candidates))
	var wg sync.WaitGroup
	for i, c := range candidates {
		wg.Go(func() {
			for _, d := range launchctl.DomainsFor(m.userOf(c), c.Daemon) {
				s := sighting{Service: c, target: launchctl.Target{Domain: d, Label: c.Label}}
				s.job, s.err = m.print(ctx, s.target)
				found[i] = append(found[i], s)
				if s.loaded() || !s.absent() { // one that did not answer is not asked again
					return
				}
			}
		})
	}
	wg.Wait()
	var all []sighting
	for _, some := range found {
		all = append(all, some...)
	}
	return all
}

// found is the result of all sightings.
type found struct {
	best  *sighting // the job meant
	rival *sighting // another one that is loaded
	// unclear says why launchd did not answer a question.
	unclear error
}

// sift picks the loaded job, a running one first, as Homebrew does. If two want the
// same port, one does not stay up.
func sift(all []sighting) (found, error) {
	var f found
	for i := range all {
		s := &all[i]
		switch {
		case errors.Is(s.err, launchctl.ErrNoTool):
			e := Fail("no-launchctl", "", "this machine has no launchctl: %w", s.err)
			e.Ending = NothingHere
			return found{}, e
		case !s.loaded() && !s.absent():
			f.unclear = s.err
		case !s.loaded():
		case f.best == nil:
			f.best = s
		case s.steadiness() > f.best.steadiness():
			f.best, f.rival = s, f.best
		default:
			f.rival = s
		}
	}
	return f, nil
}

// domainsOf are the domains that launchd has for a service: perhaps nobody is logged in
// at the screen.
func domainsOf(plist string, all []sighting) []launchctl.Domain {
	var domains []launchctl.Domain
	for _, s := range all {
		if s.Plist == plist && !errors.Is(s.err, launchctl.ErrNoDomain) {
			domains = append(domains, s.target.Domain)
		}
	}
	return domains
}

// service is the one that was found loaded.
func (f found) service() Service {
	s := f.best.candidate().Service
	if f.rival != nil {
		s.Rival = &Rival{Target: f.rival.target}
		shared := samePath(f.rival.Plist, s.Plist) || samePath(f.rival.Plist, f.best.Plist)
		if IsThere(f.rival.Plist) && !shared {
			s.Rival.Plist = f.rival.Plist
		}
	}
	return s
}

// print asks launchd for one job, and refuses an answer with our variable in it twice.
func (m Machine) print(ctx context.Context, t launchctl.Target) (launchctl.Job, error) {
	job, err := m.Launchd.Print(ctx, t)
	if err == nil && slices.Contains(job.Doubled, ollama.Variable) {
		err = fmt.Errorf("printing %s: %w: %s is there twice", t, launchctl.ErrFormat, ollama.Variable)
	}
	return job, err
}

// job asks launchd for one job.
func (m Machine) job(ctx context.Context, t launchctl.Target) Job {
	job, err := m.print(ctx, t)
	switch {
	case errors.Is(err, launchctl.ErrNotLoaded):
		return Job{}
	case err != nil:
		return Job{Err: err}
	}
	return Job{Job: job, Loaded: true}
}

// PlistLayer is the layer of the plist. OldPlistLayer is one that the service had before
// it got another: launchd would load it at the next login.
const (
	PlistLayer    = "plist"
	OldPlistLayer = "plist-old"
)

func readPlist(path string) Setting {
	f, err := backup.Read(path)
	if err != nil {
		return Setting{Layer: PlistLayer, File: backup.File{Path: path}, Err: err}
	}
	return parsePlist(f)
}

func parsePlist(f backup.File) Setting {
	one := Setting{Layer: PlistLayer, File: f}
	if f.Absent {
		one.Err = fs.ErrNotExist
		return one
	}
	one.Agent, one.Err = plistfix.Decode(f.Data)
	one.Value = lookup(one.Agent.EnvironmentVariables)
	return one
}

func judgePlist(one Setting, g Goal) (LayerState, string) {
	switch {
	case errors.Is(one.Err, fs.ErrNotExist):
		return Missing, "the file is gone"
	case one.Err != nil:
		return Unknown, one.Err.Error()
	}
	return judgeValue(g.Value, one.Value)
}

func setPlist(one Setting, value *string) (*backup.Change, error) {
	if one.Err == nil && Equivalent(one.Value, value) {
		return nil, nil
	}
	var after []byte
	var err error
	if value == nil {
		after, err = plistfix.UnsetEnv(one.File.Data, ollama.Variable)
	} else {
		after, err = plistfix.SetEnv(one.File.Data, ollama.Variable, *value)
	}
	if err != nil {
		return nil, Fail("plist-refused", one.File.Path, "editing %s: %w", one.File.Path, err)
	}
	return &backup.Change{Layer: PlistLayer, File: one.File, After: after, Mode: one.File.Mode}, nil
}

// AtLogin reports whether launchd loads the plist at login. It does not for a job
// loaded from elsewhere, as by `brew services run` from the keg.
func (s State) AtLogin(m Machine) bool {
	dir := Resolved(filepath.Dir(s.Service.Plist))
	return dir == Resolved(m.agents()) || dir == Resolved(m.allAgents()) || dir == Resolved(m.Daemons)
}

// allAgents is the folder of LaunchAgents for all users, next to that of the daemons.
func (m Machine) allAgents() string { return filepath.Join(filepath.Dir(m.Daemons), "LaunchAgents") }

// agents is the user's folder of LaunchAgents.
func (m Machine) agents() string { return filepath.Join(m.Home, "Library", "LaunchAgents") }

// OtherPlist reports whether launchd loaded the job from another file.
func (s State) OtherPlist() bool {
	return s.Service.Loaded && !samePath(s.Job.Path, s.Service.Plist)
}

// samePath compares paths that launchd may have resolved. An unknown path counts as the
// same.
func samePath(a, b string) bool { return a == "" || Resolved(a) == Resolved(b) }

func Resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

func IsThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// byLaunchd is what the kinds that launchd runs have in common.
type byLaunchd struct{}

func (byLaunchd) Job(ctx context.Context, m Machine, s Service) Job {
	if s.Loaded {
		return m.job(ctx, s.Target)
	}
	for _, seen := range m.ask(ctx, []Service{s}) {
		if seen.loaded() {
			return seen.candidate().job
		}
	}
	return Job{}
}

func (byLaunchd) left(Machine) Service { return Service{} }

func (byLaunchd) WritesFiles() bool { return true }

// adopted is the job of a listener, if it has no file in the known places.
func (m Machine) adopted(ctx context.Context, s *State, ours func(label string) bool) (candidate, bool) {
	if s.labels == nil {
		s.labels, _ = m.Launchd.Running(ctx) // other domains cannot be listed
	}
	listener := s.Socket.Listeners[0].PID
	for pid, label := range s.labels {
		// A terminal is a launchd job, but what runs in it is not its service.
		if !ours(label) || strings.HasPrefix(label, "application.") || !s.startedBy(listener, pid) {
			continue
		}
		for _, seen := range m.ask(ctx, []Service{{Label: label}}) {
			c := seen.candidate()
			if seen.loaded() && (pid == listener || commandOf(readPlist(c.Plist).Agent).serves()) {
				return c, true
			}
		}
	}
	return candidate{}, false
}

func (byLaunchd) mayHold(_ Machine, r backup.Receipt, f backup.Saved) bool {
	return (f.Layer == PlistLayer || f.Layer == OldPlistLayer) &&
		(filepath.Ext(f.Path) == ".plist" || r.Label != "" && readPlist(f.Path).Agent.Label == r.Label)
}
