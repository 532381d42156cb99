package brew

import (
	"slices"
	"strings"
)

// variable is an environment variable of the service.
type variable struct{ key, value string }

// formulaEnvironment is what Ollama's service block sets, in the formula's order.
func formulaEnvironment() []variable {
	return []variable{{"OLLAMA_FLASH_ATTENTION", "1"}, {"OLLAMA_KV_CACHE_TYPE", "q8_0"}}
}

// setVariable sets a variable: in the place of the one that has the key, else at the
// end.
func setVariable(env []variable, v variable) []variable {
	i := slices.IndexFunc(env, func(old variable) bool { return old.key == v.key })
	if i < 0 {
		return append(env, v)
	}
	env[i] = v
	return env
}

// layout is what Ruby's plist gem makes of the service block: the keys in bytewise
// order.
const layout = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/` +
	`PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
ENVIRONMENT	<key>KeepAlive</key>
	<true/>
	<key>Label</key>
	<string>LABEL</string>
	<key>LimitLoadToSessionType</key>
	<array>
		<string>Aqua</string>
		<string>Background</string>
		<string>LoginWindow</string>
		<string>StandardIO</string>
		<string>System</string>
	</array>
	<key>ProgramArguments</key>
	<array>
		<string>PREFIX/opt/ollama/bin/ollama</string>
		<string>serve</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>StandardErrorPath</key>
	<string>PREFIX/var/log/ollama.log</string>
	<key>StandardOutPath</key>
	<string>PREFIX/var/log/ollama.log</string>
	<key>WorkingDirectory</key>
	<string>PREFIX/var</string>
</dict>
</plist>
`

// servicePlist is the plist that brew generates from the service block.
func servicePlist(prefix, label string, env []variable) []byte {
	return []byte(strings.NewReplacer(
		"ENVIRONMENT", environmentXML(env), "LABEL", label, "PREFIX", escape(prefix),
	).Replace(layout))
}

// environmentXML leaves the key out where there are no variables.
func environmentXML(env []variable) string {
	if len(env) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(env), func(a, b variable) int {
		return strings.Compare(a.key, b.key)
	})
	xml := "\t<key>EnvironmentVariables</key>\n\t<dict>\n"
	for _, v := range sorted {
		value := "<string/>"
		if v.value != "" {
			value = "<string>" + escape(v.value) + "</string>"
		}
		xml += "\t\t<key>" + escape(v.key) + "</key>\n\t\t" + value + "\n"
	}
	return xml + "\t</dict>\n"
}

// escape writes an apostrophe as Ruby does, which is not how Go's encoding/xml does.
func escape(s string) string {
	return strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
}
