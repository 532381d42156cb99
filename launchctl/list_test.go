package launchctl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseList(t *testing.T) {
	tests := map[string]Job{
		"list-label-homebrew.mxcl.ollama.txt": {
			Program:    "/opt/homebrew/opt/ollama/bin/ollama",
			Arguments:  []string{"/opt/homebrew/opt/ollama/bin/ollama", "serve"},
			StdoutPath: "/opt/homebrew/var/log/ollama.log",
			StderrPath: "/opt/homebrew/var/log/ollama.log",
			PID:        24901,
			LastExit:   "0",
		},
		"list-label-pidash.txt": {
			Program:    "/Users/user/.local/bin/pidash",
			StdoutPath: "/Users/user/Library/Application Support/so.pidash.pidash/logs/runner.out.log",
			StderrPath: "/Users/user/Library/Application Support/so.pidash.pidash/logs/runner.err.log",
			PID:        884,
			LastExit:   "0",
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseList(capture(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseListEdges(t *testing.T) {
	const head = "{\n\t\"Label\" = \"l\";\n"
	tests := []struct {
		name, text string
		want       Job
	}{
		{"not running", head + "};\n", Job{}},
		{"exit code 75 is 19200", head + "\t\"LastExitStatus\" = 19200;\n};\n", Job{LastExit: "75"}},
		{"signal 9", head + "\t\"LastExitStatus\" = 9;\n};\n", Job{LastExit: "signal 9"}},
		{"quotes", head + "\t\"Program\" = \"/a \"b\"; c\";\n};\n", Job{Program: `/a "b"; c`}},
		{"empty", head + "\t\"Program\" = \"\";\n\t\"ProgramArguments\" = (\n\t);\n};\n", Job{}},
		{"a line break", head + "\t\"Program\" = \"/a\n\t\"PID\" = 1\";\n};\n", Job{Program: "/a\n\t\"PID\" = 1"}},
		{"nested", head + "\t\"MachServices\" = {\n\t\t\"PID\" = mach-port-object;\n\t};\n\t\"PID\" = 7;\n};\n", Job{PID: 7}},
	}
	for _, tt := range tests {
		got, err := ParseList([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseListRefuses(t *testing.T) {
	tests := map[string]string{
		"empty":              "",
		"an error text":      string(capture(t, "list-label-missing.stderr.txt")),
		"the table":          string(capture(t, "list-table-macos27.txt")),
		"an answer of print": string(capture(t, "print-running-chat.txt")),
		"cut short":          "{\n\t\"Label\" = \"l\";\n",
		"no label":           "{\n\t\"PID\" = 1;\n};\n",
		"pid twice":          "{\n\t\"Label\" = \"l\";\n\t\"PID\" = 1;\n\t\"PID\" = 2;\n};\n",
		"pid in words":       "{\n\t\"Label\" = \"l\";\n\t\"PID\" = one;\n};\n",
	}
	for name, text := range tests {
		if job, err := ParseList([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, job, err)
		}
	}
}

func TestParsePrintDisabled(t *testing.T) {
	tests := map[string]map[string]bool{
		"print-disabled-gui501.txt": {
			"com.docker.helper":                          false,
			"com.apple.ManagedClientAgent.enrollagent":   true,
			"com.ollama.ollama":                          false,
			"com.meta.mqrd.launcher":                     false,
			"com.ciao.menubar":                           true,
			"com.apple.Siri.agent":                       false,
			"com.apple.FolderActionsDispatcher":          true,
			"ing.paperclip.paperclipai":                  false,
			"ai.openclaw.gateway":                        true,
			"com.openai.chat-helper":                     false,
			"com.ciao.server":                            false,
			"com.apple.appleseed.seedusaged.postinstall": true,
			"com.apple.ScriptMenuApp":                    true,
			"com.logi.cp-dev-mgr":                        false,
			"Ciaobot":                                    true,
		},
		"print-disabled-macos27-trimmed.txt": {
			"com.flint.ollama":  false,
			"com.flint.retrain": true,
			"com.flint.server":  false,
			"com.flint.grow":    true,
		},
		"print-disabled-with-associations.txt": {"com.docker.helper": false},
	}
	for name, want := range tests {
		got, err := ParsePrintDisabled(capture(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Before macOS 13 the words were about "disabled", not about the service.
func TestParsePrintDisabledOldWords(t *testing.T) {
	got, err := ParsePrintDisabled([]byte("\n\tdisabled services = {\n\t\t\"a\" => true\n\t\t\"b\" => false\n\t}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "b": false}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "disabled services = {\n", "disabled services = {\n\"a\" => maybe\n}\n"} {
		if got, err := ParsePrintDisabled([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, %v; want ErrFormat", text, got, err)
		}
	}
}
