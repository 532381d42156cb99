package plistfix_test

import (
	"fmt"

	"github.com/ollama-bind/ollama-bind/plistfix"
)

func ExampleSetEnv() {
	doc := []byte(`<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0">
<dict>
	<key>EnvironmentVariables</key>
	<dict>
		<!-- twice as fast -->
		<key>OLLAMA_FLASH_ATTENTION</key>
		<string>1</string>
	</dict>
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
	// <?xml version="1.0" encoding="UTF-8"?>
	// <plist version="1.0">
	// <dict>
	// 	<key>EnvironmentVariables</key>
	// 	<dict>
	// 		<!-- twice as fast -->
	// 		<key>OLLAMA_FLASH_ATTENTION</key>
	// 		<string>1</string>
	// 		<key>OLLAMA_HOST</key>
	// 		<string>0.0.0.0:11434</string>
	// 	</dict>
	// 	<key>Label</key>
	// 	<string>homebrew.mxcl.ollama</string>
	// </dict>
	// </plist>
}

func ExampleError() {
	doc := []byte("<plist>\n<dict>\n\t<key>Label</key>\n\t<string>a</string>\n\t<key>Label</key>\n\t<string>b</string>\n</dict>\n</plist>\n")
	fmt.Println(plistfix.Check(doc))
	// Output: line 5, column 2: duplicate key "Label"
}
