package brew

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnvFileLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		want       []variable
		skipped    []string
	}{
		{"plain", "HOST=0.0.0.0:11434\n", []variable{{"HOST", "0.0.0.0:11434"}}, nil},
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
		got, err := parseEnvFile([]byte(c.data), nil, func(line string) {
			skipped = append(skipped, line)
		})
		must(t, err)
		if !slices.Equal(c.want, got) || !slices.Equal(skipped, c.skipped) {
			t.Errorf("%s: %q, skipped %q", c.name, got, skipped)
		}
	}
	_, err := parseEnvFile([]byte("A=\xff\n"), nil, nil)
	if !errors.Is(err, errNotUTF8) {
		t.Errorf("invalid UTF-8: %v", err)
	}
}

func TestEnvFileModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode   fs.FileMode
		reason string
	}{
		{0o644, ""},
		{0o600, ""},
		{0o664, "file is group-writable"},
		{0o646, "file is world-writable"},
		{0o666, "file is world-writable"},
	} {
		path := filepath.Join(t.TempDir(), "ollama.env")
		must(t, os.WriteFile(path, []byte("A=1\n"), c.mode))
		must(t, os.Chmod(path, c.mode))
		var want, warnings []string
		if c.reason != "" {
			want = []string{"Skipping " + path + ": " + c.reason + "."}
		}
		env, err := readEnvFile(path, nil, func(text string) {
			warnings = append(warnings, text)
		})
		must(t, err)
		if (len(env) == 1) != (c.reason == "") || !slices.Equal(want, warnings) {
			t.Errorf("%o: %v, warnings %q", c.mode, env, warnings)
		}
	}
}

func TestUnreadableEnvFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	path := filepath.Join(t.TempDir(), "ollama.env")
	must(t, os.WriteFile(path, nil, 0o200))
	_, err := readEnvFile(path, nil, nil)
	want := "Permission denied @ rb_sysopen - " + path
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
