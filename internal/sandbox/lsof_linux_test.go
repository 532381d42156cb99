package sandbox

import (
	"fmt"
	"os/exec"
	"os/user"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLsofStandIn(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	other, err := m.FreePort()
	check(t, err)
	me, err := user.Current()
	check(t, err)
	entry := func(port int, host, kind, shown string) string {
		pid, stop, err := m.HoldPort(port, host)
		check(t, err)
		t.Cleanup(stop)
		return fmt.Sprintf("p%d\ncollama\nL%s\nfFD\nt%s\nPTCP\nn%s:%d\nTST=LISTEN\n",
			pid, me.Username, kind, shown, port)
	}
	kind := map[string]string{"[::]:": "IPv6", "0.0.0.0:": "IPv4"}[wildcard(t)]
	loopback := entry(m.Port, "", "IPv4", "127.0.0.1")
	wide := entry(other, "0.0.0.0", kind, "*")
	for _, c := range []struct {
		options string
		want    string
		code    int
	}{
		{fmt.Sprintf("-nP -w -iTCP:%d -sTCP:LISTEN -F pcfLnPtT", m.Port), loopback, 0},
		{fmt.Sprintf("-F pcfLnPtT -sTCP:LISTEN -b -P -n -iTCP:%d", other), wide, 0},
		{fmt.Sprintf("-nP -iTCP:%d,%d -sTCP:LISTEN -F pcfLnPtT", m.Port, other),
			loopback + wide, 0},
		{"-nP -iTCP:1 -sTCP:LISTEN -F pn", "", 1},
	} {
		argv := strings.Fields(c.options)
		stdout, stderr, code := m.Run("lsof", argv...)
		if code != c.code || stderr != "" {
			t.Errorf("%s: exit %d: %s", c.options, code, stderr)
		}
		got := fdLine.ReplaceAllString(stdout, "fFD\n")
		if got != c.want && c.want != loopback+wide || len(got) != len(c.want) {
			t.Errorf("%s: %s", c.options, cmp.Diff(c.want, got))
		}
		compareWithOwn(t, argv, stdout)
	}
	for _, options := range []string{"-nP -iTCP:1", "-iUDP:1 -sTCP:LISTEN -F p"} {
		stdout, stderr, code := m.Run("lsof", strings.Fields(options)...)
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "lsof: the stand-in ") {
			t.Errorf("%s: %d %q %q", options, code, stdout, stderr)
		}
	}
}

var fdLine = regexp.MustCompile(`(?m)^f\d+\n`)

// queue are lines of the real lsof that nobody reads.
var queue = regexp.MustCompile(`(?m)^TQ[RS]=\d+\n`)

// compareWithOwn compares with the machine's own lsof, if it has one. Apple's lsof
// always prints f lines, newer ones when asked.
func compareWithOwn(t *testing.T, argv []string, standIn string) {
	t.Helper()
	own, err := exec.LookPath("lsof")
	if err != nil {
		return
	}
	out, _ := exec.Command(own, argv...).Output() // exits 1 when it finds nothing
	real := queue.ReplaceAllString(fdLine.ReplaceAllString(string(out), ""), "")
	if diff := cmp.Diff(real, fdLine.ReplaceAllString(standIn, "")); diff != "" {
		t.Errorf("%q: the machine's lsof (-) and the stand-in (+): %s", argv, diff)
	}
}
