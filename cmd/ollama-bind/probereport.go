//go:build !windows

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

func newProbeReport(t teller, result container.Report, local advice.Local, err error) answer.Probe {
	r := answer.Probe{
		Head:     answer.NewHead("probe"),
		Targets:  []answer.Target{},
		Runtimes: []answer.Runtime{},
		Others:   []answer.Other{},
		Warnings: []answer.Warning{},
	}
	for _, rt := range result.Runtimes {
		r.Runtimes = append(r.Runtimes, answer.NewRuntime(rt))
	}
	for _, c := range result.Others {
		r.Others = append(r.Others, answer.Other{Container: c.Name, Command: name + " probe " + shell.Quote(c.Name)})
	}
	if rt := asked(result); rt != nil {
		r.Warnings = append(r.Warnings, answer.Elsewhere(*rt)...)
	}
	for _, u := range result.URLs {
		row := answer.NewTarget(u, result.Server, local)
		if u.Err != nil {
			row.Error = newErrorObject(t, urlProblem(u))
			row.Summary, row.Fix = t.tilde(plainWords(u.Err.Error())), row.Error.Hint
		}
		r.Targets = append(r.Targets, row)
	}
	if err == nil || !isCutShort(err) {
		r.Verdict = answer.OrNull(result.Worst())
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

// printProbe writes what was found. Why a container could not be asked is an error.
func (p program) printProbe(result container.Report, local advice.Local, warnings []answer.Warning) {
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
