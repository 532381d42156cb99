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
	// find looks for a service of the kind. A nil error with a service whose
	// Plist is "" means that there is none.
	find(ctx context.Context, m Machine, subject Subject) (Service, Job, error)
	// settings reads the layers that are files, the lasting one first.
	settings(m Machine, s State) []Setting
	// parse reads a file as a setting of that layer.
	parse(layer string, f backup.File) Setting
	// judge says how a setting stands to the goal.
	judge(one Setting, g Goal) (LayerState, string)
	// set is the change that brings the setting to the value, nil if none is
	// needed.
	set(one Setting, value *string) (*backup.Change, error)
	// reload tells the service to read its settings again, or starts it.
	reload(ctx context.Context, t *transaction) (launchctl.Target, error)
	// restore brings the service back to how the plan found it, settings apart.
	restore(ctx context.Context, t *transaction) error
	// owns reports whether a receipt speaks of a service of this kind and name.
	owns(r backup.Receipt, s Service) bool
}

// kinds are all that there are, in the order in which they are looked for.
var kinds = []kind{brew{}, agent{}}

// Subject says which service is meant. The zero value is the one that is here.
type Subject struct {
	Plist string // the property list's path
	Label string // of the job, where the property list does not tell
	kind  kind   // the only one that is meant, nil for any
}

// find looks for the service that is meant.
func (m Machine) find(ctx context.Context, subject Subject) (Service, Job, error) {
	var first error
	for _, k := range kinds {
		if subject.kind != nil && subject.kind != k {
			continue
		}
		s, job, err := k.find(ctx, m, subject)
		switch {
		case err == nil && s.Plist != "":
			s.kind = k
			return s, job, nil
		case err != nil && !Is(err, NoService):
			return Service{}, Job{}, err
		case err != nil && first == nil:
			first = err
		}
	}
	if first == nil {
		e := fail(NoService, "", "no service for Ollama here")
		e.Ending = NothingHere
		first = e
	}
	return Service{}, Job{}, first
}

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
