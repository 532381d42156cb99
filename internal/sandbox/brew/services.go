package brew

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// services is brew services. Its order of looking, writing and calling launchctl is
// that of Homebrew.
func (b *brew) services(args []string) error {
	slices.Sort(args) // options stand where they like
	switch command := strings.Join(args, " "); command {
	case "ollama start":
		return b.start()
	case "ollama stop":
		return b.stop(false, maxWait)
	case "--keep ollama stop":
		return b.stop(true, maxWait)
	case "ollama restart":
		return b.restart()
	case "ollama run":
		return b.runService()
	case "cleanup":
		return b.cleanup()
	default:
		return fmt.Errorf("the sandbox has no `brew services` with %s", command)
	}
}

const (
	maxWait     = 60 // pauses
	waitForever = math.MaxInt
)

// isRunning says so if there is nothing to start or run. A job without a process does
// not count, unless its label is the other one of two.
func (b *brew) isRunning(word string) bool {
	s := b.status()
	label := b.Release.label()
	if !s.running && (s.label == label || !s.loaded) {
		return false
	}
	if s.label == label {
		b.say("Service `ollama` already %s, "+
			"use `brew services restart ollama` to restart.", word)
	} else {
		b.say("Service `ollama` is already loaded as `%s`; a service label migration "+
			"is pending. Use `brew services restart ollama` to migrate to `%s`.",
			s.label, label)
	}
	return true
}

func (b *brew) start() error {
	if b.isRunning("started") {
		return nil
	}
	if _, err := b.installed(); err != nil {
		return err
	}
	if err := b.installPlist(); err != nil {
		return err
	}
	return b.load(b.destination(), true)
}

// installPlist replaces the plist, and not atomically: in between there is none.
func (b *brew) installPlist() error {
	data, err := b.contents()
	if err != nil {
		return err
	}
	if err := removeExisting(b.destinations()); err != nil {
		return err
	}
	if err := os.MkdirAll(b.Agents, 0o755); err != nil {
		return err
	}
	return writeWithMode(b.destination(), data)
}

// contents is what start writes: the keg's copy as it is, or what is generated.
func (b *brew) contents() ([]byte, error) {
	if !b.Release.EnvFile {
		return os.ReadFile(b.sourcePlist())
	}
	env, err := b.environment()
	if err != nil {
		return nil, err
	}
	return servicePlist(b.Prefix, b.Release.label(), env), nil
}

// removeExisting leaves a dangling link alone, as Ruby's exist? does not see it.
func removeExisting(paths []string) error {
	for _, path := range paths {
		if !exists(path) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// load hands a plist to launchd.
func (b *brew) load(path string, enable bool) error {
	label := b.Release.label()
	word := "ran"
	if enable {
		word = "started"
		if err := b.must("enable", b.domains()[0]+"/"+label); err != nil {
			return err
		}
	}
	if err := b.must("bootstrap", b.domains()[0], path); err != nil {
		return err
	}
	b.ohai("Successfully %s `ollama` (label: %s)", word, label)
	return nil
}

// must runs launchctl and fails with it.
func (b *brew) must(args ...string) error {
	a := b.launchctl(args...)
	fmt.Fprint(b.out, a.Stdout)
	fmt.Fprint(b.errOut, a.Stderr)
	if a.Code != 0 {
		return odie(fmt.Sprintf("Failure while executing; `/bin/launchctl %s` exited with %d.",
			strings.Join(args, " "), a.Code))
	}
	return nil
}

// runService loads the keg's copy; or, where the env file makes a difference and this
// release reads it, a temporary file that is deleted at once.
func (b *brew) runService() error {
	if b.isRunning("running") {
		return nil
	}
	kegs, err := os.ReadFile(b.sourcePlist())
	if err != nil || !b.Release.RunReads {
		return b.load(b.sourcePlist(), false)
	}
	data, err := b.contents()
	switch {
	case err != nil:
		return err
	case bytes.Equal(data, kegs):
		return b.load(b.sourcePlist(), false)
	}
	temp, err := os.CreateTemp("", b.Release.label()+"*.plist")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if err := writeWithMode(temp.Name(), data); err != nil {
		return err
	}
	return b.load(temp.Name(), false)
}

// restart takes the service back to how it was started: with run when it is loaded and
// has no plist.
func (b *brew) restart() error {
	loaded := b.status().loaded
	again := b.start
	if loaded && !slices.ContainsFunc(b.destinations(), exists) {
		again = b.runService
	}
	if loaded {
		if err := b.stop(false, waitForever); err != nil {
			return err
		}
	}
	return again()
}

func (b *brew) stop(keep bool, limit int) error {
	if !b.status().loaded {
		return b.stopUnloaded(keep)
	}
	b.say("Stopping `ollama`... (might take a while)")
	labels := b.loadedLabels()
	for _, label := range labels {
		b.unload(label, limit)
	}
	still := slices.ContainsFunc(labels, b.loaded)
	// The plist of a job that would not go has been kept since there are two labels.
	if !keep && !(still && b.Release.Canonical) {
		if err := removeExisting(b.destinations()); err != nil {
			return err
		}
	}
	if still {
		b.warn(fmt.Sprintf("Unable to stop `ollama` (label: %s)",
			strings.Join(labels, ", ")))
		return nil
	}
	b.ohai("Successfully stopped `ollama` (label: %s)", strings.Join(labels, ", "))
	return nil
}

func (b *brew) loadedLabels() []string {
	return slices.DeleteFunc(b.Release.labels(), func(label string) bool {
		return !b.loaded(label)
	})
}

// stopUnloaded removes the plist all the same.
func (b *brew) stopUnloaded(keep bool) error {
	if !keep {
		if err := removeExisting(b.destinations()); err != nil {
			return err
		}
	}
	for _, label := range b.Release.labels() {
		if b.launchctl("bootout", b.domains()[0]+"/"+label).Code == 0 {
			b.ohai("Successfully stopped `ollama` (label: %s)", label)
			return nil
		}
	}
	b.warn("Service `ollama` is not started.")
	return nil
}

// What bootout exits with where there is no use in repeating it.
const (
	noProcess         = 3
	unsupportedDomain = 125
)

// unload boots the job out of whatever domain it is in. In each it repeats itself until
// the job is gone, the domain turns out to be the wrong one, or so many pauses are over.
func (b *brew) unload(label string, limit int) {
	for _, domain := range b.domains() {
		for waited := 0; waited <= limit && b.loaded(label); waited++ {
			if waited > 0 {
				time.Sleep(b.Pause)
			}
			code := b.launchctl("bootout", domain+"/"+label).Code
			if code == noProcess || code == unsupportedDomain {
				break
			}
		}
	}
}

// cleanup removes the plists of what is not loaded, Homebrew's own or not. That it
// tries to kill loaded services without a plist, and services of other formulae, are
// not modelled.
func (b *brew) cleanup() error {
	paths, err := filepath.Glob(filepath.Join(b.Agents, "*.plist"))
	for _, path := range paths {
		if name := filepath.Base(path); b.isOurs(name) && !b.isUsed(name) {
			b.say("Removing unused service file: %s", path)
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// listed are the labels in launchctl list, which shows one domain only.
func (b *brew) listed() []string {
	var labels []string
	for line := range strings.Lines(b.launchctl("list").Stdout) {
		fields := strings.Fields(line)
		labels = append(labels, fields[len(fields)-1])
	}
	return labels
}

// isOurs reports whether a label or file name is brew's territory to this release.
func (b *brew) isOurs(name string) bool {
	return strings.HasPrefix(name, "homebrew.") ||
		b.Release.Canonical && strings.HasPrefix(name, "sh.brew.")
}

// isUsed goes by the file's name or, since there are two labels, by the label in it;
// and then it asks in every domain.
func (b *brew) isUsed(name string) bool {
	if b.Release.Canonical {
		if label := plistLabel(filepath.Join(b.Agents, name)); label != "" {
			return b.loaded(label)
		}
	}
	return slices.Contains(b.listed(), strings.TrimSuffix(name, ".plist"))
}
