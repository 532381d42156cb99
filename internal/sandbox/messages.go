package sandbox

import (
	"fmt"
	"strings"
)

// Error numbers of launchd, those below 100 from errno.
const (
	errNotPermitted = 1
	errNoFile       = 2
	errNoProcess    = 3
	errIO           = 5
	errInProgress   = 36
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
	1:   "Operation not permitted",
	2:   "No such file or directory",
	3:   "No such process",
	5:   "Input/output error",
	17:  "File exists",
	36:  "Operation now in progress",
	37:  "Operation already in progress",
	107: "Malformed bundle",
	108: "Invalid path",
	109: "Invalid property list",
	110: "Invalid or missing service identifier",
	111: "Invalid or missing Program/ProgramArguments",
	112: "Could not find specified domain",
	113: "Could not find specified service",
	114: "The specified username does not exist",
	115: "The specified group does not exist",
	116: "Routine not yet implemented",
	118: "Bad response from server",
	119: "Service is disabled",
	120: "Bad subsystem destination for request",
	121: "Path not searched for services",
	122: "Path had bad ownership/permissions",
	123: "Path is whitelisted for domain",
	124: "Domain is tearing down",
	125: "Domain does not support specified action",
	126: "Request type is no longer supported",
	133: "Multiple errors were returned; see stderr",
	134: "Service cannot load in requested session",
	135: "Process is not managed",
	139: "Service cannot presently execute",
	140: "Service name is reserved or invalid",
	144: "Requestor lacks required entitlement",
	150: "Operation not permitted while System Integrity Protection is engaged",
	153: "Completely unexpected error",
	155: "Refusing to execute/trust quarantined program/file",
	159: "Sandbox restriction",
	161: "Service cannot be launched because of BTM policy.",
}

// errorText is "N: text". The text for a number that has none is unverified.
func errorText(code int) string {
	text, ok := errorTexts[code]
	if !ok {
		text = "unknown error code"
	}
	return fmt.Sprintf("%d: %s", code, text)
}

// fail is an answer with one line on stderr.
func fail(code int, format string, args ...any) answer {
	return answer{Stderr: fmt.Sprintf(format, args...) + "\n", Code: code}
}

func show(text string) answer { return answer{Stdout: text} }

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

func noDomain(d domain) answer {
	return fail(errNoDomain, "Could not find domain for %s", d.words())
}

func noService(d domain, label string) answer {
	return fail(errNoService, `Could not find service "%s" in domain for %s`, label, d.words())
}

func badUsage(usage string) answer { return fail(errUsage, "Usage: launchctl %s", usage) }

func badTarget(usage string) answer {
	return fail(errUsage, "Unrecognized target specifier. <service-target> takes a form of <domain-target>/<service-id>.\n"+
		"Please refer to `man launchctl` for explanation of the <domain-target> specifiers.\n"+
		"Usage: launchctl %s", usage)
}

// help is what launchctl prints without arguments; its wording is shortened.
func help() string {
	var b strings.Builder
	b.WriteString("Usage: launchctl <subcommand> ... | help [subcommand]\n" +
		"Many subcommands take a target specifier that refers to a domain or service\n" +
		"within that domain. The available specifier forms are:\n\n" +
		"system/[service-name]\nuser/<uid>/[service-name]\ngui/<uid>/[service-name]\n\n" +
		"Subcommands:\n")
	for _, name := range verbNames {
		fmt.Fprintf(&b, "\t%-15s %s\n", name, verbs[name].usage)
	}
	return b.String()
}
