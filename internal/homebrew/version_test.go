package homebrew

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	revision := strings.Repeat("0123456789", 4)
	for name, tc := range map[string]struct {
		files map[string]string // below .git
		want  string
	}{
		"on a branch":       {map[string]string{"HEAD": "ref: refs/heads/stable\n", "refs/heads/stable": revision + "\n", "describe-cache/" + revision: "6.0.22\n"}, "6.0.22"},
		"between releases":  {map[string]string{"HEAD": revision + "\n", "describe-cache/" + revision: "6.0.22-14-gabcdef0\n"}, "6.0.22-14-gabcdef0"},
		"not written down":  {map[string]string{"HEAD": revision + "\n"}, ""},
		"of another commit": {map[string]string{"HEAD": revision + "\n", "describe-cache/" + strings.Repeat("a", 40): "6.0.22\n"}, ""},
		"a ref to anywhere": {map[string]string{"HEAD": "ref: ../../x\n", "describe-cache/" + revision: "6.0.22\n"}, ""},
		"no commit":         {map[string]string{"HEAD": "../HEAD\n"}, ""},
		"no repository":     {nil, ""},
	} {
		dir := t.TempDir()
		for path, text := range tc.files {
			path = filepath.Join(dir, ".git", path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := (Installation{Repository: dir, Known: true}).Version(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
