//go:build !windows

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// probeReport is what probe has to say, as data.
type probeReport struct {
	SchemaVersion int           `json:"schema_version"`
	Command       string        `json:"command"`
	OK            bool          `json:"ok"`
	Verdict       *string       `json:"verdict"`
	Targets       []probeTarget `json:"targets"`
	Runtimes      []runtimeRow  `json:"runtimes"`
	Others        []otherRow    `json:"others"` // where no container names Ollama
	Warnings      []warning     `json:"warnings"`
	Error         *errorObject  `json:"error"`
}

type runtimeRow struct {
	Tool    string `json:"tool"`
	Product string `json:"product"`
	Context string `json:"context"`
	Version string `json:"version"`
	// Rootless: the engine runs without root, and so in a network of its own.
	Rootless bool `json:"rootless"`
}

// probeTarget is one URL that a container uses. Its fields up to Models are
// those of the first schema.
type probeTarget struct {
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
	Edit  *editRow     `json:"edit"`
	Proxy *proxyRow    `json:"proxy"`
	Hosts []hostRow    `json:"hosts"`
	Tool  string       `json:"tool"`
	Image string       `json:"image"`
	Error *errorObject `json:"error"`
}

type editRow struct {
	Place string   `json:"place"`
	Lines []string `json:"lines"`
}

// otherRow is a running container that names no Ollama.
type otherRow struct {
	Container string `json:"container"`
	Command   string `json:"command"`
}

type proxyRow struct {
	Variable string  `json:"variable"`
	Proxy    string  `json:"proxy"`
	Result   *string `json:"result"`
}

// hostRow is what the container gets under one name of the host.
type hostRow struct {
	Host     string      `json:"host"`
	Address  string      `json:"address"`
	Loopback listenerRow `json:"loopback"`
	Wildcard listenerRow `json:"wildcard"`
	Ollama   string      `json:"ollama"`
}

type listenerRow struct {
	Result string `json:"result"`
	Peer   string `json:"peer"`
}

func newProbeReport(t teller, result container.Report, local advice.Local, err error) probeReport {
	r := probeReport{
		SchemaVersion: schemaVersion,
		Command:       "probe",
		Targets:       []probeTarget{},
		Runtimes:      []runtimeRow{},
		Others:        []otherRow{},
		Warnings:      []warning{},
	}
	for _, rt := range result.Runtimes {
		r.Runtimes = append(r.Runtimes, newRuntimeRow(rt))
	}
	for _, c := range result.Others {
		r.Others = append(r.Others, otherRow{c.Name, name + " probe " + shell.Quote(c.Name)})
	}
	if rt := asked(result); rt != nil {
		r.Warnings = append(r.Warnings, engineElsewhere(*rt)...)
	}
	for _, u := range result.URLs {
		r.Targets = append(r.Targets, newProbeTarget(t, u, result.Server, local))
	}
	if err == nil || !isCutShort(err) {
		r.Verdict = text(result.Worst())
	}
	if err != nil {
		r.Error = newErrorObject(t, err)
	}
	r.OK = err == nil && r.Verdict != nil && *r.Verdict == string(container.Reachable)
	return r
}

// asked is the runtime that was asked, or nil.
func asked(result container.Report) *container.Runtime {
	switch {
	case len(result.URLs) > 0:
		return &result.URLs[0].Container.Runtime
	case len(result.Runtimes) > 0:
		return &result.Runtimes[0]
	}
	return nil
}

// engineElsewhere is what has to be said first of an engine on another machine.
func engineElsewhere(rt container.Runtime) []warning {
	message := advice.Elsewhere(rt)
	if message == "" {
		return nil
	}
	return []warning{{string(container.EngineElsewhere), message}}
}

func newRuntimeRow(rt container.Runtime) runtimeRow {
	return runtimeRow{rt.Tool, string(rt.Product), rt.Context, rt.Version, rt.Rootless}
}

func newProbeTarget(t teller, u container.ClientURL, s container.Server, local advice.Local) probeTarget {
	message, hint := advice.Container(u, s, local)
	row := probeTarget{
		Container: u.Container.Name,
		Runtime:   u.Container.Runtime.Tool,
		URL:       u.URL,
		Result:    text(u.Answer.Result),
		Models:    u.Models,
		Source:    u.Source,
		Address:   u.Answer.Address,
		Detail:    u.Answer.Detail,
		Verdict:   text(u.Verdict),
		Cause:     string(u.Cause),
		Summary:   message,
		Right:     text(u.RightURL),
		Fix:       hint,
		Hosts:     []hostRow{},
		Tool:      u.Tool,
		Image:     u.Image,
	}
	if u.Source != "--url" {
		row.Variable = text(u.Source)
	}
	if c := advice.Change(u); len(c.Lines) > 0 {
		row.Edit = &editRow{c.Place, c.Lines}
	}
	if u.Answer.Status != 0 {
		row.Status = &u.Answer.Status
	}
	if row.Models == nil {
		row.Models = []string{}
	}
	if p := u.Proxied; p != nil {
		row.Proxy = &proxyRow{p.Variable, p.Proxy, text(p.Answer.Result)}
	}
	for _, h := range u.Hosts {
		row.Hosts = append(row.Hosts, hostRow{
			h.Host, h.Address,
			listenerRow{string(h.Loopback.Result), h.Loopback.Peer},
			listenerRow{string(h.Wildcard.Result), h.Wildcard.Peer},
			string(h.Ollama.Result),
		})
	}
	if u.Err != nil {
		row.Error = newErrorObject(t, urlProblem(u))
		row.Summary, row.Fix = t.tilde(plainWords(u.Err.Error())), row.Error.Hint
	}
	return row
}

// text is nil for an empty string.
func text[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	plain := string(s)
	return &plain
}

// printProbe writes what was found. Why a container could not be asked is an error.
func (p program) printProbe(result container.Report, local advice.Local, warnings []warning) {
	for _, w := range warnings {
		p.tell.printf("%s", w.Message)
	}
	for i, u := range slices.DeleteFunc(slices.Clone(result.URLs), func(u container.ClientURL) bool { return u.Err != nil }) {
		if i > 0 {
			p.tell.printf("")
		}
		p.printTarget(u, result.Server, local)
	}
	if len(result.Others) == 0 {
		return
	}
	p.tell.printf("")
	p.tell.printf("no running container names Ollama in its environment; to ask one of those that run:")
	for _, c := range result.Others {
		p.tell.paste("  ", name+" probe "+shell.Quote(c.Name))
	}
}

// printUnasked says why containers could not be asked, except for the error that ends
// the program.
func (p program) printUnasked(result container.Report, last error) {
	told := last
	for _, u := range result.URLs {
		if u.Err == nil || errors.Is(u.Err, context.Canceled) || errors.Is(u.Err, context.DeadlineExceeded) { // as all of it was
			continue
		}
		if err := urlProblem(u); err.Error() != told.Error() { // one container may have several URLs
			told = err
			p.tell.error(told)
		}
	}
}

// whoAsked names the container that a URL is about, and its runtime.
func whoAsked(u container.ClientURL) string {
	return fmt.Sprintf("%s (%s, %s)", advice.ContainerName(u), u.Container.Runtime.Tool, u.Container.Runtime.Product)
}

func (p program) printTarget(u container.ClientURL, s container.Server, local advice.Local) {
	p.tell.printf("%s, asked with its %s", whoAsked(u), u.Tool)
	rows := []screen.Row{{Cells: []screen.Piece{screen.Plain.Text(" "), screen.Detail.Text("loopback"), screen.Detail.Text("all interfaces"), screen.Detail.Text("Ollama")}}}
	for _, h := range u.Hosts {
		host := h.Host
		if h.Address != "" && h.Address != h.Host {
			host += " (" + h.Address + ")"
		}
		rows = append(rows, screen.Row{Cells: []screen.Piece{screen.Plain.Text(host),
			seen(h.Loopback), seen(h.Wildcard), resultMeaning(h.Ollama.Result).Text(string(h.Ollama.Result))}})
	}
	p.tell.out.Rows(rows)
	if u.Source != "" {
		p.tell.out.Rows([]screen.Row{{Cells: []screen.Piece{screen.Plain.Text(u.Source), screen.Plain.Text(u.URL), resultMeaning(u.Answer.Result).Text(u.Answer.String())}}})
	}
	if u.Proxied != nil {
		answer := cmp.Or(u.Proxied.Answer.String(), "not tried")
		p.tell.out.Rows([]screen.Row{{Cells: []screen.Piece{screen.Plain.Text(u.Proxied.Variable), screen.Plain.Text(u.Proxied.Proxy), screen.Plain.Text(answer)}}})
	}
	message, hint := advice.Container(u, s, local)
	p.tell.out.Line(verdictMeaning(u.Verdict).Text(string(u.Verdict)+":"), screen.Plain.Text(" "+p.tell.tilde(message)))
	if u.RightURL != "" {
		p.tell.paste("the right URL:  ", u.RightURL)
	}
	if change := advice.Change(u); len(change.Lines) > 0 {
		p.tell.paste("to write:       ", "into "+p.tell.tilde(change.Place))
		for _, line := range change.Lines {
			p.tell.paste("    ", line)
		}
	}
	if hint != "" {
		p.tell.hint(hint)
	}
}

func verdictMeaning(v container.Verdict) screen.Meaning {
	if v == container.Reachable {
		return screen.Good
	}
	return screen.Bad
}

func resultMeaning(r container.Result) screen.Meaning {
	if r == container.OK {
		return screen.Good
	}
	return screen.Bad
}

// seen has no colour for a failure: not every listener has to be reached.
func seen(r container.ListenerResult) screen.Piece {
	m, text := screen.Plain, string(r.Result)
	if r.Result == container.OK {
		m = screen.Good
	}
	if r.Peer != "" {
		text += ", as " + r.Peer
	}
	return m.Text(text)
}
