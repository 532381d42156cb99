package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// machine describes what the figures were taken on, and nothing that tells whose it
// is.
func machine() string {
	return fmt.Sprintf("Taken on: %s, %d cores; %s; %s %s/%s.",
		cpuModel(), runtime.NumCPU(), systemName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func cpuModel() string {
	if runtime.GOOS == "darwin" {
		return orUnknown(output("sysctl", "-n", "machdep.cpu.brand_string"))
	}
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the model is unknown
	return orUnknown(field(text, `(?m)^model name\s*:\s*(.*)$`))
}

func systemName() string {
	if runtime.GOOS == "darwin" {
		return "macOS " + output("sw_vers", "-productVersion")
	}
	text, _ := os.ReadFile("/etc/os-release") // without it the system is unknown
	return orUnknown(field(text, `(?m)^PRETTY_NAME="?([^"\n]*)`))
}

func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output() // nothing is as good as unknown
	return strings.TrimSpace(string(out))
}

// field is what a pattern's first group finds in a text.
func field(text []byte, pattern string) string {
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		return ""
	}
	return strings.TrimSpace(string(found[1]))
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
