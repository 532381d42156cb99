package plistfix

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Large documents, each with too much of one thing, take no longer than others.
func TestLarge(t *testing.T) {
	const size = MaxSize / 8
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	unsorted := &strings.Builder{}
	for i := 40_000; unsorted.Len() < size; i-- {
		fmt.Fprintf(unsorted, "<key>%05d</key><true/>", i)
	}
	const env = "<key>EnvironmentVariables</key><dict><key>A</key><string>1</string>"
	tests := map[string]string{
		"blanks":         in(env + fill(" ") + "</dict>"),
		"lines":          in(env + fill("\r\n") + "</dict>"),
		"comments":       in(env + fill("<!-- -->") + "</dict>"),
		"comment lines":  in(env + fill(" <!-- - -->\n") + "</dict>"),
		"comment":        in("<key>A</key><!-- " + fill("- ") + " --><true/>"),
		"references":     in("<key>A</key><string>" + fill("&#65;") + "</string>"),
		"CDATA":          in("<key>A</key><string>" + fill("<![CDATA[]]>") + "</string>"),
		"brackets":       in("<key>A</key><string>" + fill("] ") + "</string>"),
		"key":            in("<key>" + fill("A") + "</key><true/>"),
		"base64":         in("<key>A</key><data>" + fill("AAAA\n") + "</data>"),
		"arrays":         in("<key>A</key><array>" + fill("<array/>") + "</array>"),
		"dicts":          in("<key>A</key><array>" + fill("<dict><key>a</key><true/></dict>") + "</array>"),
		"unsorted keys":  in(unsorted.String()),
		"plain document": string(grow([]byte(in("")), size)),
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			set := mustSet(t, []byte(doc))
			if string(mustUnset(t, set)) != doc {
				t.Error("UnsetEnv does not restore the document")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
