package service

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// Kind is a way in which a Mac runs Ollama. A new one is a file that implements this,
// and a line in [kinds].
type Kind interface {
	// Name is what JSON and --service call the kind.
	Name() string
	// find looks for services of the kind. With harder set, because nothing else was
	// found to run, it also looks for those that are well hidden.
	find(ctx context.Context, m Machine, harder bool) ([]candidate, error)
	// adopt returns the service of the kind behind a listener that belongs to none of
	// the others; found are those others.
	adopt(ctx context.Context, m Machine, s *State, found []candidate) (candidate, bool)
	// Job is what runs of it now.
	Job(ctx context.Context, m Machine, s Service) Job
	// left is the service of the kind where nothing runs, and no file of its job is there.
	left(m Machine) Service
	// settings reads the layers that are files, the lasting one first.
	settings(ctx context.Context, m Machine, s State) []Setting
	// WritesFiles reports whether they can be written while anything runs. Otherwise
	// the restart writes what stands in for their bytes.
	WritesFiles() bool
	// Parse reads a file as a setting of that layer.
	Parse(layer string, f backup.File) Setting
	// judge compares a setting with the goal.
	judge(one Setting, g Goal) (LayerState, string)
	// judgeProcess compares the running process with the goal.
	judgeProcess(s State, g Goal) Layer
	// Set is the change that gives the setting the value, nil if none is needed.
	Set(one Setting, value *string) (*backup.Change, error)
	// Owns reports whether a receipt is about this service.
	Owns(r backup.Receipt, s Service) bool
	// mayHold reports whether a receipt's file can be that layer.
	mayHold(m Machine, r backup.Receipt, f backup.Saved) bool
}

// kinds lists all of them, in the order of the search.
var kinds = []Kind{brew{}, app{}, agent{}, terminal{}}

// KindOf is the kind of service that a receipt is about.
func KindOf(r backup.Receipt) Kind {
	for _, k := range kinds {
		if k.Owns(r, Service{Label: r.Label}) {
			return k
		}
	}
	return agent{}
}

// kindOfJob is the kind of a launchd job.
func kindOfJob(label string) Kind { return KindOf(backup.Receipt{Label: label}) }

// NoService is the ID of the error that there is no service here.
const NoService = "no-agent"

// MayHold reports whether that layer may be at the file's path: where the program would
// look for it now, or evidently did.
func (m Machine) MayHold(r backup.Receipt, f backup.Saved) bool {
	return filepath.IsAbs(f.Path) && slices.ContainsFunc(kinds, func(k Kind) bool { return k.mayHold(m, r, f) })
}
