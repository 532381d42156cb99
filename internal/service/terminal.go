package service

import (
	"context"
	"errors"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Terminal is the kind of an `ollama serve` that somebody has typed. Only they can
// start it again, so nothing of it is changed.
const Terminal = "terminal"

// ProcessLayer is what runs where launchd does not run it.
const ProcessLayer = "process"

type terminal struct{}

func (terminal) name() string { return Terminal }

func (terminal) find(context.Context, Machine, bool) ([]candidate, error) { return nil, nil }

// adopt takes a process that is nobody's, where there is no service: one beside it is
// what somebody may want to fix.
func (terminal) adopt(_ context.Context, _ Machine, s *State, found []candidate) (candidate, bool) {
	l := s.Socket.Listeners[0]
	job := launchctl.Job{PID: l.PID, Program: s.processes[l.PID].Program}
	if host, err := ollama.FromSocket(l.Address); err == nil { // what else it has in its environment is nobody's business
		job.Environment = map[string]string{ollama.Variable: host.String()}
	}
	return candidate{job: Job{Job: job, Loaded: true}}, len(found) == 0
}

func (terminal) job(_ context.Context, _ Machine, s Service) Job { return Job{Loaded: true} }

func (terminal) settings(context.Context, Machine, State) []Setting { return nil }

func (terminal) writesFiles() bool { return true }

func (terminal) parse(string, backup.File) Setting { return Setting{} }

func (terminal) judge(Setting, Goal) (LayerState, string) { return Skipped, "" }

func (terminal) judgeProcess(s State, g Goal) Layer {
	l := Layer{Name: ProcessLayer, Value: s.Job.Value()}
	l.State, l.Detail = judgeValue(g.Value, l.Value)
	return l
}

func (terminal) set(Setting, *string) (*backup.Change, error) { return nil, nil }

var errTyped = errors.New("somebody has typed it")

func (terminal) reload(context.Context, *transaction) (launchctl.Target, error) {
	return launchctl.Target{}, errTyped
}

func (terminal) unload(context.Context, *transaction) error { return errTyped }

func (terminal) steps(Plan) []string { return nil }

func (terminal) restore(context.Context, *transaction) error { return errTyped }

func (terminal) owns(backup.Receipt, Service) bool { return false }

func (terminal) mayHold(Machine, backup.Receipt, backup.Saved) bool { return false }
