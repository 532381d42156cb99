package service

import (
	"context"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Terminal is the kind of an `ollama serve` in a shell. Only a person can start it
// again, so nothing about it is changed.
const Terminal = "terminal"

// ProcessLayer is what runs if launchd does not run it.
const ProcessLayer = "process"

type terminal struct{}

func (terminal) Name() string { return Terminal }

func (terminal) find(context.Context, Machine, bool) ([]candidate, error) { return nil, nil }

// adopt takes a process that belongs to no service, if there is none: a service beside
// it may be what the user wants to fix.
func (terminal) adopt(_ context.Context, _ Machine, s *State, found []candidate) (candidate, bool) {
	l := s.Socket.Listeners[0]
	job := launchctl.Job{PID: l.PID, Program: s.processes[l.PID].Program}
	if host, err := ollama.FromSocket(l.Address); err == nil { // the rest of its environment is private
		job.Environment = map[string]string{ollama.Variable: host.String()}
	}
	return candidate{job: Job{Job: job, Loaded: true}}, len(found) == 0
}

func (terminal) Job(_ context.Context, _ Machine, s Service) Job { return Job{Loaded: true} }

func (terminal) settings(context.Context, Machine, State) []Setting { return nil }

func (terminal) left(Machine) Service { return Service{} }

func (terminal) WritesFiles() bool { return true }

func (terminal) Parse(string, backup.File) Setting { return Setting{} }

func (terminal) judge(Setting, Goal) (LayerState, string) { return Skipped, "" }

func (terminal) judgeProcess(s State, g Goal) Layer {
	l := Layer{Name: ProcessLayer, Value: s.Job.Value()}
	l.State, l.Detail = judgeValue(g.Value, l.Value)
	return l
}

func (terminal) Set(Setting, *string) (*backup.Change, error) { return nil, nil }

func (terminal) Owns(backup.Receipt, Service) bool { return false }

func (terminal) mayHold(Machine, backup.Receipt, backup.Saved) bool { return false }
