// Package launchctl runs launchctl and reads its answers.
//
// [ParsePrint] and [ParsePrintDisabled] are pure: bytes in,
// values out. [Client] runs the programs through a [Runner];
// [Exec] is the Runner for real ones. [Client.Load], [Client.Unload] and
// [Client.Reload] hide that launchd answers a bootout before the job is gone
// and refuses a bootstrap until it is.
//
// Sources of what is known about launchctl: the man page launchctl(1), the
// file services/cli.rb of Homebrew/brew, and the captures in
// fixtures/captures. By its own man page the output of print is no interface,
// so success is decided by exit status and by whether the job is there, never
// by wording. Where a comment says "unverified", no capture from a Mac backs it.
package launchctl

import (
	"fmt"
	"time"
)

// Domain is a launchd domain target: "system", "gui/501" or "user/501".
type Domain string

// System is the domain of daemons.
const System Domain = "system"

// GUI is the domain of a user who is logged in at the screen. It does not
// exist for a user who is logged in over ssh only.
func GUI(uid int) Domain { return Domain(fmt.Sprintf("gui/%d", uid)) }

// User is the domain of a user who is logged in in any way.
func User(uid int) Domain { return Domain(fmt.Sprintf("user/%d", uid)) }

// DomainsFor lists the domains to try for a plist, best first: the system
// domain for a daemon (a plist under /Library/LaunchDaemons), else the gui
// and then the user domain of uid.
func DomainsFor(uid int, daemon bool) []Domain {
	if daemon {
		return []Domain{System}
	}
	return []Domain{GUI(uid), User(uid)}
}

// Target names one job: a label in a domain.
type Target struct {
	Domain Domain
	Label  string
}

// String is the service target as launchctl takes it: "gui/501/label".
func (t Target) String() string { return string(t.Domain) + "/" + t.Label }

// Job is what launchd holds in memory about a job, as `launchctl print` shows
// it. A field that the answer did not have is zero.
type Job struct {
	// Path is the plist the job was loaded from, or a text in parentheses
	// for a job that has none ("(submitted by smd.543)").
	Path    string
	State   string // "running", "not running", "spawn scheduled", "SIGTERMed", …
	Program string
	// JobState is a second word on how the job stands, "spawn failed" where launchd
	// could not start the program. Most jobs have none.
	JobState string
	// Pended is why launchd keeps back a start that nobody has asked for
	// ("speculative", "inefficient", "semaphore"), "" if it does not. A kickstart
	// is not kept back.
	Pended string
	// Properties are flags of the job: "keepalive", "needs LWCR update", …
	Properties []string

	StderrPath string
	// Environment holds the plist's variables and those that launchd adds
	// to them (OSLogRateLimit, and always XPC_SERVICE_NAME).
	Environment map[string]string
	// InheritedEnvironment holds the variables of the domain, those of
	// `launchctl setenv` among them.
	InheritedEnvironment map[string]string
	// Doubled are the names of variables that one of the environments has twice.
	// The last value is the one that is kept; launchd's own choice is unverified.
	Doubled []string

	PID         int           // 0: no live process
	ExitTimeout time.Duration // from SIGTERM to SIGKILL; 0: unknown
	Runs        int           // how often the job was started

	// LastExit says how the previous run ended, in launchctl's words:
	// "0", "78: EX_CONFIG", "(never exited)", "Terminated: 15",
	// "OS_REASON_CODESIGNING". It stands
	// beside a PID too, and is then about the run before.
	LastExit string
}

// Client drives launchd through its Runner, or with [Exec] where it has none: its
// zero value is ready to use.
type Client struct{ Runner Runner }
