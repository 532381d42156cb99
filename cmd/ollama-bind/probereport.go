package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/container"
)

// probeReport is what probe has to say, as data.
type probeReport struct {
	SchemaVersion int           `json:"schema_version"`
	Command       string        `json:"command"`
	OK            bool          `json:"ok"`
	Verdict       *string       `json:"verdict"`
	Targets       []probeTarget `json:"targets"`
	Runtimes      []runtimeRow  `json:"runtimes"`
	Warnings      []warning     `json:"warnings"`
	Error         *errorObject  `json:"error"`
}

type runtimeRow struct {
	Tool    string `json:"tool"`
	Product string `json:"product"`
	Context string `json:"context"`
	Version string `json:"version"`
	// Rootless is set where the engine runs without root, and so in a network
	// of its own.
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

	Source  string       `json:"source"`
	Address string       `json:"address"`
	Detail  string       `json:"detail"`
	Verdict *string      `json:"verdict"`
	Cause   string       `json:"cause"`
	Summary string       `json:"summary"`
	Right   *string      `json:"right_url"`
	Fix     string       `json:"fix"`
	Proxy   *proxyRow    `json:"proxy"`
	Hosts   []hostRow    `json:"hosts"`
	Tool    string       `json:"tool"`
	Image   string       `json:"image"`
	Error   *errorObject `json:"error"`
}

type proxyRow struct {
	Variable string  `json:"variable"`
	Proxy    string  `json:"proxy"`
	Result   *string `json:"result"`
}

// hostRow is what the container gets by one name of the host.
type hostRow struct {
	Host     string   `json:"host"`
	Address  string   `json:"address"`
	Loopback sightRow `json:"loopback"`
	Wildcard sightRow `json:"wildcard"`
	Ollama   string   `json:"ollama"`
}

type sightRow struct {
	Result string `json:"result"`
	Peer   string `json:"peer"`
}

func newProbeReport(t teller, result container.Report, err error) probeReport {
	r := probeReport{
		SchemaVersion: schemaVersion,
		Command:       "probe",
		Targets:       []probeTarget{},
		Runtimes:      []runtimeRow{},
		Warnings:      []warning{},
	}
	for _, rt := range result.Runtimes {
		r.Runtimes = append(r.Runtimes, newRuntimeRow(rt))
	}
	for _, target := range result.Targets {
		r.Targets = append(r.Targets, newProbeTarget(t, target))
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

func newRuntimeRow(rt container.Runtime) runtimeRow {
	return runtimeRow{rt.Tool, string(rt.Product), rt.Context, rt.Version, rt.Rootless}
}

func newProbeTarget(t teller, target container.Target) probeTarget {
	row := probeTarget{
		Container: target.Container.Name,
		Runtime:   target.Container.Runtime.Tool,
		URL:       target.URL,
		Result:    text(target.Answer.Result),
		Models:    target.Models,
		Source:    target.Source,
		Address:   target.Answer.Address,
		Detail:    target.Answer.Detail,
		Verdict:   text(target.Verdict),
		Cause:     target.Cause,
		Summary:   target.Summary,
		Right:     text(target.RightURL),
		Fix:       target.Fix,
		Hosts:     []hostRow{},
		Tool:      target.Tool,
		Image:     target.Image,
	}
	if target.Answer.Status != 0 {
		row.Status = &target.Answer.Status
	}
	if row.Models == nil {
		row.Models = []string{}
	}
	if p := target.Proxied; p != nil {
		row.Proxy = &proxyRow{p.Variable, p.Proxy, text(p.Answer.Result)}
	}
	for _, r := range target.Reaches {
		row.Hosts = append(row.Hosts, hostRow{
			r.Host, r.Address,
			sightRow{string(r.Loopback.Result), r.Loopback.Peer},
			sightRow{string(r.Wildcard.Result), r.Wildcard.Peer},
			string(r.Ollama.Result),
		})
	}
	if target.Err != nil {
		row.Error = newErrorObject(t, targetProblem(target))
		row.Summary, row.Fix = t.tilde(plainWords(target.Err.Error())), row.Error.Hint
	}
	return row
}

// text is nil for what is empty.
func text[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	plain := string(s)
	return &plain
}

// printProbe writes what was found. Why a container could not be asked is an error.
func (p program) printProbe(result container.Report) {
	for i, t := range slices.DeleteFunc(slices.Clone(result.Targets), func(t container.Target) bool { return t.Err != nil }) {
		if i > 0 {
			p.tell.printf("")
		}
		p.printTarget(t)
	}
}

// printUnasked says why containers could not be asked, but for the error that the
// program ends with.
func (p program) printUnasked(result container.Report, last error) {
	told := last
	for _, t := range result.Targets {
		if t.Err == nil || errors.Is(t.Err, context.Canceled) || errors.Is(t.Err, context.DeadlineExceeded) { // as all of it was
			continue
		}
		if err := targetProblem(t); err.Error() != told.Error() { // one container may have several URLs
			told = err
			p.tell.error(told)
		}
	}
}

// whoAsked names the container that a target is about, and its runtime.
func whoAsked(t container.Target) string {
	return fmt.Sprintf("%s (%s, %s)", t.Who(), t.Container.Runtime.Tool, t.Container.Runtime.Product)
}

func (p program) printTarget(t container.Target) {
	p.tell.printf("%s, asked with its %s", whoAsked(t), t.Tool)
	var rows []row
	for _, r := range t.Reaches {
		host := r.Host
		if r.Address != "" && r.Address != r.Host {
			host += " (" + r.Address + ")"
		}
		rows = append(rows, row{cells: []piece{{plain, host},
			seen(r.Loopback), seen(r.Wildcard), {resultMeaning(r.Ollama.Result), string(r.Ollama.Result)}}})
	}
	p.tell.table([]string{"", "loopback", "all interfaces", "Ollama"}, rows)
	if t.Source != "" {
		p.tell.rows([]row{{cells: []piece{{plain, t.Source}, {plain, t.URL}, {resultMeaning(t.Answer.Result), t.Answer.String()}}}})
	}
	if t.Proxied != nil {
		p.tell.rows([]row{rowOf(t.Proxied.Variable, t.Proxied.Proxy, cmp.Or(t.Proxied.Answer.String(), "not tried"))})
	}
	p.tell.line(0, piece{verdictMeaning(t.Verdict), string(t.Verdict) + ":"}, piece{plain, " " + p.tell.tilde(t.Summary)})
	if t.RightURL != "" {
		p.tell.paste("the right URL:  ", t.RightURL)
	}
	if t.Fix != "" {
		p.tell.paste("to cure it:     ", p.tell.tilde(t.Fix))
	}
}

func verdictMeaning(v container.Verdict) meaning {
	if v == container.Reachable {
		return good
	}
	return bad
}

func resultMeaning(r container.Result) meaning {
	if r == container.OK {
		return good
	}
	return bad
}

// seen is plain where nothing was: not every listener has to be reached.
func seen(s container.Sight) piece {
	p := piece{plain, string(s.Result)}
	if s.Result == container.OK {
		p.meaning = good
	}
	if s.Peer != "" {
		p.text += ", as " + s.Peer
	}
	return p
}
