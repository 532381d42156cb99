package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// toPaste is what stays whole in the reports below, however narrow the terminal.
var toPaste = []string{
	"ollama-bind fix --host 0.0.0.0:11500",
	"tail -n 20 ~/Library/Logs/ollama.log && ollama-bind status",
	"http://host.docker.internal:11500",
	"http://localhost:11500/v1",
}

func narrowStatus(p program) {
	value, was, where := "0.0.0.0:11500", "127.0.0.1:11500", "/Users/alice/Library/LaunchAgents/sh.brew.ollama.plist"
	p.printStatus(report{
		Want: &value,
		Layers: []any{
			fileLayer{layer{Name: bind.EnvFileLayer, State: bind.Missing, Detail: "no such file"}, &where},
			fileLayer{layer{Name: bind.PlistLayer, Value: &value, State: bind.OK, was: "was " + was}, &where},
			jobLayer{layer: layer{Name: bind.JobLayer, State: bind.Unknown, Detail: "launchctl print: stopped after 5s: no answer"}},
			socketLayer{layer: layer{Name: bind.SocketLayer, Value: &was, State: bind.Differs, Detail: "wanted: *:11500"}},
		},
		Trouble:      &trouble{"other-address", "the service listens on 127.0.0.1:11500, not on *:11500", toPaste[0]},
		Drift:        &drift{"regenerated", "plist", "Homebrew has written the LaunchAgent anew since the fix", toPaste[0]},
		ContainerURL: &toPaste[2],
		Warnings:     []warning{{"not-lasting", "this Homebrew ignores /Users/alice/.homebrew/services/ollama.env"}},
	}, bind.State{
		Agent: bind.Agent{Loaded: true, Target: launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"}},
		Job:   bind.Job{Job: launchctl.Job{PID: 6574}},
	})
}

func narrowDoctor(p program) {
	p.printDoctor(p.newDoctorReport([]doctor.Finding{
		{ID: "plist-permissions", Status: doctor.OK, Summary: "yours, and writable by nobody else"},
		{ID: "exposed-addresses", Status: doctor.Warn, Summary: "whoever reaches one of 2 addresses of this machine can use and change Ollama",
			Evidence: "en0 192.0.2.2, public IPv4\nen0 fd00::2, private"},
		{ID: "api-version", Status: doctor.Fail, Summary: "the service listens on 127.0.0.1:11500, but does not answer",
			Evidence: `Get "http://host.docker.internal:11500": dial tcp 127.0.0.1:11500: connect: connection refused` + "\n" +
				"/Users/alice/Library/LaunchAgents/a folder/sh.brew.ollama.plist",
			Fix: toPaste[1]},
		{ID: "container-runtime", Status: doctor.Skip, Summary: "no container runtime answers"},
	}, new(doctor.Case)))
}

func narrowProbe(p program) {
	web := container.Container{Name: "web", Runtime: container.Runtime{Tool: "docker", Product: container.DockerDesktop}}
	seen := container.Sight{Result: container.OK, Peer: "192.0.2.2"}
	unseen := container.Sight{Result: container.Refused}
	refused := container.Answer{Result: container.Refused, Detail: "curl: (7) Failed to connect to host.docker.internal port 11500 after 0 ms: Couldn't connect to server"}
	p.printProbe(container.Report{Targets: []container.Target{{
		Container: web, Source: "OLLAMA_BASE_URL", URL: toPaste[3], Answer: refused, Tool: "curl",
		Reaches: []container.Reach{
			{Host: "host.docker.internal", Address: "172.17.0.1", Loopback: unseen, Wildcard: seen, Ollama: refused},
			{Host: "172.17.0.1", Loopback: unseen, Wildcard: seen, Ollama: container.Answer{Result: container.OK}},
		},
		Proxied: &container.Proxied{Variable: "HTTP_PROXY", Proxy: "http://proxy:3128"},
		Diagnosis: container.Diagnosis{
			Verdict:  container.RebindNeeded,
			Summary:  "the container reaches this machine, but Ollama listens on 127.0.0.1 only",
			RightURL: toPaste[2],
			Fix:      toPaste[0],
		},
	}}})
}

// TestNarrowReports: however narrow the terminal, a report loses nothing, and does not
// stick out but for what gets pasted and for words that are too long by themselves.
func TestNarrowReports(t *testing.T) {
	for name, report := range map[string]func(program){"status": narrowStatus, "doctor": narrowDoctor, "probe": narrowProbe} {
		shown := func(width int) string {
			var out bytes.Buffer
			s := screen{width: width}
			report(program{tell: teller{out: &out, err: &out, screen: s, aside: s, home: "/Users/alice"}})
			return out.String()
		}
		unfolded := shown(0)
		for _, width := range []int{200, 120, 80, 60, 40, 20} {
			text := shown(width)
			if got, want := lettersOf(text), lettersOf(unfolded); got != want {
				t.Errorf("%s, %d columns:\n%s\nhas %s\nwant %s", name, width, text, got, want)
			}
			for _, whole := range toPaste {
				if strings.Count(text, whole) != strings.Count(unfolded, whole) {
					t.Errorf("%s, %d columns: %q is broken:\n%s", name, width, whole, text)
				}
			}
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if columns(line) > width && !mayStickOut(line) {
					t.Errorf("%s, %d columns: %d are taken: %q", name, width, columns(line), line)
				}
			}
		}
	}
}

func mayStickOut(line string) bool {
	return !strings.Contains(strings.TrimLeft(line, " ✓!✗–?"), " ") ||
		slices.ContainsFunc(toPaste, func(whole string) bool { return strings.Contains(line, whole) })
}

// lettersOf is all but white space, and but for the heads of a table, which stand
// before each column where columns stand below each other.
func lettersOf(text string) string {
	return strings.NewReplacer("loopback:", "", "allinterfaces:", "", "Ollama:", "", "loopbackallinterfacesOllama", "").Replace(squeeze(text))
}
