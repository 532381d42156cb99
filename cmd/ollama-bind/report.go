package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// schemaVersion is the version of the JSON objects. Fields are added, never
// renamed or removed.
const schemaVersion = 1

// report is what fix, status and rollback have to say, as data. The JSON form
// is an interface; the text form is printed from the same value.
type report struct {
	SchemaVersion int          `json:"schema_version"`
	Command       string       `json:"command"`
	OK            bool         `json:"ok"`
	Changed       bool         `json:"changed"`
	DryRun        bool         `json:"dry_run"`
	Want          *string      `json:"want"`
	Layers        []any        `json:"layers"`
	Diff          string       `json:"diff"`
	Steps         []string     `json:"steps,omitempty"`
	Backup        string       `json:"backup"`
	RolledBack    bool         `json:"rolled_back"`
	ContainerURL  *string      `json:"container_url"`
	Drift         *drift       `json:"drift,omitempty"`
	Trouble       *trouble     `json:"trouble,omitempty"`
	Unset         bool         `json:"unset,omitempty"`
	Warnings      []warning    `json:"warnings"`
	Error         *errorObject `json:"error"`
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
}

// drift is what has become of the last fix.
type drift struct {
	ID      string `json:"id"`
	Layer   string `json:"layer"`
	Message string `json:"message"`
	Repair  string `json:"repair"`
}

// trouble is why Ollama does not answer where it is wanted.
type trouble struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// layer is what every row has.
type layer struct {
	Name   string          `json:"name"`
	Value  *string         `json:"value"`
	Before *string         `json:"before"`
	State  bind.LayerState `json:"state"`
	Detail string          `json:"detail"`
	was    string          // the value that changed, in words
}

type fileLayer struct {
	layer
	Path *string `json:"path"`
}

type jobLayer struct {
	layer
	Domain *string `json:"domain"`
	Label  *string `json:"label"`
	PID    *int    `json:"pid"`
}

type socketLayer struct {
	layer
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
func newReport(command string, g bind.Goal, s bind.State, before *bind.State) report {
	r := report{
		SchemaVersion: schemaVersion,
		Command:       command,
		Want:          g.Value,
		Warnings:      []warning{},
		Layers:        []any{},
	}
	var then []bind.Layer
	if before != nil {
		then = before.Layers(g)
	}
	for i, l := range s.Layers(g) {
		row := layer{Name: l.Name, Value: l.Value, State: l.State, Detail: l.Detail}
		if then != nil {
			row.Before, row.was = then[i].Value, change(l.Name, then[i].Value, l.Value)
		}
		r.Layers = append(r.Layers, withPlace(row, s))
	}
	if s.Reached(g) && !g.Host.Loopback() {
		r.ContainerURL = containerURL(g.Host)
	}
	return r
}

// containerURL is where a container finds the host. The runtimes' name for it
// may lead to loopback, so it serves for a wildcard only.
func containerURL(h ollama.Host) *string {
	url := "http://" + h.Dial()
	if h.Wildcard() {
		url = fmt.Sprintf("http://host.docker.internal:%d", h.Port)
	}
	return &url
}

// change says what a value was, if it is another one now.
func change(layer string, from, to *string) string {
	switch {
	case from == nil && to == nil, from != nil && to != nil && *from == *to:
		return ""
	case from == nil && layer == bind.SocketLayer:
		return "nothing listened before"
	case from == nil:
		return "was not set"
	}
	return "was " + *from
}

// withPlace adds what a layer alone has: where it is.
func withPlace(l layer, s bind.State) any {
	switch l.Name {
	case bind.PlistLayer:
		return fileLayer{l, &s.Agent.Plist}
	case bind.JobLayer:
		return newJobLayer(l, s)
	case bind.SocketLayer:
		return newSocketLayer(l, s)
	}
	if s.EnvFile.File.Path == "" {
		return fileLayer{l, nil}
	}
	return fileLayer{l, &s.EnvFile.File.Path}
}

func newJobLayer(l layer, s bind.State) jobLayer {
	row := jobLayer{layer: l, Label: &s.Agent.Label}
	if s.Agent.Loaded {
		domain := string(s.Agent.Target.Domain)
		row.Domain = &domain
	}
	if s.Job.PID > 0 {
		row.PID = &s.Job.PID
	}
	return row
}

func newSocketLayer(l layer, s bind.State) socketLayer {
	row := socketLayer{layer: l, Listeners: []listener{}}
	for _, one := range s.Socket.Listeners {
		row.Listeners = append(row.Listeners, listener{one.Address, one.Family, one.PID, one.Command})
	}
	if s.Socket.APIVersion != "" {
		row.APIVersion = &s.Socket.APIVersion
	}
	return row
}

// errorReport is the report of a command that got nowhere.
func errorReport(command string, t teller, err error) any {
	switch command {
	case "doctor":
		return doctorReport{SchemaVersion: schemaVersion, Command: command, Checks: []checkRow{}, Warnings: []warning{}, Error: newErrorObject(t, err)}
	case "probe":
		return newProbeReport(t, container.Report{}, err)
	case "url":
		return urlReport{SchemaVersion: schemaVersion, Command: command, Warnings: []warning{}, Error: newErrorObject(t, err)}
	}
	return report{
		SchemaVersion: schemaVersion,
		Command:       command,
		Layers:        []any{},
		Warnings:      []warning{},
		Error:         newErrorObject(t, err),
	}
}

func newErrorObject(t teller, err error) *errorObject {
	var p *bind.Problem
	var usage *usageError
	o := &errorObject{ID: "failed", Message: t.tilde(plainWords(err.Error())), Hint: hintOf(err)}
	switch {
	case errors.As(err, &usage):
		o.ID = "usage"
	case errors.As(err, &p):
		o.ID, o.Log = p.ID, p.Log
	}
	return o
}

// marks show a layer's state at a glance.
var marks = map[bind.LayerState]mark{
	bind.OK:          markGood,
	bind.Differs:     markBad,
	bind.Missing:     markBad,
	bind.Skipped:     markNone,
	bind.Unsupported: markNone,
	bind.Unknown:     markUnknown,
}

// printRows writes one aligned row a layer: mark, name, value, what about it.
func (t teller) printRows(r report, s bind.State) {
	var rows []row
	for _, any := range r.Layers {
		switch l := any.(type) {
		case fileLayer:
			rows = append(rows, t.row(l.layer, setting(l.layer), deref(l.Path)))
		case jobLayer:
			rows = append(rows, t.row(l.layer, setting(l.layer), jobPlace(s)))
		case socketLayer:
			rows = append(rows, t.row(l.layer, t.orDash(l.Value), answering(l)))
		}
	}
	t.rows(rows)
}

func (t teller) row(l layer, value, place string) row {
	if l.State == bind.Skipped {
		value, place = string(bind.Skipped), ""
	}
	notes := slices.DeleteFunc([]string{place, l.Detail, l.was}, func(s string) bool { return s == "" })
	about := piece{plain, t.tilde(strings.Join(notes, ", "))}
	if m := marks[l.State].meaning; m == good || m == detail {
		about.meaning = detail
	}
	return row{marks[l.State], []piece{{plain, l.Name}, {plain, value}, about}}
}

func setting(l layer) string {
	if l.Value == nil {
		return ollama.Variable + " not set"
	}
	return ollama.Variable + "=" + *l.Value
}

func jobPlace(s bind.State) string {
	switch {
	case !s.Agent.Loaded:
		return s.Agent.Label
	case s.Job.PID == 0:
		return s.Agent.Target.String()
	}
	return fmt.Sprintf("%s, pid %d", s.Agent.Target, s.Job.PID)
}

func answering(l socketLayer) string {
	if l.APIVersion == nil {
		return ""
	}
	return "Ollama " + *l.APIVersion + " answers"
}

func (t teller) orDash(s *string) string {
	if s == nil {
		return t.screen.mark(markNone).text
	}
	return *s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
