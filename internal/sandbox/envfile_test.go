package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFileLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		want       []variable
		skipped    []string
	}{
		{"plain", "OLLAMA_HOST=0.0.0.0:11434\n", []variable{{"OLLAMA_HOST", "0.0.0.0:11434"}}, nil},
		{"no final newline", "A=1", []variable{{"A", "1"}}, nil},
		{"spaces", " \t A \v=\f 1 \x00\r\n", []variable{{"A", "1"}}, nil},
		{"CRLF", "A=1\r\nB=2\r\n", []variable{{"A", "1"}, {"B", "2"}}, nil},
		{"comments and blank lines", "# A=1\n\n  \t\n  # B=2\n", nil, nil},
		{"no comment at the end of a line", "A=1 # lan\n", []variable{{"A", "1 # lan"}}, nil},
		{"quotes stay", `A="1"` + "\nB='2'\n", []variable{{"A", `"1"`}, {"B", "'2'"}}, nil},
		{"export is part of the key", "export A=1\n", []variable{{"export A", "1"}}, nil},
		{"first equals sign", "A=b=c\n", []variable{{"A", "b=c"}}, nil},
		{"empty value", "A=\nB =  \n", []variable{{"A", ""}, {"B", ""}}, nil},
		{"no expansion", "A=$HOME ~\n", []variable{{"A", "$HOME ~"}}, nil},
		{"last one wins", "A=1\nB=2\nA=3\n", []variable{{"A", "3"}, {"B", "2"}}, nil},
		{"byte order mark", "\ufeffA=1\n", []variable{{"\ufeffA", "1"}}, nil},
		{"byte order mark before a comment", "\ufeff# A\n", nil, []string{"\ufeff# A"}},
		{"invalid lines", "A\n =1\nB=2\n", []variable{{"B", "2"}}, []string{"A", "=1"}},
		{"a lone CR", "A=1\rB=2\n", []variable{{"A", "1\rB=2"}}, nil},
	} {
		var skipped []string
		got, err := parseEnvFile([]byte(c.data), nil, func(line string) { skipped = append(skipped, line) })
		check(t, err)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(variable{})); diff != "" || !cmp.Equal(skipped, c.skipped) {
			t.Errorf("%s: skipped %q, %s", c.name, skipped, diff)
		}
	}
	if _, err := parseEnvFile([]byte("A=\xff\n"), nil, nil); !errors.Is(err, errNotUTF8) {
		t.Errorf("invalid UTF-8: %v", err)
	}
}

func TestEnvFileOverridesTheFormula(t *testing.T) {
	t.Parallel()
	got, err := parseEnvFile([]byte("OLLAMA_HOST=x\nOLLAMA_FLASH_ATTENTION=0\n"), FormulaEnv.environment(), nil)
	check(t, err)
	want := []variable{{"OLLAMA_FLASH_ATTENTION", "0"}, {"OLLAMA_KV_CACHE_TYPE", "q8_0"}, {"OLLAMA_HOST", "x"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(variable{})); diff != "" {
		t.Error(diff)
	}
}

func TestEnvFileModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode   fs.FileMode
		root   bool
		reason string
	}{
		{0o644, false, ""},
		{0o600, false, ""},
		{0o664, false, "file is group-writable"},
		{0o646, false, "file is world-writable"},
		{0o666, false, "file is world-writable"},
		{0o644, true, "user env overrides are not supported for root services"},
	} {
		path := filepath.Join(t.TempDir(), "ollama.env")
		check(t, os.WriteFile(path, []byte("A=1\n"), c.mode))
		check(t, os.Chmod(path, c.mode))
		var want, warnings []string
		if c.reason != "" {
			want = []string{"Skipping " + path + ": " + c.reason + "."}
		}
		env, err := readEnvFile(path, c.root, nil, func(text string) { warnings = append(warnings, text) })
		check(t, err)
		if (len(env) == 1) != (c.reason == "") || !cmp.Equal(want, warnings) {
			t.Errorf("%o: %v, warnings %q", c.mode, env, warnings)
		}
	}
}

func TestEnvFileKinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link, dangling := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	check(t, os.WriteFile(real, []byte("A=1\n"), 0o644))
	check(t, os.Symlink(real, link))
	check(t, os.Symlink("nowhere", dangling))
	for path, count := range map[string]int{real: 1, link: 1, dangling: 0, dir: 0, filepath.Join(dir, "none"): 0} {
		env, err := readEnvFile(path, false, nil, func(text string) { t.Errorf("%s: %s", path, text) })
		if err != nil || len(env) != count {
			t.Errorf("%s: %v, %v", path, env, err)
		}
	}
}

func TestUnreadableEnvFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	path := filepath.Join(t.TempDir(), "ollama.env")
	check(t, os.WriteFile(path, nil, 0o200))
	_, err := readEnvFile(path, false, nil, nil)
	if want := "Permission denied @ rb_sysopen - " + path; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestEnvFilePath(t *testing.T) {
	t.Parallel()
	for want, vars := range map[string]map[string]string{
		"/h/.homebrew/services/ollama.env": {"HOME": "/h", "XDG_CONFIG_HOME": "", "HOMEBREW_USER_CONFIG_HOME": "/u"},
		"/x/homebrew/services/ollama.env":  {"HOME": "/h", "XDG_CONFIG_HOME": "/x", "HOMEBREW_XDG_CONFIG_HOME": "/b"},
		"/b/homebrew/services/ollama.env":  {"HOME": "/h", "HOMEBREW_XDG_CONFIG_HOME": "/b"},
	} {
		if got := envFilePath(func(name string) string { return vars[name] }); got != want {
			t.Errorf("%v: got %s", vars, got)
		}
	}
}
