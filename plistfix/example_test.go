package plistfix_test

import (
	"fmt"

	"github.com/ollama-bind/ollama-bind/plistfix"
)

func ExampleSetEnv() {
	doc := []byte(`<plist version="1.0">
<dict>
	<!-- by hand -->
	<key>Label</key>
	<string>homebrew.mxcl.ollama</string>
</dict>
</plist>
`)
	edited, err := plistfix.SetEnv(doc, "OLLAMA_HOST", "0.0.0.0:11434")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", edited)
	// Output:
	// <plist version="1.0">
	// <dict>
	// 	<key>EnvironmentVariables</key>
	// 	<dict>
	// 		<key>OLLAMA_HOST</key>
	// 		<string>0.0.0.0:11434</string>
	// 	</dict>
	// 	<!-- by hand -->
	// 	<key>Label</key>
	// 	<string>homebrew.mxcl.ollama</string>
	// </dict>
	// </plist>
}

func ExampleError() {
	doc := []byte("<plist>\n<dict>\n\t<key>Label</key>\n\t<string>a</string>\n\t<key>Label</key>\n\t<string>b</string>\n</dict>\n</plist>\n")
	_, err := plistfix.Decode(doc)
	fmt.Println(err)
	// Output: line 5, column 2: duplicate key "Label"
}
