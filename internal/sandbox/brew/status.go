package brew

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/launchd"
)

// status is what launchctl told brew of the service under one label.
type status struct {
	label   string
	loaded  bool
	running bool
}

// domains are all that the job may be in; the first is where brew loads it. That ssh and
// sudo change the order is not modelled.
func (b *brew) domains() []string {
	return []string{fmt.Sprintf("gui/%d", b.UID), fmt.Sprintf("user/%d", b.UID)}
}

// find asks launchd for one label.
func (b *brew) find(label string) status {
	for _, d := range b.domains() {
		if a := b.launchctl("print", d+"/"+label); a.Code == 0 {
			return status{label, true, strings.Contains(a.Stdout, "pid = ")}
		}
	}
	a := b.launchctl("list", label)
	return status{label, a.Code == 0, strings.Contains(a.Stdout, `"PID" = `)}
}

func (b *brew) loaded(label string) bool { return b.find(label).loaded }

// status asks for every label that the service may have; one with a process counts
// before one without.
func (b *brew) status() status {
	best := status{label: b.Release.label()}
	for _, label := range b.Release.labels() {
		s := b.find(label)
		if s.running {
			return s
		}
		if s.loaded && !best.loaded {
			best = s
		}
	}
	return best
}

// plistLabel is "" where there is no plist, or none that can be read.
func plistLabel(path string) string {
	def, _ := launchd.ReadDefinition(path)
	return def.Label
}

// sourcePlist is the keg's copy that counts.
func (b *brew) sourcePlist() string {
	for _, label := range b.Release.labels() {
		if path := b.kegPlist(label); exists(path) {
			return path
		}
	}
	return b.kegPlist(b.Release.label())
}

// exists follows links, as Ruby does.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// destination is the plist that start writes.
func (b *brew) destination() string { return b.destinations()[0] }

// destinations are the plists that are the service's to brew.
func (b *brew) destinations() (paths []string) {
	for _, label := range b.Release.labels() {
		paths = append(paths, filepath.Join(b.Agents, label+".plist"))
	}
	return paths
}
