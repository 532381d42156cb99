package sandbox

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// services is brew services. Its order of looking, writing and calling launchctl is that of Homebrew.
func (b *brew) services(args []string) error {
	flags := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	words := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, "-") })
	switch command := strings.Join(append(words, flags...), " "); command {
	case "start ollama":
		return b.start()
	case "stop ollama":
		return b.stop(false, defaultMaxWait)
	case "stop ollama --keep":
		return b.stop(true, defaultMaxWait)
	case "restart ollama":
		return b.restart()
	case "run ollama":
		return b.runService()
	case "kill ollama":
		return b.kill()
	case "cleanup":
		return b.cleanup()
	case "info ollama --json":
		return b.info()
	case "list --json":
		return b.list()
	default:
		return b.stopFor(command)
	}
}

const (
	defaultMaxWait = 60 // pauses
	waitForever    = math.MaxInt
)

// stopFor is stop with a limit of its own; 0 is none.
func (b *brew) stopFor(command string) error {
	number, ok := strings.CutPrefix(command, "stop ollama --max-wait=")
	limit, err := strconv.Atoi(number)
	if !ok || err != nil {
		return fmt.Errorf("the sandbox has no `brew services %s`", command)
	}
	if limit == 0 {
		limit = waitForever
	}
	return b.stop(false, limit)
}

// isRunning says so if there is nothing to start or run. A job without a process does not count, unless its label is the other one of two.
func (b *brew) isRunning(word string) bool {
	s := b.status()
	label := b.Release.label()
	if !s.running() && (s.label == label || !s.loaded) {
		return false
	}
	switch {
	case s.label == label:
		b.say("Service `ollama` already %s, use `brew services restart ollama` to restart.", word)
	case b.Release.since(firstCanonical):
		b.say("Service `ollama` is already loaded as `%s`; a service label migration is pending. "+
			"Use `brew services restart ollama` to migrate to `%s`.", s.label, label)
	default:
		b.say("Service `ollama` already %s (label: %s), use `brew services restart ollama` to restart.", word, s.label)
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

// installPlist replaces the plist, and not atomically: whoever looks between finds none.
func (b *brew) installPlist() error {
	data, err := b.contents()
	if err != nil {
		return err
	}
	if err := removeExisting(b.destinations()); err != nil {
		return err
	}
	if err := os.MkdirAll(b.agentsFolder(), 0o755); err != nil {
		return err
	}
	return writeWithMode(b.destination(), data)
}

// contents is what start writes: the keg's copy as it is, or the service block's plist.
func (b *brew) contents() ([]byte, error) {
	source := b.sourcePlist()
	if !exists(source) {
		return nil, odie("Invalid usage: Formula `ollama` has not implemented #plist, #service or provided a locatable service file.")
	}
	if !b.Release.since(firstEnvFile) {
		return os.ReadFile(source)
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

// load hands a plist to launchd. The change of owners that comes with sudo is not modelled.
func (b *brew) load(path string, enable bool) error {
	if b.Root {
		b.warn("ollama must be run as non-root to start at user login!")
	}
	label := b.labelOf(path)
	word := "ran"
	if enable {
		word = "started"
		if err := b.must("enable", b.domain()+"/"+label); err != nil {
			return err
		}
	}
	if err := b.must("bootstrap", b.domain(), path); err != nil {
		return err
	}
	b.ohai("Successfully %s `ollama` (label: %s)", word, label)
	return nil
}

// labelOf is the label that enable is for, and that brew tells of. Since there are two, the plist says which.
func (b *brew) labelOf(path string) string {
	label := plistLabel(path)
	if label == "" || !b.Release.since(firstTwoLabels) {
		return b.Release.label()
	}
	return label
}

// must runs launchctl and fails with it.
func (b *brew) must(args ...string) error {
	a := b.launchctl(args...)
	fmt.Fprint(b.out, a.Stdout)
	fmt.Fprint(b.errOut, a.Stderr)
	if a.Code != 0 {
		return odie(fmt.Sprintf("Failure while executing; `/bin/launchctl %s` exited with %d.", strings.Join(args, " "), a.Code))
	}
	return nil
}

// runService loads the keg's copy, and writes nothing.
func (b *brew) runService() error {
	if b.isRunning("running") {
		return nil
	}
	if b.Root {
		b.say("Service `ollama` cannot be run (but can be started) as root.")
		return nil
	}
	return b.load(b.sourcePlist(), false)
}

// restart takes the service back to how it was started: with run when it is loaded and has no plist.
func (b *brew) restart() error {
	loaded := b.status().loaded
	again := b.start
	if loaded && !b.registered() {
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
	if !keep && !(still && b.Release.since(firstTwoLabels)) {
		if err := removeExisting(b.destinations()); err != nil {
			return err
		}
	}
	if still {
		b.warn(fmt.Sprintf("Unable to stop `ollama` (label: %s)", strings.Join(labels, ", ")))
		return nil
	}
	b.ohai("Successfully stopped `ollama` (label: %s)", strings.Join(labels, ", "))
	return nil
}

func (b *brew) loadedLabels() []string {
	return slices.DeleteFunc(b.serviceLabels(), func(label string) bool { return !b.loaded(label) })
}

// stopUnloaded removes the plist all the same.
func (b *brew) stopUnloaded(keep bool) error {
	if !keep {
		if err := removeExisting(b.destinations()); err != nil {
			return err
		}
	}
	if b.registered() {
		return odie(fmt.Sprintf("Service `ollama` is started as `%s`. Try:\n  sudo brew services stop ollama", *b.owner()))
	}
	for _, label := range b.Release.labels() {
		if b.launchctl("bootout", b.domain()+"/"+label).Code == 0 {
			b.ohai("Successfully stopped `ollama` (label: %s)", label)
			return nil
		}
	}
	b.warn("Service `ollama` is not started.")
	return nil
}

// unload boots the job out of whatever domain it is in.
func (b *brew) unload(label string, limit int) {
	for _, d := range b.domains() {
		if !b.loaded(label) {
			return
		}
		b.bootout(d, label, limit)
		if s := b.find(label); s.running() {
			b.stopJob(d, label)
		}
	}
}

// bootout repeats itself until the job is gone, the domain turns out to be the wrong one, or so many pauses are over.
func (b *brew) bootout(domain, label string, limit int) {
	target := domain + "/" + label
	for waited := 0; ; waited++ {
		code := b.launchctl("bootout", target).Code
		if code == errNoProcess || code == errUnsupported || waited >= limit || code != errInProgress && !b.loaded(label) {
			return
		}
		time.Sleep(b.Pause)
	}
}

// stopJob names the domain as well before there were two labels, which launchctl stop does not understand.
func (b *brew) stopJob(domain, label string) {
	if !b.Release.since(firstTwoLabels) {
		label = domain + "/" + label
	}
	b.launchctl("stop", label)
}

// kill does nothing to a service that is kept alive.
func (b *brew) kill() error {
	if b.status().running() {
		b.say("Service `ollama` is set to automatically restart and can't be killed.")
	} else {
		b.say("Service `ollama` is not started.")
	}
	return nil
}

// cleanup removes the plists of what is not loaded, whoever made them. It tries to kill loaded services without a plist as well, which
// a service that is kept alive refuses. Services of other formulae are not modelled.
func (b *brew) cleanup() error {
	orphans := b.killOrphans()
	removed, err := b.removeUnused()
	if err != nil {
		return err
	}
	if orphans+removed == 0 {
		b.say("All %s services OK, nothing cleaned...", map[bool]string{true: "root", false: "user-space"}[b.Root])
	}
	return nil
}

func (b *brew) killOrphans() int {
	count := 0
	for _, label := range b.listed() {
		if slices.Contains(b.Release.labels(), label) && !exists(filepath.Join(b.agentsFolder(), label+".plist")) {
			count++
			_ = b.kill() // it only talks
		}
	}
	return count
}

// listed are the labels of brew's in launchctl list, which shows one domain only.
func (b *brew) listed() []string {
	pattern := mxclLabels
	if b.Release.since(firstTwoLabels) {
		pattern = brewLabels
	}
	var labels []string
	for line := range strings.Lines(b.launchctl("list").Stdout) {
		if label := pattern.FindString(line); label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

func (b *brew) removeUnused() (count int, err error) {
	entries, err := os.ReadDir(b.agentsFolder())
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if !b.isServiceFile(entry.Name()) || b.isUsed(entry.Name()) {
			continue
		}
		path := filepath.Join(b.agentsFolder(), entry.Name())
		b.say("Removing unused service file: %s", path)
		if err := os.Remove(path); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

func (b *brew) isServiceFile(name string) bool {
	ours := strings.HasPrefix(name, "homebrew.") || b.Release.since(firstTwoLabels) && strings.HasPrefix(name, "sh.brew.")
	return ours && plistEnding.MatchString(name)
}

// isUsed goes by the file's name or, since there are two labels, by the label in it; and then it asks in every domain.
func (b *brew) isUsed(name string) bool {
	stem := plistEnding.ReplaceAllString(name, "")
	if !b.Release.since(firstTwoLabels) {
		return slices.Contains(b.listed(), stem)
	}
	label := plistLabel(filepath.Join(b.agentsFolder(), name))
	if label == "" {
		return slices.Contains(b.listed(), stem)
	}
	return slices.Contains(b.listed(), label) || b.loaded(label)
}
