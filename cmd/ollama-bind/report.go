//go:build !windows

package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func newAdvice(t teller, a *advice.Advice) *answer.Advice {
	if a == nil {
		return nil
	}
	return &answer.Advice{ID: a.ID, Message: t.tilde(plainWords(a.Message)), Hint: a.Hint}
}

// errorReport is the report of a command that failed early.
func errorReport(command string, t teller, err error) any {
	o := newErrorObject(t, err)
	switch command {
	case "doctor":
		r := emptyDoctorReport()
		r.OK, r.Error = false, o
		return r
	case "version":
		return versionReport{answer.NewHead(command), builtFrom(), o}
	case "probe":
		return newProbeReport(t, container.Report{}, advice.Local{}, err)
	case "url":
		return urlReport{Head: answer.NewHead(command), Warnings: []answer.Warning{}, Error: o}
	}
	r := answer.Empty(command)
	r.Error = o
	if o.Hint != "" && o.ID != "usage" && command != "rollback" {
		r.Advice = o.Advice()
	}
	return r
}

func newErrorObject(t teller, err error) *answer.Error {
	var p *service.Error
	var usage *commandline.UsageError
	o := &answer.Error{ID: "failed", Message: t.tilde(plainWords(t.log.Mask(err.Error())))}
	switch {
	case errors.As(err, &usage):
		o.ID, o.Hint = "usage", usage.Hint
	case errors.As(err, &p):
		o.ID, o.Hint, o.Log = p.ID, p.Hint, p.Log
		o.LogFile = t.log.kept
	}
	return o
}

// marks show a layer's state.
var marks = map[service.LayerState]screen.Piece{
	service.OK:          screen.MarkGood,
	service.Differs:     screen.MarkBad,
	service.Missing:     screen.MarkBad,
	service.Skipped:     screen.MarkNone,
	service.Unsupported: screen.MarkNone,
	service.Unknown:     screen.MarkUnknown,
}

// about names the service that the answer is about.
func (t teller) about(r answer.Report) {
	if s := r.Service; s != nil {
		text := s.Name
		if s.Label != "" && !strings.Contains(s.Name, s.Label) {
			text += " (" + s.Label + ")"
		}
		t.out.Say(screen.Detail, "%s", t.tilde(text))
	}
}

// printRows writes one aligned row a layer: mark, name, value, what about it.
func (t teller) printRows(r answer.Report) {
	var rows []screen.Row
	for _, l := range r.Layers {
		value, place := l.Shown(), l.Place
		if l.State == service.Skipped {
			value, place = string(service.Skipped), ""
		}
		notes := []string{place, l.Detail, l.Was}
		notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
		about := screen.Plain
		if m := marks[l.State].Meaning; m == screen.Good || m == screen.Detail {
			about = screen.Detail
		}
		rows = append(rows, screen.Row{Mark: marks[l.State], Cells: []screen.Piece{screen.Plain.Text(l.Name), screen.Plain.Text(value), about.Text(t.tilde(strings.Join(notes, ", ")))}})
	}
	t.out.Rows(rows)
}
