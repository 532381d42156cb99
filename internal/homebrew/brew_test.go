package homebrew

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrefixOf(t *testing.T) {
	for program, want := range map[string]string{
		"/opt/homebrew/opt/ollama/bin/ollama":                     "/opt/homebrew",
		"/usr/local/opt/ollama/bin/ollama":                        "/usr/local",
		"/opt/homebrew/Cellar/ollama/0.33.0_1/bin/ollama":         "/opt/homebrew",
		"/Users/alice/my brew/opt/ollama/bin/ollama":              "/Users/alice/my brew",
		"/opt/homebrew//opt/ollama/./bin/ollama":                  "/opt/homebrew",
		"/a/opt/ollama/bin/ollama/opt/ollama/bin/ollama":          "/a/opt/ollama/bin/ollama",
		"/opt/ollama/bin/ollama":                                  "",
		"/opt/homebrew/bin/ollama":                                "",
		"/opt/homebrew/Cellar/ollama/bin/ollama":                  "",
		"/opt/homebrew/Cellar/ollama/1/2/bin/ollama":              "",
		"/opt/homebrew/opt/ollama/bin/ollama2":                    "",
		"/opt/homebrew/opt/llama.cpp/bin/ollama":                  "",
		"opt/homebrew/opt/ollama/bin/ollama":                      "",
		"/Applications/Ollama.app/Contents/Resources/ollama":      "",
		"/opt/homebrew/opt/ollama/bin/../../../../tmp/bin/ollama": "",
		"": "",
	} {
		if got := PrefixOf(program); got != want {
			t.Errorf("PrefixOf(%q) = %q, want %q", program, got, want)
		}
	}
}

const (
	newSource = "  def effective_environment_variables\n  end\n"
	oldSource = "  def to_plist\n  end\n"
)

func TestFindInstallation(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string // path below the prefix's folder → text, or "→ target" for a link
		want  Installation      // with the paths below the prefix's folder
	}{
		{"Apple silicon", map[string]string{"p/Library/Homebrew/service.rb": newSource},
			Installation{"p", "p", true, true}},
		{"before 6.0.15", map[string]string{"p/Library/Homebrew/service.rb": oldSource},
			Installation{"p", "p", true, false}},
		{"Intel", map[string]string{"p/Homebrew/Library/Homebrew/service.rb": newSource, "p/Homebrew/bin/brew": "", "p/bin/brew": "→ ../Homebrew/bin/brew"},
			Installation{"p", "p/Homebrew", true, true}},
		{"Intel without the link", map[string]string{"p/Homebrew/Library/Homebrew/service.rb": newSource},
			Installation{"p", "p/Homebrew", true, true}},
		{"a link to elsewhere counts before the rest", map[string]string{
			"p/Library/Homebrew/service.rb": oldSource, "q/Library/Homebrew/service.rb": newSource, "q/bin/brew": "", "p/bin/brew": "→ ../../q/bin/brew"},
			Installation{"p", "q", true, true}},
		{"bin is a link, and the dots count from its end", map[string]string{
			"q/Library/Homebrew/service.rb": newSource, "q/bin/brew": "", "r/s/bin/brew": "→ ../../../q/bin/brew", "p/bin": "→ ../r/s/bin"},
			Installation{"p", "q", true, true}},
		{"a dead link", map[string]string{"p/Library/Homebrew/service.rb": newSource, "p/bin/brew": "→ /nowhere/bin/brew"},
			Installation{"p", "p", true, true}},
		{"the method has another name", map[string]string{"p/Library/Homebrew/service.rb": "path = HOMEBREW_USER_CONFIG_HOME"},
			Installation{"p", "p", true, true}},
		{"a link to the source", map[string]string{"p/Library": "→ ../store", "store/Homebrew/service.rb": newSource},
			Installation{"p", "p", true, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := buildTree(t, test.files)
			got := FindInstallation(filepath.Join(root, "p"))
			test.want.Prefix = filepath.Join(root, test.want.Prefix)
			test.want.Repository = filepath.Join(root, test.want.Repository)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("installation (-want +got):\n%s", diff)
			}
		})
	}
}

// buildTree makes files and links in a new folder and returns its path, in
// which no part is a link.
func buildTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, isLink := strings.CutPrefix(text, "→ "); isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindInstallationFails(t *testing.T) {
	root := buildTree(t, map[string]string{
		"empty/README":                         "",
		"folder/Library/Homebrew/service.rb/x": "",
		"huge/Library/Homebrew/service.rb":     string(bytes.Repeat([]byte("#\n"), maxSize)),
	})
	for _, prefix := range []string{root + "/none", root + "/empty", root + "/folder", root + "/huge", "opt/homebrew", ""} {
		got := FindInstallation(prefix)
		if diff := cmp.Diff(Installation{Prefix: prefix}, got); diff != "" {
			t.Errorf("installation (-want +got):\n%s", diff)
		}
	}
}
