package answer

import (
	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/container"
)

// Probe is what probe has to say, as data.
type Probe struct {
	Head
	Verdict  *string   `json:"verdict"`
	Targets  []Target  `json:"targets"`
	Runtimes []Runtime `json:"runtimes"`
	Others   []Other   `json:"others"` // where no container names Ollama
	Warnings []Warning `json:"warnings"`
	Error    *Error    `json:"error"`
}

// Runtime is the engine that was asked, by the tool that talks to it.
type Runtime struct {
	Tool    string `json:"tool"`
	Product string `json:"product"`
	Context string `json:"context"`
	Version string `json:"version"`
	// Rootless: the engine runs without root, and so in a network of its own.
	Rootless bool `json:"rootless"`
}

// Target is one URL that a container uses. Its fields up to Models are
// those of the first schema.
type Target struct {
	Container string   `json:"container"`
	Runtime   string   `json:"runtime"`
	URL       string   `json:"url"`
	Result    *string  `json:"result"`
	Status    *int     `json:"status"`
	Models    []string `json:"models"`

	Source string `json:"source"`
	// Variable holds the URL; null if the container names no Ollama, or another URL was
	// asked for.
	Variable *string `json:"variable"`
	Address  string  `json:"address"`
	Detail   string  `json:"detail"`
	Verdict  *string `json:"verdict"`
	Cause    string  `json:"cause"`
	Summary  string  `json:"summary"`
	Right    *string `json:"right_url"`
	Fix      string  `json:"fix"`
	// Edit is what to write somewhere before the fix; null for nothing.
	Edit  *Edit  `json:"edit"`
	Proxy *Proxy `json:"proxy"`
	Hosts []Host `json:"hosts"`
	Tool  string `json:"tool"`
	Image string `json:"image"`
	Error *Error `json:"error"`
}

// Edit is what to write, and into what.
type Edit struct {
	Place string   `json:"place"`
	Lines []string `json:"lines"`
}

// Other is a running container that names no Ollama.
type Other struct {
	Container string `json:"container"`
	Command   string `json:"command"`
}

// Proxy is what the container would get by the proxy that is set for it.
type Proxy struct {
	Variable string  `json:"variable"`
	Proxy    string  `json:"proxy"`
	Result   *string `json:"result"`
}

// Host is what the container gets under one name of the host.
type Host struct {
	Host     string  `json:"host"`
	Address  string  `json:"address"`
	Loopback Reached `json:"loopback"`
	Wildcard Reached `json:"wildcard"`
	Ollama   string  `json:"ollama"`
}

// Reached is what became of a listener of ours; Peer is who was seen to ask.
type Reached struct {
	Result string `json:"result"`
	Peer   string `json:"peer"`
}

// Elsewhere is what has to be said first of an engine on another machine.
func Elsewhere(rt container.Runtime) []Warning {
	message := advice.Elsewhere(rt)
	if message == "" {
		return nil
	}
	return []Warning{{string(container.EngineElsewhere), message}}
}

// NewRuntime is the runtime without what we know besides.
func NewRuntime(rt container.Runtime) Runtime {
	return Runtime{rt.Tool, string(rt.Product), rt.Context, rt.Version, rt.Rootless}
}

// NewTarget is about a container that could be asked.
func NewTarget(u container.ClientURL, s container.Server, local advice.Local) Target {
	message, hint := advice.Container(u, s, local)
	row := Target{
		Container: u.Container.Name,
		Runtime:   u.Container.Runtime.Tool,
		URL:       u.URL,
		Result:    OrNull(u.Answer.Result),
		Models:    u.Models,
		Source:    u.Source,
		Address:   u.Answer.Address,
		Detail:    u.Answer.Detail,
		Verdict:   OrNull(u.Verdict),
		Cause:     string(u.Cause),
		Summary:   message,
		Right:     OrNull(u.RightURL),
		Fix:       hint,
		Hosts:     []Host{},
		Tool:      u.Tool,
		Image:     u.Image,
	}
	if u.Source != "--url" {
		row.Variable = OrNull(u.Source)
	}
	if c := advice.Change(u); len(c.Lines) > 0 {
		row.Edit = &Edit{c.Place, c.Lines}
	}
	if u.Answer.Status != 0 {
		row.Status = &u.Answer.Status
	}
	if row.Models == nil {
		row.Models = []string{}
	}
	if p := u.Proxied; p != nil {
		row.Proxy = &Proxy{p.Variable, p.Proxy, OrNull(p.Answer.Result)}
	}
	for _, h := range u.Hosts {
		row.Hosts = append(row.Hosts, Host{
			h.Host, h.Address,
			Reached{string(h.Loopback.Result), h.Loopback.Peer},
			Reached{string(h.Wildcard.Result), h.Wildcard.Peer},
			string(h.Ollama.Result),
		})
	}
	return row
}
