package sandbox

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func capture(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../fixtures/captures", name))
	check(t, err)
	return string(data)
}

// launchdsOwn are the variables that launchd adds.
var launchdsOwn = []string{"OSLogRateLimit", "XPC_SERVICE_NAME", "SSH_AUTH_SOCK"}

// layout is a dump without its values: indentation, keys and blocks in order. What
// depends on the job, the arguments and the variables in the environment blocks, is
// left out.
func layout(dump string) []string {
	var keys []string
	block := ""
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(line, "\n")
		text := strings.TrimLeft(line, "\t")
		depth := len(line) - len(text)
		if depth == 1 {
			block = text
		}
		inEnvironment := strings.HasSuffix(block, "environment = {")
		own := slices.ContainsFunc(launchdsOwn, func(name string) bool {
			return strings.HasPrefix(text, name)
		})
		if depth == 2 && (block == "arguments = {" || inEnvironment && !own) {
			continue
		}
		if key, value, ok := strings.Cut(line, " = "); ok && value != "{" && depth > 0 {
			line = key
		} else if depth == 0 && ok {
			line = "TARGET = {"
		}
		if key, _, ok := strings.Cut(line, " => "); ok {
			line = key
		}
		keys = append(keys, line)
	}
	return keys
}

// lastExit gives the three forms of that line one name.
var lastExit = regexp.MustCompile(`(?m)^\tlast (exit code|terminating signal) `)

func normal(dump string) []string {
	return layout(lastExit.ReplaceAllString(dump, "\tlast exit "))
}

func TestPrintRunningLayout(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m, "OLLAMA_FLASH_ATTENTION=1")
	got := mustRun(t, m, "print", "gui/501/"+label)
	want := capture(t, "print-running-bun-neverexited.txt")
	if diff := cmp.Diff(normal(want), normal(got)); diff != "" {
		t.Error(diff)
	}
	mustContain(t, got, "\tpid = "+strconv.Itoa(pid)+"\n",
		"\tlast exit code = (never exited)\n", "\truns = 1\n", "\tstate = running\n",
		"\tdomain = gui/501 [100057]\n", "\t\tOLLAMA_FLASH_ATTENTION => 1\n",
		"\tpath = "+filepath.Join(m.Agents(), label+".plist")+"\n",
		"\tminimum runtime = 1\n", "\texit timeout = 5\n",
		"= keepalive | runatload | inferred program | managed LWCR | has LWCR\n")
}

func TestPrintThrottledLayout(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.Throttle = time.Hour
	m := newMac(t, o)
	check(t, syscall.Kill(service(t, m), syscall.SIGKILL))
	var got string
	waitUntil(t, "spawn scheduled", func() bool {
		got = mustRun(t, m, "print", "gui/501/"+label)
		return strings.Contains(got, "\tstate = spawn scheduled\n")
	})
	want := capture(t, "print-spawnscheduled-CONSTRUCTED.txt")
	if diff := cmp.Diff(normal(want), normal(got)); diff != "" {
		t.Error(diff)
	}
	if got := mustRun(t, m, "list"); got != "PID\tStatus\tLabel\n-\t-9\t"+label+"\n" {
		t.Errorf("list: %q", got)
	}
}
