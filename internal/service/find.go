package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
)

// Subject says which service is meant. The zero value is the one that is here.
type Subject struct {
	Plist string // the plist's path
	Label string // of the job, if the plist does not say
	Name  string // its kind, or its label
	// Fixed is a receipt of the one meant.
	Fixed *backup.Receipt
}

// candidate is an Ollama on this Mac.
type candidate struct {
	Service
	job Job
}

// port is where it listens, or would.
func (c candidate) port() int {
	if c.job.Loaded {
		return c.job.port()
	}
	return HostOf(readPlist(c.Plist).Value).Port
}

// SeveralServices is the ID of the error that it is unclear which service is meant.
const SeveralServices = "several-services"

// Several are services, any of which could be meant.
type Several []Service

func (s Several) Error() string { return "there are several services for Ollama" }

// find looks for the service that is meant. Without a name that is the one whose
// process listens on the port, otherwise the only one that runs or is loaded, otherwise
// the only one there is.
func (m Machine) find(ctx context.Context, subject Subject, port int) (s State, err error) {
	var all []candidate
	var wg sync.WaitGroup
	wg.Go(func() { all, err = m.candidates(ctx, subject) })
	wg.Go(func() { s.Socket = m.Listeners(ctx, port) })
	wg.Wait()
	if Is(err, "no-launchctl") {
		return s, err
	}
	best, all, chooseErr := m.choose(ctx, all, subject, &s)
	switch {
	case chooseErr != nil:
		return s, chooseErr
	case best == nil && err != nil:
		return s, err
	case best == nil:
		return s, m.nothingHere(subject)
	}
	s.Service, s.Job = best.Service, best.job
	s.Service.Others = rivals(*best, all)
	if subject.Name != "" {
		s.Service.Chosen = ByName
	}
	return s, nil
}

// ErrUnknownName: nothing here has the name that --service gives.
var ErrUnknownName = errors.New("no Ollama service of that name here")

func (m Machine) nothingHere(subject Subject) error {
	e := Fail(NoService, "", "no Ollama service here: no job of launchd's runs one")
	switch {
	case subject.Name != "":
		e = Fail(NoService, "", "%w: %s", ErrUnknownName, subject.Name)
	case homebrew.LacksOllama(m.Prefixes):
		e.Err = fmt.Errorf("%w; %w", e.Err, ErrNotInstalled)
	}
	e.Ending = NothingHere
	return e
}

// candidates lists all of them. The error is that of the kind that was looked for
// first.
func (m Machine) candidates(ctx context.Context, subject Subject) ([]candidate, error) {
	all, err := m.ofKinds(ctx, false)
	if !slices.ContainsFunc(all, candidate.runs) && subject.Plist == "" && !Is(err, "no-launchctl") {
		more, harderErr := m.ofKinds(ctx, true)
		all, err = append(all, more...), cmp.Or(err, harderErr)
		if subject == (Subject{}) {
			subject = m.fixedByName()
		}
	}
	if subject.Plist != "" {
		named, namedErr := m.named(ctx, subject)
		return append(named, all...), namedErr
	}
	if !slices.ContainsFunc(all, subject.means) && subject.Name != "" && err == nil {
		all = append(all, m.labelled(ctx, subject.Name)...)
	}
	return merged(all), err
}

// fixedByName is the plist of the last fix, which may be in an unusual place.
func (m Machine) fixedByName() Subject {
	fixes := m.standing()
	if len(fixes) == 0 {
		return Subject{}
	}
	known := m.propertyLists()
	for _, f := range fixes[0].Files {
		if f.Layer == PlistLayer && IsThere(f.Path) && !slices.Contains(known, f.Path) {
			return Subject{Plist: f.Path, Label: fixes[0].Label}
		}
	}
	return Subject{}
}

// labelled is a job without a file in the known places.
func (m Machine) labelled(ctx context.Context, label string) []candidate {
	for _, seen := range m.ask(ctx, []Service{{Label: label, Kind: kindOfJob(label)}, {Label: label, Kind: kindOfJob(label), Daemon: true}}) {
		if seen.loaded() {
			return []candidate{seen.candidate()}
		}
	}
	return nil
}

// runs reports whether launchd holds it, or could not be asked.
func (c candidate) runs() bool { return c.job.Loaded || c.job.Err != nil }

func (m Machine) ofKinds(ctx context.Context, harder bool) ([]candidate, error) {
	found, errs := make([][]candidate, len(kinds)), make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, k := range kinds {
		wg.Go(func() { found[i], errs[i] = k.find(ctx, m, harder) })
	}
	wg.Wait()
	var all []candidate
	for i, k := range kinds {
		for _, c := range found[i] {
			c.Kind = k
			all = append(all, c)
		}
	}
	for _, err := range errs {
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// means reports whether it may be the subject.
func (s Subject) means(c candidate) bool {
	switch {
	case s.Plist != "":
		return c.Chosen == ByPlist
	case s.Fixed != nil:
		return c.Kind.Owns(*s.Fixed, c.Service)
	case s.Name != "":
		return s.Name == c.Kind.Name() || s.Name == c.Label
	}
	return true
}

// merged keeps one of those that launchd loaded from the same file; a second file with
// the label is shadowed.
func merged(all []candidate) []candidate {
	var each []candidate
	for _, c := range all {
		same := func(other candidate) bool { return c.Loaded && other.Loaded && other.Target == c.Target }
		if !slices.ContainsFunc(each, same) {
			each = append(each, c)
		}
	}
	return each
}

// choose picks one of those that may be meant, and adds any others that it finds to
// all.
func (m Machine) choose(ctx context.Context, all []candidate, subject Subject, s *State) (*candidate, []candidate, error) {
	best, all := m.listening(ctx, all, subject, s)
	if best != nil {
		return best, all, nil
	}
	for _, fits := range []func(candidate) bool{
		func(c candidate) bool { return c.runs() && c.port() == s.Socket.Port },
		candidate.runs,
		func(candidate) bool { return true },
	} {
		some := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return !fits(c) || !subject.means(c) })
		if len(some) > 1 {
			some = m.fixedLast(some)
		}
		switch {
		case len(some) == 1:
			return &some[0], all, nil
		case len(some) > 1:
			var several Several
			for _, c := range some {
				several = append(several, c.Service)
			}
			return nil, all, &Error{ID: SeveralServices, Err: several}
		}
	}
	return nil, all, nil
}

// fixedLast is the one fixed last, if none is loaded.
func (m Machine) fixedLast(all []candidate) []candidate {
	if slices.ContainsFunc(all, candidate.runs) {
		return all
	}
	fixes := m.standing()
	for _, c := range all {
		if len(fixes) > 0 && c.Kind.Owns(fixes[0], c.Service) {
			return []candidate{c}
		}
	}
	return all
}

// rivals are others that are loaded and want the same port.
func rivals(best candidate, all []candidate) []Service {
	var others []Service
	for _, c := range all {
		if c.Loaded && c.Target != best.Target && c.port() == best.port() {
			others = append(others, c.Service)
		}
	}
	return others
}

// listening is the one that has the port: the listener is its process, or a child of
// it.
func (m Machine) listening(ctx context.Context, all []candidate, subject Subject, s *State) (*candidate, []candidate) {
	if len(s.Socket.Listeners) == 0 {
		return nil, all
	}
	listener := s.Socket.Listeners[0]
	has := func(c candidate) bool { return c.job.PID != 0 && s.startedBy(listener.PID, c.job.PID) }
	i := slices.IndexFunc(all, has)
	if i < 0 {
		s.processes, _ = m.Launchd.Processes(ctx) // without this, only a job's own process counts
		i = slices.IndexFunc(all, has)
	}
	for _, k := range kinds {
		if i >= 0 || !strings.EqualFold(listener.Command, "ollama") {
			break
		}
		if one, ok := k.adopt(ctx, m, s, all); ok {
			one.Kind, i = k, len(all)
			all = append(all, one)
		}
	}
	if i < 0 || !subject.means(all[i]) {
		return nil, all
	}
	return &all[i], all
}

// startedBy reports whether a process is another one, or a child of it, and so on.
func (s State) startedBy(pid, by int) bool {
	for range len(s.processes) + 1 {
		if pid == by {
			return true
		}
		p, known := s.processes[pid]
		if !known || p.Parent <= 1 {
			return false
		}
		pid = p.Parent
	}
	return false
}
