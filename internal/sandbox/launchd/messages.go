package launchd

import (
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Error numbers of launchd, those below 100 from errno.
const (
	errNotPermitted = 1
	errNoFile       = 2
	errNoProcess    = 3
	errIO           = 5
	errAlready      = 37
	errUsage        = 64
	errPropertyList = 109
	errNoLabel      = 110
	errNoProgram    = 111
	errNoDomain     = 112
	errNoService    = 113
	errDisabled     = 119
	errBadMode      = 122
	errUnsupported  = 125
	errSession      = 134
)

var errorTexts = map[int]string{
	errNotPermitted: "Operation not permitted",
	errNoFile:       "No such file or directory",
	errNoProcess:    "No such process",
	errIO:           "Input/output error",
	errAlready:      "Operation already in progress",
	errPropertyList: "Invalid property list",
	errNoLabel:      "Invalid or missing service identifier",
	errNoProgram:    "Invalid or missing Program/ProgramArguments",
	errNoDomain:     "Could not find specified domain",
	errNoService:    "Could not find specified service",
	errDisabled:     "Service is disabled",
	errBadMode:      "Path had bad ownership/permissions",
	errUnsupported:  "Domain does not support specified action",
	errSession:      "Service cannot load in requested session",
}

// errorText is "N: text".
func errorText(code int) string { return fmt.Sprintf("%d: %s", code, errorTexts[code]) }

func show(text string) standin.Answer { return standin.Answer{Stdout: text} }

// words is how the messages of 112 and 113 name a domain.
func (d domain) words() string {
	switch d.kind {
	case "gui":
		return fmt.Sprintf("user gui: %d", d.uid)
	case "user":
		return fmt.Sprintf("uid: %d", d.uid)
	default:
		return d.kind
	}
}

func (c *call) noDomain() standin.Answer {
	return standin.Fail(errNoDomain, "Could not find domain for %s", c.domain.words())
}

func (c *call) noService() standin.Answer {
	return standin.Fail(errNoService,
		`Could not find service "%s" in domain for %s`, c.label, c.domain.words())
}

// badRequest adds the line that came with macOS 26.
func badRequest(a standin.Answer) standin.Answer {
	a.Stderr = "Bad request.\n" + a.Stderr
	return a
}

func badUsage(usage string) standin.Answer {
	return standin.Fail(errUsage, "Usage: launchctl %s", usage)
}

func badTarget(usage string) standin.Answer {
	return standin.Fail(errUsage, "Unrecognized target specifier. "+
		"<service-target> takes a form of <domain-target>/<service-id>.\n"+
		"Please refer to `man launchctl` for explanation of the "+
		"<domain-target> specifiers.\nUsage: launchctl %s", usage)
}

// notHere is for what a Mac's launchctl can do and this one cannot.
func notHere(args []string) standin.Answer {
	command := strings.Join(args, " ")
	return standin.Fail(errUsage, "the sandbox has no `launchctl %s`", command)
}
