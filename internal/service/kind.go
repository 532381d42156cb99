package service

import (
	"context"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// kind is a way in which a Mac runs Ollama. A new one is a file that fills this
// in, and a line in [kinds].
type kind interface {
	// name is what JSON and --service call the kind.
	name() string
	// find looks for services of the kind; harder for those that show nowhere, if
	// nothing else was found to run.
	find(ctx context.Context, m Machine, harder bool) ([]candidate, error)
	// adopt is the service of the kind to which a listener belongs that none of the
	// others has; found are those others.
	adopt(ctx context.Context, m Machine, s *State, found []candidate) (candidate, bool)
	// job is what runs of it now.
	job(ctx context.Context, m Machine, s Service) Job
	// settings reads the layers that are files, the lasting one first.
	settings(ctx context.Context, m Machine, s State) []Setting
	// writesFiles reports whether they can be written whatever runs. Otherwise
	// reload and restore do it, with what stands for their bytes.
	writesFiles() bool
	// parse reads a file as a setting of that layer.
	parse(layer string, f backup.File) Setting
	// judge says how a setting stands to the goal.
	judge(one Setting, g Goal) (LayerState, string)
	// judgeProcess says how what runs stands to the goal.
	judgeProcess(s State, g Goal) Layer
	// set is the change that brings the setting to the value, nil if none is
	// needed.
	set(one Setting, value *string) (*backup.Change, error)
	// reload tells the service to read its settings again, or starts it.
	reload(ctx context.Context, t *transaction) (launchctl.Target, error)
	// unload ends a service that a fix has started.
	unload(ctx context.Context, t *transaction) error
	// steps are the commands that reload and unload come to.
	steps(p Plan) []string
	// restore brings the service back to how the plan found it, settings apart.
	restore(ctx context.Context, t *transaction) error
	// owns reports whether a receipt speaks of a service of this kind and name.
	owns(r backup.Receipt, s Service) bool
	// mayHold reports whether a layer of the kind can have the file of a receipt.
	mayHold(m Machine, r backup.Receipt, f backup.Saved) bool
}

// kinds are all that there are, in the order in which they are looked for.
var kinds = []kind{brew{}, app{}, agent{}, terminal{}}

// kindOf is the kind of service that a receipt speaks of.
func kindOf(r backup.Receipt) kind {
	for _, k := range kinds {
		if k.owns(r, Service{Label: r.Label}) {
			return k
		}
	}
	return agent{}
}

// NoService is the ID of the error that there is no service here.
const NoService = "no-agent"
