package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// Formula says which service block the Ollama formula has.
type Formula int

const (
	// FormulaEnv is the formula since May 2025: it sets OLLAMA_FLASH_ATTENTION and OLLAMA_KV_CACHE_TYPE.
	FormulaEnv Formula = iota
	// FormulaNoEnv is the formula before: it sets no environment variables.
	FormulaNoEnv
)

// variable is an environment variable of the service.
type variable struct{ key, value string }

// environment is what the service block sets, in the formula's order.
func (f Formula) environment() []variable {
	if f == FormulaNoEnv {
		return nil
	}
	return []variable{{"OLLAMA_FLASH_ATTENTION", "1"}, {"OLLAMA_KV_CACHE_TYPE", "q8_0"}}
}

// setVariable sets a variable: in the place of the one that has the key, else at the end.
func setVariable(env []variable, v variable) []variable {
	i := slices.IndexFunc(env, func(old variable) bool { return old.key == v.key })
	if i < 0 {
		return append(env, v)
	}
	env[i] = v
	return env
}

// sessions are the values of LimitLoadToSessionType for a service that may run in any.
var sessions = []string{"Aqua", "Background", "LoginWindow", "StandardIO", "System"}

func serviceProgram(prefix string) []string {
	return []string{prefix + "/opt/ollama/bin/ollama", "serve"}
}

// servicePlist is the property list that brew generates from the service block.
func servicePlist(prefix, label string, env []variable) []byte {
	log := prefix + "/var/log/ollama.log"
	var p gemPlist
	p.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
`)
	p.environment(env)
	p.key("KeepAlive").line("<true/>")
	p.key("Label").text(label)
	p.key("LimitLoadToSessionType").array(sessions)
	p.key("ProgramArguments").array(serviceProgram(prefix))
	p.key("RunAtLoad").line("<true/>")
	p.key("StandardErrorPath").text(log)
	p.key("StandardOutPath").text(log)
	p.key("WorkingDirectory").text(prefix + "/var")
	p.WriteString("</dict>\n</plist>\n")
	return []byte(p.String())
}

// gemPlist writes the layout of Ruby's plist gem: the keys of every dictionary in bytewise order, one TAB a level, none for the outermost.
type gemPlist struct {
	strings.Builder
	deeper bool // one level below the outermost dictionary's entries
}

func (p *gemPlist) line(s string) {
	if p.deeper {
		p.WriteByte('\t')
	}
	p.WriteString("\t" + s + "\n")
}

func (p *gemPlist) key(name string) *gemPlist {
	p.line("<key>" + gemEscape(name) + "</key>")
	return p
}

func (p *gemPlist) text(s string) {
	if s == "" {
		p.line("<string/>")
		return
	}
	p.line("<string>" + gemEscape(s) + "</string>")
}

func (p *gemPlist) array(items []string) {
	p.block("array", func() {
		for _, item := range items {
			p.text(item)
		}
	})
}

func (p *gemPlist) block(element string, body func()) {
	p.line("<" + element + ">")
	p.deeper = true
	body()
	p.deeper = false
	p.line("</" + element + ">")
}

// environment leaves the key out where there are no variables.
func (p *gemPlist) environment(env []variable) {
	if len(env) == 0 {
		return
	}
	sorted := slices.SortedFunc(slices.Values(env), func(a, b variable) int { return strings.Compare(a.key, b.key) })
	p.key("EnvironmentVariables").block("dict", func() {
		for _, v := range sorted {
			p.key(v.key).text(v.value)
		}
	})
}

// gemEscape writes an apostrophe as Ruby does, which is not how Go's encoding/xml does.
func gemEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
}

// serviceCommand is how brew tells to run the program by hand. The values are not escaped.
func serviceCommand(prefix string, env []variable) string {
	var words []string
	for _, v := range env {
		if v.key != "PATH" {
			words = append(words, fmt.Sprintf(`%s="%s"`, v.key, v.value))
		}
	}
	return strings.Join(append(words, serviceProgram(prefix)...), " ")
}
