package service

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// Kind is a way in which a Mac runs Ollama. A new one is a file that fills this
// in, and a line in [kinds].
type Kind interface {
	// Name is what JSON and --service call the kind.
	Name() string
	// find looks for services of the kind; harder for those that show nowhere, if
	// nothing else was found to run.
	find(ctx context.Context, m Machine, harder bool) ([]candidate, error)
	// adopt is the service of the kind to which a listener belongs that none of the
	// others has; found are those others.
	adopt(ctx context.Context, m Machine, s *State, found []candidate) (candidate, bool)
	// Job is what runs of it now.
	Job(ctx context.Context, m Machine, s Service) Job
	// left is the service of the kind where nothing runs, and no file of its job is there.
	left(m Machine) Service
	// settings reads the layers that are files, the lasting one first.
	settings(ctx context.Context, m Machine, s State) []Setting
	// WritesFiles reports whether they can be written whatever runs. Otherwise the
	// restart does it, with what stands for their bytes.
	WritesFiles() bool
	// Parse reads a file as a setting of that layer.
	Parse(layer string, f backup.File) Setting
	// judge says how a setting stands to the goal.
	judge(one Setting, g Goal) (LayerState, string)
	// judgeProcess says how what runs stands to the goal.
	judgeProcess(s State, g Goal) Layer
	// Set is the change that brings the setting to the value, nil if none is
	// needed.
	Set(one Setting, value *string) (*backup.Change, error)
	// Owns reports whether a receipt speaks of a service of this kind and name.
	Owns(r backup.Receipt, s Service) bool
	// mayHold reports whether a layer of the kind can have the file of a receipt.
	mayHold(m Machine, r backup.Receipt, f backup.Saved) bool
}

// kinds are all that there are, in the order in which they are looked for.
var kinds = []Kind{brew{}, app{}, agent{}, terminal{}}

// KindOf is the kind of service that a receipt speaks of.
func KindOf(r backup.Receipt) Kind {
	for _, k := range kinds {
		if k.Owns(r, Service{Label: r.Label}) {
			return k
		}
	}
	return agent{}
}

// NoService is the ID of the error that there is no service here.
const NoService = "no-agent"

// MayHold reports whether the file's path is one where that layer may be: where the
// program would look for it now, or where it can be seen that it did.
func (m Machine) MayHold(r backup.Receipt, f backup.Saved) bool {
	return filepath.IsAbs(f.Path) && slices.ContainsFunc(kinds, func(k Kind) bool { return k.mayHold(m, r, f) })
}
