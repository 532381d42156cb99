package service

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
)

// Agent is the kind of a launchd job that somebody wrote by hand.
const Agent = "agent"

type agent struct{ byLaunchd }

func (agent) name() string { return Agent }

func (agent) find(ctx context.Context, m Machine, subject Subject) (Service, Job, error) {
	if subject.Plist == "" {
		return Service{}, Job{}, nil
	}
	return m.findNamed(ctx, subject, func(label string) bool { return !homebrew.IsLabel(label) })
}

// findNamed looks for the job of one property list, if its label is one of the
// kind's. A list that cannot be understood has no label; that is reported when it
// is read for its own sake.
func (m Machine) findNamed(ctx context.Context, subject Subject, ours func(label string) bool) (Service, Job, error) {
	path, err := filepath.Abs(backup.Clean(subject.Plist))
	if err != nil {
		return Service{}, Job{}, err
	}
	s := Service{Label: readPlist(path).Agent.Label, Plist: path, Daemon: filepath.Dir(path) == m.Daemons, Chosen: true}
	if s.Label == "" {
		s.Label = subject.Label
	}
	if !ours(s.Label) {
		return Service{}, Job{}, nil
	}
	if s.Label == "" {
		return s, Job{}, nil
	}
	all := m.ask(ctx, []Service{s})
	f, err := sift(all)
	if err != nil || f.best == nil {
		s.Domains = domainsOf(s.Plist, all)
		return s, Job{Err: f.unclear}, err
	}
	s.Loaded, s.Target = true, f.best.target
	return s, Job{Job: f.best.job, Loaded: true}, nil
}

func (agent) settings(_ Machine, s State) []Setting {
	return []Setting{readPlist(s.Service.Plist)}
}

func (agent) parse(_ string, f backup.File) Setting { return parsePlist(f) }

func (agent) judge(one Setting, g Goal) (LayerState, string) { return judgePlist(one, g) }

func (agent) set(one Setting, value *string) (*backup.Change, error) { return setPlist(one, value) }

func (agent) owns(r backup.Receipt, s Service) bool { return r.Label == s.Label }

// notOllama reports whether it is plain that a job runs something else: none of
// its arguments names Ollama, and none is a script that does.
func notOllama(args []string) bool {
	return len(args) > 0 && !slices.ContainsFunc(args, namesOllama)
}

func namesOllama(arg string) bool {
	if strings.Contains(strings.ToLower(arg), "ollama") {
		return true
	}
	if !filepath.IsAbs(arg) {
		return false
	}
	f, err := backup.Read(arg)
	return err == nil && bytes.Contains(bytes.ToLower(f.Data), []byte("ollama"))
}
