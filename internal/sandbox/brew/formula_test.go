package brew

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The fixtures come from brew's own generator.
func TestServicePlistIsHomebrews(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]struct {
		formula []variable
		envFile string
	}{
		"noenv":           {nil, ""},
		"noenv-host":      {nil, "OLLAMA_HOST=0.0.0.0:11434\n"},
		"env":             {formulaEnvironment(), ""},
		"env-host":        {formulaEnvironment(), "OLLAMA_HOST=0.0.0.0:11434\n"},
		"env-host-quoted": {formulaEnvironment(), "OLLAMA_HOST=\"0.0.0.0:11434\"\n"},
		"env-empty":       {formulaEnvironment(), "OLLAMA_HOST=\n"},
		"env-host-origins": {formulaEnvironment(),
			"OLLAMA_ORIGINS=http://a.example?x=1&y='2'\nOLLAMA_HOST=0.0.0.0:11434\n"},
	} {
		env, err := parseEnvFile([]byte(from.envFile), from.formula, nil)
		must(t, err)
		for machine, prefix := range map[string]string{
			"arm64": "/opt/homebrew", "x86_64": "/usr/local",
		} {
			file := "brew-" + machine + "-" + name + ".plist"
			want, err := os.ReadFile(filepath.Join("../../../fixtures/plists", file))
			must(t, err)
			got := string(servicePlist(prefix, legacyLabel, env))
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s: %s", file, diff)
			}
		}
	}
}

// The product looks into this file of Homebrew's own.
func TestServiceFileTellsOfTheEnvFile(t *testing.T) {
	t.Parallel()
	h := Homebrew{Prefix: t.TempDir()}
	for version, want := range map[string]bool{"6.0.14": false, "6.0.18": true} {
		must(t, h.SetVersion(version))
		source, err := os.ReadFile(filepath.Join(h.Prefix, "Library/Homebrew/service.rb"))
		must(t, err)
		if strings.Contains(string(source), "effective_environment_variables") != want {
			t.Errorf("%s:\n%s", version, source)
		}
	}
}
