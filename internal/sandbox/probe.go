package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// status is what launchctl told brew of the service.
type status struct {
	label  string
	loaded bool
	text   string // of launchctl print, or else of launchctl list
	print  bool
}

var (
	printPID    = lazyregexp.New(`pid = ([0-9]+)`)
	printExit   = lazyregexp.New(`last exit code = ([0-9]+)`)
	printPath   = lazyregexp.New(`path = (.*)`)
	listPID     = lazyregexp.New(`"PID" = ([0-9]*);`)
	listExit    = lazyregexp.New(`"LastExitStatus" = ([0-9]*);`)
	brewLabels  = lazyregexp.New(`(?:homebrew(?:\.mxcl)?|sh\.brew)\.[\w+,.@-]+`)
	mxclLabels  = lazyregexp.New(`homebrew(?:\.mxcl)?\.[\w+,.@-]+`)
	plistEnding = lazyregexp.New(`(?i)\.(?:plist|service|timer)$`)
)

// firstGroup is what the expression's first group holds, or "".
func firstGroup(re *lazyregexp.Regexp, text string) string {
	if found := re.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

func (s status) number(inPrint, inList *lazyregexp.Regexp) *int {
	re := inList
	if s.print {
		re = inPrint
	}
	n, err := strconv.Atoi(firstGroup(re, s.text))
	if err != nil {
		return nil
	}
	return &n
}

func (s status) pid() *int  { return s.number(printPID, listPID) }
func (s status) exit() *int { return s.number(printExit, listExit) }

func (s status) running() bool {
	pid := s.pid()
	return pid != nil && *pid > 0
}

// word is brew's name for the status.
func (s status) word() string {
	exit := s.exit()
	switch {
	case s.running():
		return "started"
	case !s.loaded:
		return "none"
	case exit != nil && *exit == 0:
		return "stopped"
	case exit != nil:
		return "error"
	default: // brew has "unknown" as well, for no text at all
		return "other"
	}
}

// domain is the one that brew loads the service into.
func (b *brew) domain() string {
	if b.Root {
		return "system"
	}
	reason := ""
	switch {
	case os.Getenv("SSH_TTY") != "" && !b.Console:
		reason = "running over SSH without /dev/console ownership"
	case os.Getenv("SUDO_USER") != "":
		reason = "running through sudo"
	default:
		return fmt.Sprintf("gui/%d", b.UID)
	}
	b.warnOfDomain(reason)
	return fmt.Sprintf("user/%d", b.UID)
}

// warnOfDomain says it once, and gives its hints on stdout.
func (b *brew) warnOfDomain(reason string) {
	if b.warned || os.Getenv("HOMEBREW_SERVICES_NO_DOMAIN_WARNING") != "" {
		return
	}
	b.warned = true
	b.warn(reason + ", using user/* instead of gui/* domain!")
	if os.Getenv("HOMEBREW_NO_ENV_HINTS") == "" {
		b.say("Hide this warning by setting HOMEBREW_SERVICES_NO_DOMAIN_WARNING.\n" +
			"Hide these hints with HOMEBREW_NO_ENV_HINTS (see `man brew`).")
	}
}

// domains are all that the job may be in.
func (b *brew) domains() []string {
	all := []string{b.domain()}
	if b.Root {
		return all
	}
	for _, d := range []string{fmt.Sprintf("user/%d", b.UID), fmt.Sprintf("gui/%d", b.UID)} {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// find asks launchd for one label.
func (b *brew) find(label string) status {
	domains := b.domains()
	if !b.Release.since(firstAllDomains) {
		domains = domains[:1]
	}
	for _, d := range domains {
		if a := b.launchctl("print", d+"/"+label); a.Code == 0 {
			return status{label: label, loaded: true, text: a.Stdout, print: true}
		}
	}
	a := b.launchctl("list", label)
	return status{label: label, loaded: a.Code == 0, text: a.Stdout}
}

func (b *brew) loaded(label string) bool { return b.find(label).loaded }

// status asks for every label that the service may have; one with a process counts before one without.
func (b *brew) status() status {
	best := status{label: b.Release.label()}
	for _, label := range b.serviceLabels() {
		s := b.find(label)
		if s.running() {
			return s
		}
		if s.loaded && !best.loaded {
			best = s
		}
	}
	return best
}

// serviceLabels are those of this release and, since there are two, what the plists say.
func (b *brew) serviceLabels() []string {
	labels := b.Release.labels()
	if !b.Release.since(firstTwoLabels) {
		return labels
	}
	for _, path := range append(b.kegPlists(), b.destinations()...) {
		if label := plistLabel(path); label != "" && !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// plistLabel is "" where there is no plist, or none that can be read.
func plistLabel(path string) string {
	def, _ := readDefinition(path)
	return def.Label
}

// kegPlists are the keg's copies that this release knows of, there or not.
func (b *brew) kegPlists() []string {
	var paths []string
	for _, label := range b.Release.labels() {
		paths = append(paths, b.kegPlist(label))
	}
	return paths
}

// sourcePlist is the keg's copy that counts.
func (b *brew) sourcePlist() string {
	return firstExisting(b.kegPlists(), b.kegPlist(b.Release.label()))
}

func firstExisting(paths []string, otherwise string) string {
	if i := slices.IndexFunc(paths, exists); i >= 0 {
		return paths[i]
	}
	return otherwise
}

// exists follows links, as Ruby does.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// destination is the plist that start writes.
func (b *brew) destination() string {
	return filepath.Join(b.agentsFolder(), b.Release.label()+".plist")
}

// destinations are the plists that are the service's to brew, the one of the caller's folder.
func (b *brew) destinations() []string { return b.plistsIn(b.agentsFolder()) }

func (b *brew) plistsIn(folder string) []string {
	var paths []string
	for _, label := range b.Release.labels() {
		paths = append(paths, filepath.Join(folder, label+".plist"))
	}
	return paths
}

// registered tells whether there is a plist in either folder.
func (b *brew) registered() bool {
	return slices.ContainsFunc(append(b.plistsIn(b.Agents), b.plistsIn(b.Daemons)...), exists)
}
