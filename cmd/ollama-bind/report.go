//go:build !windows

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// schemaVersion is the version of the JSON objects. Fields are added, never
// renamed or removed.
const schemaVersion = 1

// head begins every answer.
type head struct {
	SchemaVersion int    `json:"schema_version"`
	Command       string `json:"command"`
	OK            bool   `json:"ok"`
}

// report is what fix, status and rollback have to say, as data. The JSON form
// is an interface; the text form is printed from the same value.
type report struct {
	head
	Changed      bool           `json:"changed"`
	DryRun       bool           `json:"dry_run"`
	Want         *string        `json:"want"`
	Service      *serviceObject `json:"service"`
	Layers       []layer        `json:"layers"`
	Diff         string         `json:"diff"`
	Steps        []string       `json:"steps,omitempty"`
	Backup       string         `json:"backup"`
	RolledBack   bool           `json:"rolled_back"`
	ContainerURL *string        `json:"container_url"`
	Drift        *drift         `json:"drift,omitempty"`
	Trouble      *adviceObject  `json:"trouble,omitempty"` // why Ollama does not answer
	Advice       *adviceObject  `json:"advice"`            // on the first thing that is wrong
	Unset        bool           `json:"unset,omitempty"`
	Others       []report       `json:"others,omitempty"` // of rollback --all: the services before
	Warnings     []warning      `json:"warnings"`
	Error        *errorObject   `json:"error"`
}

type warning struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

type errorObject struct {
	ID      string   `json:"id"`
	Message string   `json:"message"`
	Hint    string   `json:"hint"`
	Log     []string `json:"log,omitempty"`
	LogFile string   `json:"log_file,omitempty"` // what was run
}

func (o *errorObject) advice() *adviceObject { return &adviceObject{o.ID, o.Message, o.Hint} }

// drift is advice.Drift in JSON.
type drift struct {
	ID      string `json:"id"`
	Layer   string `json:"layer"`
	Message string `json:"message"`
	Repair  string `json:"repair"`
}

// serviceObject is the Ollama that the answer is about.
type serviceObject struct {
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Label   string  `json:"label"`
	Plist   string  `json:"plist"`
	Bundle  *string `json:"bundle"`
	Version *string `json:"version"`
}

// adviceObject is something that is wrong, and what to do about it.
type adviceObject struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func newAdvice(t teller, a *advice.Advice) *adviceObject {
	if a == nil {
		return nil
	}
	return &adviceObject{a.ID, t.tilde(plainWords(a.Message)), a.Hint}
}

// layer adds to a row where it is.
type layer struct {
	Name   string             `json:"name"`
	Value  *string            `json:"value"`
	Before *string            `json:"before"`
	State  service.LayerState `json:"state"`
	Detail string             `json:"detail"`
	*filePlace
	*jobPlace
	*processPlace
	*socketPlace
	place string // in words
	was   string // the value that changed, in words
}

type filePlace struct {
	Path *string `json:"path"`
}

type jobPlace struct {
	Domain *string `json:"domain"`
	Label  *string `json:"label"`
}

type processPlace struct {
	PID *int `json:"pid"`
}

type socketPlace struct {
	Listeners  []listener `json:"listeners"`
	APIVersion *string    `json:"api_version"`
}

type listener struct {
	Address string `json:"address"`
	Family  string `json:"family"`
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// newReport describes state against goal. before is the state at the start of a
// command that changes things, or nil.
func newReport(command string, g service.Goal, s service.State, before *service.State) report {
	r := emptyReport(command)
	r.Want = g.Value
	var then []service.Layer
	if before != nil {
		then = before.Layers(g)
	}
	for i, l := range s.Layers(g) {
		row := newLayer(l, s)
		if then != nil {
			row.Before, row.was = then[i].Value, change(then[i], l.Value)
		}
		r.Layers = append(r.Layers, row)
	}
	if kind := s.Service.KindName(); kind != "" {
		r.Service = &serviceObject{
			Kind:    kind,
			Name:    advice.Name(s),
			Label:   s.Service.Label,
			Plist:   s.Service.Plist,
			Bundle:  text(s.Service.Bundle),
			Version: text(s.Socket.APIVersion),
		}
	}
	if s.Reached(g) && !g.Host.Loopback() {
		r.ContainerURL = containerURL(g.Host)
	}
	return r
}

func emptyReport(command string) report {
	return report{head: newHead(command), Layers: []layer{}, Warnings: []warning{}}
}

func newHead(command string) head { return head{SchemaVersion: schemaVersion, Command: command} }

// containerURL is where a container finds the host. The runtimes' name for it
// may lead to loopback, so it serves for a wildcard only.
func containerURL(h ollama.Host) *string {
	url := "http://" + h.Dial()
	if h.Wildcard() {
		url = fmt.Sprintf("http://host.docker.internal:%d", h.Port)
	}
	return &url
}

// change says what a value was, if it has changed.
func change(before service.Layer, to *string) string {
	from := before.Value
	switch {
	case from == nil && to == nil, from != nil && to != nil && *from == *to:
		return ""
	case from == nil && before.Name != service.SocketLayer:
		return "was not set"
	case from == nil && before.State == service.Missing: // and not unknown
		return "nothing listened there before"
	case from == nil:
		return ""
	}
	return "was " + *from
}

// newLayer adds where the layer is.
func newLayer(l service.Layer, s service.State) layer {
	row := layer{Name: l.Name, Value: l.Value, State: l.State, Detail: l.Detail}
	switch l.Name {
	case service.JobLayer:
		row.jobPlace = &jobPlace{Label: &s.Service.Label}
		row.place = s.Service.Label
		if s.Service.Loaded {
			row.Domain = text(s.Service.Target.Domain)
			row.place = s.Service.Target.String()
		}
		row.processPlace, row.place = processOf(s, row.place+", ")
	case service.ProcessLayer:
		row.processPlace, row.place = processOf(s, "")
	case service.SocketLayer:
		row.socketPlace = &socketPlace{[]listener{}, text(s.Socket.APIVersion)}
		for _, one := range s.Socket.Listeners {
			row.Listeners = append(row.Listeners,
				listener{one.Address, one.Family, one.PID, one.Command})
		}
		if s.Socket.APIVersion != "" {
			row.place = "Ollama " + s.Socket.APIVersion + " answers"
		}
	default:
		row.filePlace = &filePlace{text(l.Path)}
		row.place = l.Path
	}
	return row
}

// processOf also gives the place in words.
func processOf(s service.State, place string) (*processPlace, string) {
	if pid := s.Job.PID; pid > 0 {
		return &processPlace{&pid}, fmt.Sprintf("%spid %d", place, pid)
	}
	return &processPlace{}, strings.TrimSuffix(place, ", ")
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
		return versionReport{newHead(command), builtFrom(), o}
	case "probe":
		return newProbeReport(t, container.Report{}, advice.Local{}, err)
	case "url":
		return urlReport{SchemaVersion: schemaVersion, Command: command, Warnings: []warning{}, Error: o}
	}
	r := emptyReport(command)
	r.Error = o
	if o.Hint != "" && o.ID != "usage" && command != "rollback" {
		r.Advice = o.advice()
	}
	return r
}

func newErrorObject(t teller, err error) *errorObject {
	var p *service.Error
	var usage *commandline.UsageError
	o := &errorObject{ID: "failed", Message: t.tilde(plainWords(t.log.Mask(err.Error())))}
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
func (t teller) about(r report) {
	if s := r.Service; s != nil {
		text := s.Name
		if s.Label != "" && !strings.Contains(s.Name, s.Label) {
			text += " (" + s.Label + ")"
		}
		t.out.Say(screen.Detail, "%s", t.tilde(text))
	}
}

// printRows writes one aligned row a layer: mark, name, value, what about it.
func (t teller) printRows(r report) {
	var rows []screen.Row
	for _, l := range r.Layers {
		value, place := l.shown(), l.place
		if l.State == service.Skipped {
			value, place = string(service.Skipped), ""
		}
		notes := []string{place, l.Detail, l.was}
		notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
		about := screen.Plain
		if m := marks[l.State].Meaning; m == screen.Good || m == screen.Detail {
			about = screen.Detail
		}
		rows = append(rows, screen.Row{Mark: marks[l.State], Cells: []screen.Piece{screen.Plain.Text(l.Name), screen.Plain.Text(value), about.Text(t.tilde(strings.Join(notes, ", ")))}})
	}
	t.out.Rows(rows)
}

// shown is the value in words.
func (l layer) shown() string {
	switch {
	case l.Name == service.SettingLayer && l.Value != nil:
		return *l.Value
	case l.Name == service.SettingLayer:
		return screen.None
	case l.socketPlace == nil && l.Value == nil:
		return ollama.Variable + " not set"
	case l.socketPlace == nil:
		return ollama.Variable + "=" + *l.Value
	case l.Value == nil:
		return screen.None
	}
	return *l.Value
}
