package homebrew

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	variable = "OLLAMA_HOST"
	wanted   = "0.0.0.0:11434"
)

// TestEditFixtures holds the edits against the files in fixtures/envfile.
func TestEditFixtures(t *testing.T) {
	set, err := filepath.Glob("../../fixtures/envfile/*.set.env")
	if err != nil || len(set) < 8 {
		t.Fatalf("%d fixtures found, error %v", len(set), err)
	}
	for _, path := range set {
		stem := strings.TrimSuffix(path, ".set.env")
		t.Run(filepath.Base(stem), func(t *testing.T) {
			before := readFixture(t, stem+".env")
			got, err := SetEnvLine(before, variable, wanted)
			wantBytes(t, got, err, readFixture(t, stem+".set.env"))
			got, err = UnsetEnvLine(before, variable)
			wantBytes(t, got, err, readFixture(t, stem+".unset.env"))
		})
	}
}

func readFixture(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wantBytes(t *testing.T, got []byte, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestSetEnvLine(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"there already", " OLLAMA_HOST =\t0.0.0.0:11434 \r\n", " OLLAMA_HOST =\t0.0.0.0:11434 \r\n"},
		{"spacing stays", "\t OLLAMA_HOST =  1 2 \t\r\nA=1\n", "\t OLLAMA_HOST =  0.0.0.0:11434 \t\r\nA=1\n"},
		{"no value yet", "OLLAMA_HOST= \r\n", "OLLAMA_HOST=0.0.0.0:11434 \r\n"},
		{"the value is the name", "OLLAMA_HOST=OLLAMA_HOST\n", "OLLAMA_HOST=0.0.0.0:11434\n"},
		{"mixed line endings: as the last", "A=1\r\nB=2\n", "A=1\r\nB=2\nOLLAMA_HOST=0.0.0.0:11434\n"},
		{"CRLF, the last line without", "A=1\r\nB=2", "A=1\r\nB=2\r\nOLLAMA_HOST=0.0.0.0:11434"},
		{"a lone CR at the end", "A=1\r", "A=1\r\r\nOLLAMA_HOST=0.0.0.0:11434"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := SetEnvLine([]byte(test.data), variable, wanted)
			wantBytes(t, got, err, []byte(test.want))
		})
	}
}

func TestSetEnvLineLeavesItsInputAlone(t *testing.T) {
	room := append(make([]byte, 0, 100), "A=1\nOLLAMA_HOST=a long enough value\n"...)
	before := string(room[:cap(room)])
	for _, data := range [][]byte{room, room[:4], room[:3]} {
		if _, err := SetEnvLine(data, variable, wanted); err != nil {
			t.Fatal(err)
		}
		if _, err := UnsetEnvLine(data, variable); err != nil {
			t.Fatal(err)
		}
	}
	if string(room[:cap(room)]) != before {
		t.Error("the caller's bytes were changed")
	}
}

func TestSetEnvLineRefuses(t *testing.T) {
	for _, test := range []struct{ name, key, value, want string }{
		{"no name", "", "1", `"" is not the name of an environment variable`},
		{"name with =", "A=B", "1", `"A=B" is not the name of an environment variable`},
		{"name with blank", "export A", "1", `"export A" is not the name of an environment variable`},
		{"name of a comment", "#A", "1", `"#A" is not the name of an environment variable`},
		{"name beyond ASCII", "Ä", "1", `"Ä" is not the name of an environment variable`},
		{"leading space", "A", " 1", "the variable's value has blanks around it, which Homebrew drops"},
		{"final newline", "A", "1\n", "the variable's value has blanks around it, which Homebrew drops"},
		{"final NUL", "A", "1\x00", "the variable's value has blanks around it, which Homebrew drops"},
		{"second line", "A", "1\nB=2", "the variable's value holds a control character"},
		{"tab", "A", "1\t2", "the variable's value holds a control character"},
		{"delete", "A", "1\x7f2", "the variable's value holds a control character"},
		{"no character", "A", "1\ufffe", "the variable's value holds a control character"},
		{"comment", "A", "1 # 2", "the variable's value holds a #, which looks like a comment, but not to Homebrew"},
		{"not UTF-8", "A", "\xff", "the variable's value is not valid UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := SetEnvLine(nil, test.key, test.value)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	_, err := SetEnvLine([]byte(strings.Repeat("#", MaxEnvFile)), "A", "1")
	wantEnvError(t, err, "reading the edit back: the file is larger than 1048576 bytes")
}

func TestUnsetEnvLine(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"last, no final line ending, CRLF", "A=1\r\nOLLAMA_HOST=1", "A=1"},
		{"first, no final line ending", "OLLAMA_HOST=1\nA=1", "A=1"},
		{"all of them", "OLLAMA_HOST=1\nA=1\n OLLAMA_HOST=2\nB=2\nOLLAMA_HOST =\nOLLAMA_HOST=3", "A=1\nB=2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := UnsetEnvLine([]byte(test.data), variable)
			wantBytes(t, got, err, []byte(test.want))
		})
	}
}

func TestReadBackRefuses(t *testing.T) {
	const want = "reading the edit back: it changes more than the one variable"
	for _, edited := range []string{"", "A=2", "A=1\nB=2", "B=1"} {
		got, err := readBack([]byte(edited), vars{"A": "1"})
		if got != nil || err == nil || err.Error() != want {
			t.Errorf("readBack(%q) = %q, %v, want the error %q", edited, got, err, want)
		}
	}
	_, err := readBack([]byte("A=\xff"), vars{"A": "1"})
	wantEnvError(t, err, "reading the edit back: line 1: this is not valid UTF-8, and Homebrew fails on it")
}

func FuzzEdit(f *testing.F) {
	for _, seed := range []string{
		"", "A=1", "A=1\r", "\r\r\n", "OLLAMA_HOST", "OLLAMA_HOST=", "OLLAMA_HOST=1\nOLLAMA_HOST=2", "\ufeffA=1", "A=\xff", "\x00",
		"#OLLAMA_HOST=1\n=\n", " OLLAMA_HOST\v=\f1 \r\nA=1\r\n", "export OLLAMA_HOST=\"1\" # c\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkEdits)
}

// checkEdits sets and unsets the variable in a file, and wants what holds for every edit.
// Which lines set it is asked of the transcription, not of the reader under test.
func checkEdits(t *testing.T, data []byte) {
	t.Helper()
	Suspicious(data, variable)
	before, err := ParseEnv(data)
	if err != nil {
		return
	}
	set, err := SetEnvLine(data, variable, wanted)
	if err != nil {
		t.Fatalf("setting in %q: %v", data, err)
	}
	unset, err := UnsetEnvLine(data, variable)
	if err != nil {
		t.Fatalf("unsetting in %q: %v", data, err)
	}
	checkReads(t, data, set, before, true)
	checkReads(t, data, unset, before, false)
	checkSetLines(t, data, set)
	checkUnsetLines(t, data, unset)
	checkAgain(t, data, set, before)
}

// checkReads: Homebrew reads the same variables as before, and ours as wanted.
func checkReads(t *testing.T, data, edited []byte, before vars, isSet bool) {
	t.Helper()
	want := maps.Clone(before)
	delete(want, variable)
	if isSet {
		want[variable] = wanted
	}
	if got, _ := homebrewReads(string(edited)); !maps.Equal(got, want) {
		t.Fatalf("%q became %q, which reads\n%q, want\n%q", data, edited, got, want)
	}
}

// checkSetLines: one line is new or changed, the last that sets the variable.
func checkSetLines(t *testing.T, data, set []byte) {
	t.Helper()
	before, after := lines(data), lines(set)
	last := len(before)
	for i, line := range before {
		if ours(line) {
			last = i
		}
	}
	if last == len(before) {
		if last > 0 && unfinished(data) {
			before[last-1] += strings.TrimPrefix(after[last-1], before[last-1])
		}
		before = append(before, "")
	}
	if len(after) != len(before) || !slices.Equal(before[:last], after[:last]) || !slices.Equal(before[last+1:], after[last+1:]) {
		t.Fatalf("%q became %q: not only line %d changed", data, set, last+1)
	}
}

// checkUnsetLines: the lines that set the variable are gone, no others.
func checkUnsetLines(t *testing.T, data, unset []byte) {
	t.Helper()
	want := strings.Join(slices.DeleteFunc(lines(data), ours), "")
	if got := string(unset); got != want && (got != strings.TrimSuffix(strings.TrimSuffix(want, "\n"), "\r") || !unfinished(data)) {
		t.Fatalf("%q became %q, want %q", data, unset, want)
	}
}

// checkAgain: a second edit changes nothing, and unsetting takes back setting.
func checkAgain(t *testing.T, data, set []byte, before vars) {
	t.Helper()
	again, err := SetEnvLine(set, variable, wanted)
	if err != nil || !bytes.Equal(again, set) {
		t.Fatalf("set twice, %q became %q, then %q, %v", data, set, again, err)
	}
	back, err := UnsetEnvLine(set, variable)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := before[variable]; !ok && !bytes.Equal(back, data) {
		t.Fatalf("set and unset, %q became %q, then %q", data, set, back)
	}
}

func lines(data []byte) []string {
	all := strings.SplitAfter(string(data), "\n")
	return slices.DeleteFunc(all, func(line string) bool { return line == "" })
}

func ours(line string) bool {
	key, _, isSet := homebrewReadsLine(line)
	return isSet && key == variable
}
