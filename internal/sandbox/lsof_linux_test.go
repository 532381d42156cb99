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

func standIn(args ...string) (stdout, stderr string, code int) {
	var out, errOut strings.Builder
	code = lsofStandIn(args, &out, &errOut)
	return out.String(), errOut.String(), code
}

func TestLsofStandIn(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.Lsof = LsofStandIn
	m := newMac(t, o)
	other, err := m.FreePort()
	check(t, err)
	empty, err := m.FreePort()
	check(t, err)
	pid1, stop1, err := m.HoldPort(m.Port, "")
	check(t, err)
	defer stop1()
	pid2, stop2, err := m.HoldPort(other, "0.0.0.0")
	check(t, err)
	defer stop2()
	me, err := user.Current()
	check(t, err)

	entry := func(pid int, kind, name string) string {
		return fmt.Sprintf("p%d\ncollama\nL%s\nfFD\nt%s\nPTCP\nn%s\nTST=LISTEN\nTQR=0\nTQS=0\n", pid, me.Username, kind, name)
	}
	kind := map[string]string{"[::]": "IPv6", "0.0.0.0": "IPv4"}[wildcard(t)]
	first, second := entry(pid1, "IPv4", m.at("127.0.0.1")), entry(pid2, kind, fmt.Sprintf("*:%d", other))
	both := first + second
	if pid2 < pid1 {
		both = second + first
	}
	for _, c := range []struct {
		name string
		argv []string
		want string
		code int
	}{
		{"loopback", []string{"-nP", "-w", fmt.Sprintf("-iTCP:%d", m.Port), "-sTCP:LISTEN", "-F", "pcLnPtT"}, first, 0},
		{"wildcard, loose order", []string{"-F", "pcLnPtT", "-i", fmt.Sprintf("TCP:%d", other), "-P", "-n", "-sTCP:LISTEN"}, second, 0},
		{"two ports", []string{"-nP", "-w", fmt.Sprintf("-iTCP:%d,%d", m.Port, other), "-sTCP:LISTEN", "-FpcLnPtT"}, both, 0},
		{"the other family", []string{fmt.Sprintf("-i6TCP:%d", m.Port), "-nP", "-Fpn"}, "", 1},
		{"nothing", []string{"-nP", fmt.Sprintf("-iTCP:%d", empty), "-sTCP:LISTEN", "-Fpn"}, "", 1},
	} {
		stdout, stderr, code := m.Run("lsof", c.argv...)
		if code != c.code || stderr != "" {
			t.Errorf("%s: exit %d: %s", c.name, code, stderr)
		}
		if diff := cmp.Diff(c.want, hideFD(stdout)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		compareWithOwn(t, c.name, c.argv, stdout)
	}
}

var fdLine = regexp.MustCompile(`(?m)^f\d+\n`)

// hideFD replaces the file numbers, which are Go's business.
func hideFD(s string) string { return fdLine.ReplaceAllString(s, "fFD\n") }

// compareWithOwn compares with the machine's own lsof, if it has one. Apple's lsof always prints f lines, newer ones when asked.
func compareWithOwn(t *testing.T, name string, argv []string, standIn string) {
	t.Helper()
	own, err := exec.LookPath("lsof")
	if err != nil {
		return
	}
	out, _ := exec.Command(own, argv...).Output() // exits 1 when it finds nothing
	if diff := cmp.Diff(fdLine.ReplaceAllString(string(out), ""), fdLine.ReplaceAllString(standIn, "")); diff != "" {
		t.Errorf("%s: the machine's lsof (-) and the stand-in (+): %s", name, diff)
	}
}

func TestLsofOfTheMachine(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("lsof"); err != nil {
		t.Skip("no lsof here")
	}
	m := newMac(t, userOptions())
	_, stop, err := m.HoldPort(m.Port, "0.0.0.0")
	check(t, err)
	defer stop()
	stdout, stderr, code := m.Run("lsof", "-nP", "-w", fmt.Sprintf("-iTCP:%d", m.Port), "-sTCP:LISTEN", "-F", "pcLnPtT")
	if code != 0 || !strings.Contains(stdout, "\ncollama\n") || !strings.Contains(stdout, fmt.Sprintf("\nn*:%d\n", m.Port)) {
		t.Errorf("exit %d: %q %q", code, stdout, stderr)
	}
}

func TestLsofUsage(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{{"-nP", "-iTCP:1"}, {"-iUDP:1", "-Fp"}, {"-iTCP:x", "-Fp"}, {"-Z", "-Fp"}, {"-Fp", "-i"}, {"-sUDP:Idle", "-Fp"}} {
		if stdout, stderr, code := standIn(argv...); code != 1 || stdout != "" || !strings.HasPrefix(stderr, "lsof: ") {
			t.Errorf("%v: %d %q %q", argv, code, stdout, stderr)
		}
	}
}
