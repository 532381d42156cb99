package plistfix

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keep names a folder for the edited documents, for fixtures/plistfix/judge.py.
var keep = flag.String("keep", "", "write the edited corpus to this `folder`")

// verdict is what became of one file of the corpus: a line of corpus.tsv.
type verdict struct {
	file     string
	reason   string // why it is refused
	sha256   string // of the edited document, when it is accepted
	plistlib string // what Python's plistlib finds the edit did
}

func (v verdict) String() string {
	if v.reason != "" {
		return fmt.Sprintf("%s\trefused\t%s\t\t\n", v.file, v.reason)
	}
	return fmt.Sprintf("%s\taccepted\t\t%s\t%s\n", v.file, v.sha256, v.plistlib)
}

const corpusHeader = "file\tverdict\treason\tsha256\tplistlib\n"

// recorded reads corpus.tsv.
func recorded(t *testing.T) map[string]verdict {
	t.Helper()
	verdicts := map[string]verdict{}
	for _, line := range strings.Split(string(read(t, "plistfix/corpus.tsv")), "\n")[1:] {
		if f := strings.Split(line, "\t"); len(f) == 5 {
			verdicts[f[0]] = verdict{file: f[0], reason: f[2], sha256: f[3], plistlib: f[4]}
		}
	}
	return verdicts
}

// judge runs SetEnv on one file of the corpus, bounded in time and memory.
func judge(t *testing.T, name string) (verdict, []byte) {
	t.Helper()
	v := verdict{file: strings.TrimSuffix(filepath.Base(name), ".plist")}
	doc := read(t, name)
	timer := time.AfterFunc(10*time.Second, func() { panic(name + " takes too long") })
	defer timer.Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	edited, err := SetEnv(doc, hostName, wanted)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("%s: %d bytes allocated", name, got)
	}
	if err != nil {
		v.reason = err.Error()
		return v, nil
	}
	v.sha256 = fmt.Sprintf("%x", sha256.Sum256(edited))
	return v, edited
}

// The verdict on each file of the corpus is on record, with what plistlib made
// of each edit: the value before plus the one variable. With -update the record
// is rewritten; judge.py fills in the last column then.
func TestCorpus(t *testing.T) {
	record := recorded(t)
	table := corpusHeader
	for _, name := range list(t, "corpus/*.plist") {
		v, edited := judge(t, name)
		old, ok := record[v.file]
		if ok && old.sha256 == v.sha256 {
			v.plistlib = old.plistlib
		}
		table += v.String()
		if edited != nil && *keep != "" {
			if err := os.WriteFile(filepath.Join(*keep, v.file+".plist"), edited, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want := "before+key"
		if v.file == "x-decl-none" { // plistlib insists on an XML declaration
			want = "refuses both"
		}
		if edited != nil && v.plistlib != want {
			t.Errorf("%s: plistlib: %q; run judge.py", v.file, v.plistlib)
		}
	}
	if *update {
		if err := os.WriteFile(fixtures+"plistfix/corpus.tsv", []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, "plistfix/corpus.tsv")), table); diff != "" {
		t.Errorf("corpus.tsv (-want +got):\n%s", diff)
	}
}

// stricter lists what every parser reads as the same value, and is refused
// nevertheless.
var stricter = map[string]string{
	"x-com-psychic":        "the comment that once told Apple's readers apart",
	"x-dup-env-typ":        "duplicate key",
	"x-dup-host":           "duplicate key",
	"x-dup-label":          "duplicate key",
	"x-env-case":           "launchd may take it for EnvironmentVariables",
	"x-env-keyws":          "launchd may take it for EnvironmentVariables",
	"x-envtype-array":      "no dict of strings",
	"x-envtype-data":       "no dict of strings",
	"x-envtype-emptyarray": "no dict of strings",
	"x-envtype-string":     "no dict of strings",
	"x-envtype-true":       "no dict of strings",
	"x-envval-int":         "no dict of strings",
	"x-hostval-array":      "no dict of strings",
	"x-hostval-data":       "no dict of strings",
	"x-hostval-real":       "no dict of strings",
	"x-hostval-true":       "no dict of strings",
	"x-deep-500":           "too deep, and the root is an array",
	"x-attr-many":          "attributes",
	"x-pl-dictattr":        "attribute",
	"x-pl-xmlns":           "attribute",
	"x-pl-none":            "no plist element",
	"x-pi-dict":            "processing instruction",
	"x-pi-top":             "processing instruction",
}

// The corpus' index says what other parsers made of each file. What kills one of
// them, and what none accepts, is refused. What all read as the same value is
// accepted, but for a known list.
func TestCorpusOpinions(t *testing.T) {
	for _, line := range strings.Split(string(read(t, "corpus/index.tsv")), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) < 11 {
			continue
		}
		name, killer := f[0], strings.Contains(f[3], "!")
		accepting, opinions := 0, map[string]bool{}
		// howett.net/plist, plistlib, libplist, GNUstep, Apple's; not all read binary
		for _, p := range []string{f[4], f[6], f[7], f[8], f[10]} {
			if strings.HasPrefix(p, "OK#") { // and the hash of the value
				accepting++
			}
			opinions[p] = true
		}
		_, err := check(read(t, "corpus/"+name+".plist"), "")
		if (killer || accepting == 0) && err == nil {
			t.Errorf("%s is accepted; killer %v, %d parsers accept it", name, killer, accepting)
		}
		_, known := stricter[name]
		if accepting == 5 && len(opinions) == 1 && known != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
