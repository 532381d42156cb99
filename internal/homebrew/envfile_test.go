package homebrew

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFile(t *testing.T) {
	const usual = "/Users/alice/.homebrew/services/ollama.env"
	for _, test := range []struct {
		name, home string
		env        map[string]string
		want       string
	}{
		{"nothing set", "/Users/alice", nil, usual},
		{"XDG", "/Users/alice", map[string]string{"XDG_CONFIG_HOME": "/Users/alice/.config"},
			"/Users/alice/.config/homebrew/services/ollama.env"},
		{"Homebrew's XDG", "/Users/alice", map[string]string{"HOMEBREW_XDG_CONFIG_HOME": "/x"}, "/x/homebrew/services/ollama.env"},
		{"XDG comes first", "/Users/alice", map[string]string{"XDG_CONFIG_HOME": "/a", "HOMEBREW_XDG_CONFIG_HOME": "/b"},
			"/a/homebrew/services/ollama.env"},
		{"the user cannot set this one", "/Users/alice", map[string]string{"HOMEBREW_USER_CONFIG_HOME": "/x"}, usual},
		{"final slash", "/Users/alice/", map[string]string{"XDG_CONFIG_HOME": "/x//"}, "/x/homebrew/services/ollama.env"},
		{"dots are left to the file system", "/h", map[string]string{"XDG_CONFIG_HOME": "/link/.."}, "/link/../homebrew/services/ollama.env"},
		{"root", "/h", map[string]string{"XDG_CONFIG_HOME": "/"}, "/homebrew/services/ollama.env"},
		{"relative", "/Users/alice", map[string]string{"XDG_CONFIG_HOME": ".config"}, ""},
		{"no home", "", nil, ""},
		{"no home but XDG", "", map[string]string{"XDG_CONFIG_HOME": "/x"}, "/x/homebrew/services/ollama.env"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := EnvFile(test.home, func(name string) string { return test.env[name] })
			if got != test.want {
				t.Errorf("EnvFile = %q, want %q", got, test.want)
			}
		})
	}
}

type vars = map[string]string

// TestParseEnvAgainstHomebrew has the rest.
func TestParseEnv(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       vars
	}{
		{"no file", "", vars{}},
		{"blanks do not count", " \tA \t=\v 1 2 \f\r\n", vars{"A": "1 2"}},
		{"Unicode's spaces count", "A=\u00a01\u2003\n\u00a0B=2\n", vars{"A": "\u00a01\u2003", "\u00a0B": "2"}},
		{"a CR ends no line", "A=1\rB=2\n", vars{"A": "1\rB=2"}},
		{"comments", "#A=1\n  # B=2\nC=3 # c\n", vars{"C": "3 # c"}},
		{"quotes stay", "A=\"1\"\nB='2'\n\"C\"=3\n", vars{"A": `"1"`, "B": "'2'", `"C"`: "3"}},
		{"the last one wins", "A=1\nB=2\nA =3\n", vars{"A": "3", "B": "2"}},
		{"no expansion", "A=$HOME/~\\n\n", vars{"A": `$HOME/~\n`}},
		{"a mark inside a line", "A\ufeff=1\n \ufeffB=\ufeff\n", vars{"A\ufeff": "1", "\ufeffB": "\ufeff"}},
		{"control characters in a comment", "# \x01\nA=1\n", vars{"A": "1"}},
		{"control characters where nothing is set", "\x01\nA=1\n=\x01", vars{"A": "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseEnv([]byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseEnvRefuses(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"mark", "\ufeff# c\n", "line 1: there is a byte order mark, which Homebrew takes as part of the name"},
		{"mark in the middle", "A=1\n\ufeffB=1\n", "line 2: there is a byte order mark, which Homebrew takes as part of the name"},
		{"not UTF-8", "A=1\nB=secret\xff\n", "line 2: this is not valid UTF-8, and Homebrew fails on it"},
		{"not UTF-8 in a comment", "# caf\xe9\n", "line 1: this is not valid UTF-8, and Homebrew fails on it"},
		{"UTF-16", "\xff\xfeA\x00=\x001\x00", "line 1: this is not valid UTF-8, and Homebrew fails on it"},
		{"cut off", "A=1\n\nB=\xc3", "line 3: this is not valid UTF-8, and Homebrew fails on it"},
		{"NUL", "A=1\nB=2\x00\n", "line 2: there is a NUL, which launchd cannot read in a plist"},
		{"NUL in a comment", "#\x00", "line 1: there is a NUL, which launchd cannot read in a plist"},
		{"control in a value", "A=1\x1b[0m\n", "line 1: there is the character U+001B, which launchd cannot read in a plist"},
		{"control in a name", "A\x01=1\n", "line 1: there is the character U+0001, which launchd cannot read in a plist"},
		{"vertical tab inside", "A=1\v2\n", "line 1: there is the character U+000B, which launchd cannot read in a plist"},
		{"no character", "A=\uffff\n", "line 1: there is the character U+FFFF, which launchd cannot read in a plist"},
		{"too large", strings.Repeat("#", MaxEnvFile+1), "the file is larger than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseEnv([]byte(test.data))
			wantEnvError(t, err, test.want)
			_, err = SetEnvLine([]byte(test.data), "A", "1")
			wantEnvError(t, err, test.want)
			_, err = UnsetEnvLine([]byte(test.data), "A")
			wantEnvError(t, err, test.want)
			if got := Suspicious([]byte(test.data), "A"); got != nil {
				t.Errorf("Suspicious = %q, want nothing", got)
			}
		})
	}
	if _, err := ParseEnv([]byte(strings.Repeat("#", MaxEnvFile))); err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
}

func wantEnvError(t *testing.T, err error, want string) {
	t.Helper()
	var refused *EnvError
	if !errors.As(err, &refused) || err.Error() != want {
		t.Errorf("error %v, want the EnvError %q", err, want)
	}
}

func TestSuspicious(t *testing.T) {
	const (
		quotes  = "Homebrew takes the quotes as part of the value of OLLAMA_HOST"
		comment = "Homebrew takes the comment as part of the value of OLLAMA_HOST"
		export  = "Homebrew does not know export, so this line does not set OLLAMA_HOST"
	)
	for _, test := range []struct {
		data string
		want []string
	}{
		{"", nil},
		{"# export OLLAMA_HOST=1\nOLLAMA_HOST=0.0.0.0:11434\n", nil},
		{"A=\"1\"\nexport A=1\nB=1 # secret\n", nil},
		{"OLLAMA_HOST=a#b\n", nil},
		{"\nexport OLLAMA_HOST=1\n", []string{"line 2: " + export}},
		{" export\t OLLAMA_HOST = 1\n", []string{"line 1: " + export}},
		{"export OLLAMA_HOST\nexport  =1\nexport X OLLAMA_HOST=1", nil},
		{"OLLAMA_HOST=\"0.0.0.0\"\nOLLAMA_HOST = '0.0.0.0\n", []string{"lines 1 and 2: " + quotes}},
		{"OLLAMA_HOST=0.0.0.0 # lan\nOLLAMA_HOST=0\t#\n", []string{"lines 1 and 2: " + comment}},
		{"OLLAMA_HOST= # lan\n", []string{"line 1: " + comment}},
		{"OLLAMA_HOST=\"0.0.0.0\" # lan\n", []string{"line 1: " + quotes, "line 1: " + comment}},
	} {
		if diff := cmp.Diff(test.want, Suspicious([]byte(test.data), "OLLAMA_HOST")); diff != "" {
			t.Errorf("Suspicious(%q) (-want +got):\n%s", test.data, diff)
		}
	}
}

// TestParseEnvAgainstHomebrew holds the reader against Homebrew's rules,
// written down once more, on many odd files, and sees what edits make of them.
func TestParseEnvAgainstHomebrew(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 6015))
	read, refused := 0, 0
	for read < 20000 {
		data := randomEnvFile(random)
		want, carried := homebrewReads(data)
		got, err := ParseEnv([]byte(data))
		if carried != (err == nil) {
			t.Fatalf("ParseEnv(%q): error %v, want one: %v", data, err, !carried)
		}
		if !carried {
			refused++
			continue
		}
		read++
		if !maps.Equal(want, got) { // cmp is too slow for so many
			t.Fatalf("ParseEnv(%q) (-want +got):\n%s", data, cmp.Diff(want, got))
		}
		checkEdits(t, []byte(data))
	}
	if refused < 500 {
		t.Errorf("only %d files were refused, which tests little", refused)
	}
}

// homebrewReads is Homebrew's reader of env files, transcribed statement by
// statement (Homebrew/brew Library/Homebrew/service.rb, at 6.0.18), and on
// purpose without anything of the reader under test. It also tells whether a
// plist can carry what was read.
func homebrewReads(text string) (env map[string]string, carried bool) {
	env, carried = map[string]string{}, !strings.Contains(text, "\x00") && !strings.Contains("\n"+text, "\n\ufeff")
	for _, line := range strings.SplitAfter(text, "\n") {
		key, value, isSet := homebrewReadsLine(line)
		if !isSet {
			continue
		}
		env[key] = value
		for c := rune(1); c < 0x20; c++ {
			if c != '\t' && c != '\r' && strings.ContainsRune(key+"\t"+value, c) {
				carried = false
			}
		}
	}
	return env, carried
}

func homebrewReadsLine(line string) (key, value string, isSet bool) {
	stripped := rubyStrip(line)
	if len(stripped) == 0 {
		return "", "", false
	}
	if stripped[:1] == "#" {
		return "", "", false
	}
	parts := strings.SplitN(stripped, "=", 2)
	if len(parts) < 2 {
		return "", "", false
	}
	key, value = rubyStrip(parts[0]), rubyStrip(parts[1])
	return key, value, key != ""
}

// rubyStrip is Ruby's String#strip: "Whitespace is defined as any of the
// following characters: null, horizontal tab, line feed, vertical tab, form
// feed, carriage return, space."
func rubyStrip(s string) string {
	white := func(c byte) bool { return c == 0 || 9 <= c && c <= 13 || c == 32 }
	for s != "" && white(s[0]) {
		s = s[1:]
	}
	for s != "" && white(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// randomEnvFile makes a file of up to nine lines out of what people and bad
// tools put into such files.
func randomEnvFile(random *rand.Rand) string {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	blank := func() string {
		return pick("", "", "", "", " ", "  ", "\t", "\r", " \t ", "\v", "\f", "\u00a0", "\u2028", "\u0085")
	}
	name := func() string {
		return pick("OLLAMA_HOST", "OLLAMA_HOST", "OLLAMA_HOST", "OLLAMA_HOSTS", "OLLAMA_DEBUG", "ollama_host", "A", "", "ÄÖ",
			"export OLLAMA_HOST", "OLLAMA HOST", "\"OLLAMA_HOST\"", "\ufeffA", "A#", "#A", "#")
	}
	value := func() string {
		return pick("", "0.0.0.0:11434", "127.0.0.1", "\"0.0.0.0\"", "'x'", "a b", "x # y", "#", "=", "a=b", "日本", "$HOME", "\\",
			"a\rb", "a\tb", fmt.Sprint(random.IntN(1000)), pick("a\vb", "\x01", "\x00", "x\x00", "1", "2", "3", "4"))
	}
	line := func() string {
		switch random.IntN(8) {
		case 0:
			return blank()
		case 1:
			return blank() + "#" + blank() + name() + pick("=", "") + value()
		case 2:
			return blank() + pick(name(), value()) + blank()
		}
		return blank() + name() + blank() + "=" + blank() + value() + blank()
	}
	var text strings.Builder
	text.WriteString(pick("", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "\ufeff"))
	for n := random.IntN(10); n > 0; n-- {
		text.WriteString(line() + pick("\n", "\n", "\n", "\r\n", "\r\n", "\n\n", "\r", "\n\r"))
	}
	text.WriteString(pick("", "", line()))
	return text.String()
}
