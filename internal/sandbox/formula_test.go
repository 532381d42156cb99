package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// generated are the fixtures that come from brew's own generator, without their prefix's name, and what they are generated from.
var generated = map[string]struct {
	formula Formula
	envFile string
}{
	"noenv":            {FormulaNoEnv, ""},
	"noenv-host":       {FormulaNoEnv, "OLLAMA_HOST=0.0.0.0:11434\n"},
	"env":              {FormulaEnv, ""},
	"env-host":         {FormulaEnv, "OLLAMA_HOST=0.0.0.0:11434\n"},
	"env-host-quoted":  {FormulaEnv, "OLLAMA_HOST=\"0.0.0.0:11434\"\n"},
	"env-host-origins": {FormulaEnv, "OLLAMA_ORIGINS=http://a.example?x=1&y='2'\nOLLAMA_HOST=0.0.0.0:11434\n"},
	"env-empty":        {FormulaEnv, "OLLAMA_HOST=\n"},
}

func plistFixture(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join("..", "..", "fixtures", "plists", name+".plist"))
}

func TestServicePlistIsHomebrews(t *testing.T) {
	t.Parallel()
	for machine, prefix := range map[string]string{"arm64": "/opt/homebrew", "x86_64": "/usr/local"} {
		for name, from := range generated {
			env, err := parseEnvFile([]byte(from.envFile), from.formula.environment(), func(line string) { t.Errorf("%s: skipped %q", name, line) })
			check(t, err)
			want := plistFixture(t, "brew-"+machine+"-"+name)
			if diff := cmp.Diff(want, string(servicePlist(prefix, legacyLabel, env))); diff != "" {
				t.Errorf("%s, %s: %s", machine, name, diff)
			}
			want = strings.Replace(want, legacyLabel, canonicalLabel, 1)
			if diff := cmp.Diff(want, string(servicePlist(prefix, canonicalLabel, env))); diff != "" {
				t.Errorf("%s, %s, canonical label: %s", machine, name, diff)
			}
		}
	}
}

func TestStartWritesHomebrewsPlist(t *testing.T) {
	t.Parallel()
	for name, from := range generated {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newBrewMac(t, Options{Formula: from.formula})
			if from.envFile != "" {
				writeEnvFile(t, m, from.envFile)
			}
			mustBrew(t, m, "services", "start", "ollama")
			for _, machine := range []string{"arm64", "x86_64"} {
				want := string(m.Localise([]byte(plistFixture(t, "brew-"+machine+"-"+name))))
				if diff := cmp.Diff(want, readFile(t, agentPath(m, legacyLabel))); diff != "" {
					t.Errorf("%s: %s", machine, diff)
				}
			}
		})
	}
}

func TestServiceCommand(t *testing.T) {
	t.Parallel()
	env := append(FormulaEnv.environment(), variable{"PATH", "/bin"}, variable{"OLLAMA_HOST", `"0.0.0.0"`})
	want := `OLLAMA_FLASH_ATTENTION="1" OLLAMA_KV_CACHE_TYPE="q8_0" OLLAMA_HOST=""0.0.0.0"" /opt/homebrew/opt/ollama/bin/ollama serve`
	if got := serviceCommand("/opt/homebrew", env); got != want {
		t.Errorf("got %s", got)
	}
}

func TestReleases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version string
		envFile bool
		labels  []string // the first one known; the one written last
	}{
		{"6.0.0", false, []string{legacyLabel, legacyLabel}},
		{"6.0.14", false, []string{legacyLabel, legacyLabel}},
		{"6.0.15-9-g2bdc553", true, []string{legacyLabel, legacyLabel}},
		{"6.0.18", true, []string{legacyLabel, legacyLabel}},
		{"6.0.20", true, []string{canonicalLabel, legacyLabel}},
		{"6.0.21", true, []string{canonicalLabel, canonicalLabel}},
		{"7.0.7", true, []string{canonicalLabel, canonicalLabel}},
	} {
		r, err := parseRelease(c.version)
		check(t, err)
		if got := []string{r.labels()[0], r.label()}; r.since(firstEnvFile) != c.envFile || !cmp.Equal(got, c.labels) {
			t.Errorf("%s: env file %t, labels %q", c.version, r.since(firstEnvFile), got)
		}
	}
	for _, version := range []string{"", "6", "6.0", "6.0.x", "6.0.1.2", "v6.0.18", "4.4.27", "-1.0.0"} {
		if _, err := parseRelease(version); err == nil {
			t.Errorf("%q was taken", version)
		}
	}
	if m, err := Start(t.TempDir(), Options{Brew: "old"}); err == nil {
		m.Close()
		t.Error("a Mac started with no version of Homebrew")
	}
}

func TestServiceFileTellsOfTheEnvFile(t *testing.T) {
	t.Parallel()
	m := newBrewMac(t, Options{Brew: "6.0.14"})
	repository := strings.TrimSpace(mustBrew(t, m, "--repository"))
	if repository != m.Prefix() {
		t.Errorf("repository: %s", repository)
	}
	knows := func() bool {
		source, err := os.ReadFile(filepath.Join(repository, "Library", "Homebrew", "service.rb"))
		check(t, err)
		return strings.Contains(string(source), "effective_environment_variables")
	}
	if knows() {
		t.Error("6.0.14 knows the env file")
	}
	check(t, m.SetBrew("6.0.15"))
	if !knows() {
		t.Error("6.0.15 does not know the env file")
	}
	if err := m.SetBrew("soon"); err == nil {
		t.Error("SetBrew took no version")
	}
	if got := mustBrew(t, m, "--version"); got != "Homebrew 6.0.15\n" {
		t.Errorf("version: %q", got)
	}
}
