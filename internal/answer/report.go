// Package answer is what commands say, as data: their JSON, and what their text is written
// from.
package answer

import (
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// schemaVersion is the version of the JSON objects. Fields are added, never
// renamed or removed.
const schemaVersion = 1

// Head begins every answer.
type Head struct {
	SchemaVersion int    `json:"schema_version"`
	Command       string `json:"command"`
	OK            bool   `json:"ok"`
}

// Report is what fix, status and rollback have to say, as data. The JSON form
// is an interface; the text form is printed from the same value.
type Report struct {
	Head
	Changed      bool          `json:"changed"`
	DryRun       bool          `json:"dry_run"`
	Want         *string       `json:"want"`
	Service      *Service      `json:"service"`
	Layers       []Layer       `json:"layers"`
	Diff         string        `json:"diff"`
	Steps        []string      `json:"steps,omitempty"`
	Backup       string        `json:"backup"`
	RolledBack   bool          `json:"rolled_back"`
	ContainerURL *string       `json:"container_url"`
	Drift        *advice.Drift `json:"drift,omitempty"`
	Trouble      *Advice       `json:"trouble,omitempty"` // why Ollama does not answer
	Advice       *Advice       `json:"advice"`            // on the first thing that is wrong
	Unset        bool          `json:"unset,omitempty"`
	Others       []Report      `json:"others,omitempty"` // of rollback --all: the services before
	Warnings     []Warning     `json:"warnings"`
	Error        *Error        `json:"error"`
}

// Warning is worth knowing, and no error.
type Warning struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// Warn is a warning.
func Warn(id, message string) Warning { return Warning{id, message} }

// Error is why a command failed.
type Error struct {
	ID      string   `json:"id"`
	Message string   `json:"message"`
	Hint    string   `json:"hint"`
	Log     []string `json:"log,omitempty"`
	LogFile string   `json:"log_file,omitempty"` // what was run
}

// Advice is what the error says to do.
func (o *Error) Advice() *Advice { return &Advice{o.ID, o.Message, o.Hint} }

// Service is the Ollama that the answer is about.
type Service struct {
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Label   string  `json:"label"`
	Plist   string  `json:"plist"`
	Bundle  *string `json:"bundle"`
	Version *string `json:"version"`
}

// Advice is something that is wrong, and what to do about it.
type Advice struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Layer adds to a row where it is.
type Layer struct {
	Name   string             `json:"name"`
	Value  *string            `json:"value"`
	Before *string            `json:"before"`
	State  service.LayerState `json:"state"`
	Detail string             `json:"detail"`
	*filePlace
	*jobPlace
	*processPlace
	*socketPlace
	Place string `json:"-"` // where it is, in words
	Was   string `json:"-"` // the value that changed, in words
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
	Listeners  []Listener `json:"listeners"`
	APIVersion *string    `json:"api_version"`
}

// Listener is a process that listens on the port.
type Listener struct {
	Address string `json:"address"`
	Family  string `json:"family"`
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// New describes state against goal. before is the state at the start of a
// command that changes things, or nil.
func New(command string, g service.Goal, s service.State, before *service.State) Report {
	r := Empty(command)
	r.Want = g.Value
	var then []service.Layer
	if before != nil {
		then = before.Layers(g)
	}
	for i, l := range s.Layers(g) {
		row := newLayer(l, s)
		if then != nil {
			row.Before, row.Was = then[i].Value, change(then[i], l.Value)
		}
		r.Layers = append(r.Layers, row)
	}
	if kind := s.Service.KindName(); kind != "" {
		r.Service = &Service{
			Kind:    kind,
			Name:    advice.Name(s),
			Label:   s.Service.Label,
			Plist:   s.Service.Plist,
			Bundle:  OrNull(s.Service.Bundle),
			Version: OrNull(s.Socket.APIVersion),
		}
	}
	if s.Reached(g) && !g.Host.Loopback() {
		r.ContainerURL = containerURL(g.Host)
	}
	return r
}

// Empty is a report about no service.
func Empty(command string) Report {
	return Report{Head: NewHead(command), Layers: []Layer{}, Warnings: []Warning{}}
}

// NewHead begins the answer of a command that has not succeeded yet.
func NewHead(command string) Head { return Head{SchemaVersion: schemaVersion, Command: command} }

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
func newLayer(l service.Layer, s service.State) Layer {
	row := Layer{Name: l.Name, Value: l.Value, State: l.State, Detail: l.Detail}
	switch l.Name {
	case service.JobLayer:
		row.jobPlace = &jobPlace{Label: &s.Service.Label}
		row.Place = s.Service.Label
		if s.Service.Loaded {
			row.Domain = OrNull(s.Service.Target.Domain)
			row.Place = s.Service.Target.String()
		}
		row.processPlace, row.Place = processOf(s, row.Place+", ")
	case service.ProcessLayer:
		row.processPlace, row.Place = processOf(s, "")
	case service.SocketLayer:
		row.socketPlace = &socketPlace{[]Listener{}, OrNull(s.Socket.APIVersion)}
		for _, one := range s.Socket.Listeners {
			row.Listeners = append(row.Listeners,
				Listener{one.Address, one.Family, one.PID, one.Command})
		}
		if s.Socket.APIVersion != "" {
			row.Place = "Ollama " + s.Socket.APIVersion + " answers"
		}
	default:
		row.filePlace = &filePlace{OrNull(l.Path)}
		row.Place = l.Path
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

// Shown is the value in words.
func (l Layer) Shown() string {
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

// OrNull is nil for an empty string.
func OrNull[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	plain := string(s)
	return &plain
}
