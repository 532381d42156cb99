package homebrew

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerated(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "fixtures", "plists", "brew-*.plist"))
	if err != nil || len(files) < 15 {
		t.Fatalf("fixtures: %v, %v", files, err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !Generated(doc) {
			t.Errorf("%s is what Homebrew writes", file)
		}
		timeout := []byte("\t<key>ExitTimeOut</key>\n\t<integer>30</integer>\n\t<key>KeepAlive")
		if !Generated(bytes.Replace(doc, []byte("\t<key>KeepAlive"), timeout, 1)) {
			t.Errorf("%s with a stop_timeout is what Homebrew writes", file)
		}
		for name, edited := range map[string][]byte{
			"another indentation":  bytes.ReplaceAll(doc, []byte("\t"), []byte("    ")),
			"one line indented":    bytes.Replace(doc, []byte("\t<key>Label"), []byte("\t\t<key>Label"), 1),
			"a comment":            bytes.Replace(doc, []byte("\t<key>Label"), []byte("\t<!-- mine -->\n\t<key>Label"), 1),
			"a key of no formula":  bytes.Replace(doc, []byte("<key>WorkingDirectory"), []byte("<key>WatchPaths"), 1),
			"another order":        bytes.Replace(doc, []byte("<key>Label"), []byte("<key>ZZZ"), 1),
			"an integer":           bytes.Replace(doc, []byte("<true/>"), []byte("<integer>1</integer>"), 1),
			"no final newline":     bytes.TrimSuffix(doc, []byte("\n")),
			"CRLF":                 bytes.ReplaceAll(doc, []byte("\n"), []byte("\r\n")),
			"another DOCTYPE":      bytes.Replace(doc, []byte("-//Apple//"), []byte("-//Apple Computer//"), 1),
			"one bracket too many": bytes.Replace(doc, []byte(footer), []byte("\t</dict>\n"+footer), 1),
			"nothing":              nil,
		} {
			if Generated(edited) {
				t.Errorf("%s with %s is taken for Homebrew's", file, name)
			}
		}
		if !Generated([]byte(strings.Replace(string(doc), "homebrew.mxcl", "sh.brew", 1))) {
			t.Errorf("%s under the canonical label is what Homebrew writes", file)
		}
	}
}
