package sandbox

import (
	"os"
	"path/filepath"
	"regexp"
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

// layout is a dump without its values: indentation, keys and blocks in order. What depends on the job, the arguments and the variables in
// the environment blocks, is left out.
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
		own := strings.HasPrefix(text, "OSLogRateLimit") || strings.HasPrefix(text, "XPC_SERVICE_NAME") || strings.HasPrefix(text, "SSH_AUTH_SOCK")
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

func normal(dump string) []string { return layout(lastExit.ReplaceAllString(dump, "\tlast exit ")) }

func TestPrintRunningLayout(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m, "OLLAMA_FLASH_ATTENTION=1")
	got := mustRun(t, m, "print", "gui/501/"+label)
	want := capture(t, "print-running-bun-neverexited.txt")
	if diff := cmp.Diff(normal(want), normal(got)); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{"\tpid = " + strconv.Itoa(pid), "\tlast exit code = (never exited)", "\truns = 1", "\tstate = running",
		"\tdomain = gui/501 [100057]", "\tpath = " + filepath.Join(m.Agents(), label+".plist"), "\t\tOLLAMA_FLASH_ATTENTION => 1",
		"\tproperties = keepalive | runatload | inferred program | managed LWCR | has LWCR", "\tminimum runtime = 1", "\texit timeout = 5"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %q in:\n%s", line, got)
		}
	}
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
	if diff := cmp.Diff(normal(capture(t, "print-spawnscheduled-CONSTRUCTED.txt")), normal(got)); diff != "" {
		t.Error(diff)
	}
	if got := mustRun(t, m, "list"); got != "PID\tStatus\tLabel\n-\t-9\t"+label+"\n" {
		t.Errorf("list: %q", got)
	}
}

func TestPrintDomainLayout(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m)
	got := mustRun(t, m, "print", "gui/501")
	top := func(dump string) (keys []string) {
		for _, line := range layout(dump) {
			if strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "\t\t") {
				keys = append(keys, line)
			}
		}
		return keys
	}
	if diff := cmp.Diff(top(capture(t, "print-domain-gui501-head.txt")), top(got)); diff != "" {
		t.Error(diff)
	}
	services := regexp.MustCompile(`\t\t +` + strconv.Itoa(pid) + ` +- \t` + regexp.QuoteMeta(label) + `\n`)
	if !services.MatchString(got) {
		t.Errorf("no service line in:\n%s", got)
	}
}

func TestListJobAsCaptured(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m)
	want := strings.NewReplacer("/opt/homebrew", m.Prefix(), "24901", strconv.Itoa(pid)).
		Replace(capture(t, "list-label-homebrew.mxcl.ollama.txt"))
	if diff := cmp.Diff(want, mustRun(t, m, "list", label)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("PID\tStatus\tLabel\n"+strconv.Itoa(pid)+"\t0\t"+label+"\n", mustRun(t, m, "list")); diff != "" {
		t.Error(diff)
	}
}

func TestOldOverrides(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.Version = 12
	m := newMac(t, o)
	mustRun(t, m, "disable", "gui/501/a")
	mustRun(t, m, "enable", "gui/501/b")
	want := "\n\tdisabled services = {\n\t\t\"a\" => true\n\t\t\"b\" => false\n\t}\n"
	if diff := cmp.Diff(want, mustRun(t, m, "print-disabled", "gui/501")); diff != "" {
		t.Error(diff)
	}
}
