package launchctl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// runnerFunc is a Runner without a program.
type runnerFunc func(ctx context.Context, name string, args ...string) ([]byte, error)

func (f runnerFunc) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return f(ctx, name, args...)
}

// sentinels are the errors that an exit status can stand for.
var sentinels = []error{ErrNotLoaded, ErrNoDomain, ErrDisabled, ErrInProgress}

// answerOf is how each collected situation is to be read. A situation of a
// verb in use that is not here fails the test: it wants a decision.
var answerOf = map[string]struct {
	is     error // what the verb's error is, if anything in particular
	accept bool  // Load, Unload or Reload goes on, or tries again
}{
	"bootstrap ok":                                                               {nil, true},
	"already bootstrapped, non-root":                                             {nil, true},
	"already bootstrapped, non-root, macOS 11":                                   {ErrInProgress, true},
	"bootout teardown not finished (same label)":                                 {nil, true},
	"already bootstrapped / in progress, root or some users":                     {ErrInProgress, true},
	"root, generic failure (bad owner/mode, already loaded, unusable binary...)": {nil, true},
	"disabled, root":                                                             {ErrDisabled, false},
	"disabled, non-root (a)":                                                     {nil, true},
	"disabled, non-root (b)":                                                     {ErrDisabled, false},
	"gui domain, no GUI login (ssh/headless)":                                    {ErrNoDomain, false},
	"gui domain does not exist for uid":                                          {ErrNoDomain, false},
	"arbitrary Aqua-only agent into user/UID, non-root":                          {nil, true},
	"not permitted (sandboxed caller)":                                           {nil, false},
	"bootout ok":                                                                 {nil, true},
	"bootout not loaded, by label":                                               {ErrNotLoaded, true},
	"bootout not loaded, by path":                                                {nil, false},
	"bootout, process still dying":                                               {ErrInProgress, true},
	"bootout wrong domain / disabled leftovers":                                  {ErrNoDomain, false},
	"print ok":                                 {nil, true},
	"print, label unknown, newer":              {ErrNotLoaded, false},
	"print, label unknown, older":              {ErrNotLoaded, false},
	"print, label unknown in user domain":      {ErrNotLoaded, false},
	"print, label unknown in system":           {ErrNotLoaded, false},
	"print, no such gui domain":                {ErrNoDomain, false},
	"print other user's domain, non-root":      {nil, false},
	"print gui/UID when there is no GUI login": {ErrNoDomain, false},
	"kickstart ok":                             {nil, true},
	"kickstart -p, not a tty":                  {nil, true},
	"kickstart -p, tty":                        {nil, true},
	"kickstart without -k, already running":    {ErrInProgress, true},
	"kickstart, not loaded":                    {ErrNotLoaded, false},
	"kickstart, no gui session":                {ErrNoDomain, false},
	"kickstart, caller sandboxed":              {nil, false},
	"kickstart -k of an Apple agent":           {nil, false},
	"enable/disable ok":                        {nil, true},
	"enable/disable refused":                   {nil, false},
	"usage error":                              {nil, false},
	"bad target":                               {nil, false},
}

// unused are situations of commands that nothing here runs.
var unused = map[string]bool{
	"bootout --wait + several services": true, // its exit status is not known either
	"error N":                           true,
	"managername":                       true,
	"getenv unset":                      true,
	"setenv refused":                    true,
	"unknown subcommand":                true,
}

// oldVerb is a verb that nothing here runs.
var oldVerb = regexp.MustCompile(`^(sudo )?(load|unload|list)\b`)

func TestCollectedMessages(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(capture(t, "stderr-messages.tsv")))
	lines.Scan() // the header
	seen := 0
	for lines.Scan() {
		row := strings.Split(lines.Text(), "\t")
		situation, argv, stderr, rc := row[0], strings.Fields(row[1]), row[3], row[4]
		if unused[situation] || oldVerb.MatchString(row[1]) {
			continue
		}
		want, ok := answerOf[situation]
		if !ok {
			t.Errorf("%s: no decision", situation)
			continue
		}
		seen++
		digits, _, _ := strings.Cut(rc, " ")
		code, err := strconv.Atoi(digits)
		if err != nil {
			t.Errorf("%s: exit status %q", situation, rc)
			continue
		}
		stderr = strings.TrimSpace(strings.ReplaceAll(stderr, `\n`, "\n"))
		checkAnswer(t, situation, argv, code, stderr, want.is, want.accept)
	}
	if seen != len(answerOf) {
		t.Errorf("%d of %d situations found", seen, len(answerOf))
	}
}

func checkAnswer(t *testing.T, situation string, argv []string, code int, stderr string, is error, accept bool) {
	t.Helper()
	client := Client{runnerFunc(func(context.Context, string, ...string) ([]byte, error) {
		if code == 0 {
			return nil, nil
		}
		return nil, &ExitError{Args: append([]string{"launchctl"}, argv...), Code: code, Stderr: stderr}
	})}
	_, err := client.launchctl(t.Context(), "trying", argv...)
	if (err != nil) != (code != 0) {
		t.Errorf("%s: exit status %d is %v", situation, code, err)
	}
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) != (sentinel == is) {
			t.Errorf("%s: %v: is %q: %t", situation, err, sentinel, errors.Is(err, sentinel))
		}
	}
	var exit *ExitError
	if code != 0 && (!errors.As(err, &exit) || exit.Code != code) {
		t.Errorf("%s: no exit status in %v", situation, err)
	}
	r := reload{Client: client, target: Target{GUI(501), "L"}}
	switch argv[0] {
	case "bootout":
		err = r.bootout(t.Context())
	case "kickstart":
		err = r.kickstart(t.Context())
	case "enable":
		err = r.enable(t.Context())
	}
	accepted := err == nil || argv[0] == "bootstrap" && passing(err)
	if accepted != accept {
		t.Errorf("%s: accepted: %t (%v)", situation, accepted, err)
	}
}

// Some exit statuses have a meaning only for the verb that is known to give them.
func TestMeaningOfVerb(t *testing.T) {
	verbs := []string{"bootout", "bootstrap", "kickstart", "print", "enable"}
	tests := map[int]struct {
		is   error
		from []string
	}{
		3:  {ErrNotLoaded, verbs[:1]},
		36: {ErrInProgress, []string{"bootout", "kickstart"}},
		37: {ErrInProgress, verbs},
	}
	for code, tt := range tests {
		for _, verb := range verbs {
			err := &ExitError{Args: []string{"launchctl", verb}, Code: code}
			if got := errors.Is(err, tt.is); got != slices.Contains(tt.from, verb) {
				t.Errorf("%d from %s: %t", code, verb, got)
			}
		}
	}
}

// TestPublishedErrors is about error texts as Macs have printed them: what counts is the
// exit status, and the text becomes one line.
func TestPublishedErrors(t *testing.T) {
	for name, want := range map[string]struct {
		code int
		is   error
	}{
		"enable-125-no-gui.stderr.txt":            {125, ErrNoDomain},
		"bootstrap-125.stderr.txt":                {125, ErrNoDomain},
		"bootout-125-nixos-redis.stderr.txt":      {125, ErrNoDomain},
		"bootout-1-system-as-user.stderr.txt":     {1, nil},
		"print-no-gui-domain.stderr.txt":          {112, ErrNoDomain},
		"print-missing-system-macos27.stderr.txt": {113, ErrNotLoaded},
	} {
		verb, _, _ := strings.Cut(name, "-")
		err := &ExitError{Args: []string{"launchctl", verb}, Code: want.code, Stderr: string(capture(t, name))}
		if want.is != nil && !errors.Is(err, want.is) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExitErrorText(t *testing.T) {
	tests := []struct {
		err  *ExitError
		want string
	}{
		{
			&ExitError{Args: []string{"launchctl", "bootstrap", "gui/501", "/Users/a b/x.plist"}, Code: 5,
				Stderr: "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors."},
			`launchctl bootstrap gui/501 "/Users/a b/x.plist": exit status 5: Bootstrap failed: 5: Input/output error; Try re-running the command as root for richer errors.`,
		},
		{&ExitError{Args: []string{"launchctl", "kickstart", "gui/501/l"}, Code: 37}, "launchctl kickstart gui/501/l: exit status 37"},
		{&ExitError{Args: []string{"lsof"}, Code: -1, Signal: syscall.SIGKILL}, "lsof: ended by signal 9 (killed)"},
		{&ExitError{Args: []string{"x", "", "a\x1bb", "$(c)"}, Code: 1, Stderr: "red \x1b[31m\u202e\n\n\ttwo\nthree\nfour"},
			`x "" "a\x1bb" "$(c)": exit status 1: red ?[31m?; two; three`},
		{&ExitError{Args: []string{"docker", "exec", strings.Repeat("é", 1000)}, Code: 1},
			"docker exec " + strings.Repeat("é", longestCommand-len("docker exec ")) + "…: exit status 1"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
