// Package clients finds where a container looks for Ollama, by its environment. Every
// program has a variable of its own, so this goes by what values hold, and by names
// only if they speak of Ollama.
package clients

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Target is a place in a container's environment that points to Ollama.
type Target struct {
	Variable string
	Value    string // as it is set, or one part of a list or text
	// URL is what a client makes of the value. If a scheme is missing and that is
	// unknown, it is the URL that was probably meant.
	URL string
}

// Bundled is set in the Open WebUI image that includes an Ollama of its own.
const Bundled = "USE_OLLAMA_DOCKER"

// maxKept is how much of a value is examined, in bytes.
const maxKept = 64 << 10

// Keep picks the variables that may hold an address, and those of proxies. Of a
// variable that is set twice, the last value counts.
func Keep(env []string) map[string]string {
	kept := map[string]string{}
	for _, line := range env {
		name, value, found := strings.Cut(line, "=")
		if found && (isProxy(name) || name == Bundled || speaksOfOllama(name) || mayHold.MatchString(value)) {
			kept[text.Printable(name, text.MaxDetail)] = text.Printable(value, maxKept)
		}
	}
	return kept
}

var mayHold = regexp.MustCompile(`(?i)https?:|[a-z0-9\]]:[0-9]{2}`)

// order puts the variables of Open WebUI and of Ollama's own client before all others.
var order = []string{"OLLAMA_BASE_URL", "OLLAMA_BASE_URLS", "OLLAMA_API_BASE", "OLLAMA_API_BASE_URL", ollama.Variable}

// Targets lists what an environment points to, in a fixed order and each URL once. The
// ports are Ollama's: 11434 is always one.
func Targets(env map[string]string, ports ...int) []Target {
	ports = append(ports, ollama.DefaultPort)
	names := slices.SortedFunc(maps.Keys(env), func(a, b string) int {
		if i, j := rank(a), rank(b); i != j {
			return i - j
		}
		return strings.Compare(a, b)
	})
	var all []Target
	for _, name := range names {
		for _, value := range addresses(name, strings.TrimSpace(env[name]), ports) {
			t := Target{name, value, clientURL(env, name, value)}
			known := slices.ContainsFunc(all, func(o Target) bool { return o.URL == t.URL })
			// Open WebUI ignores its default if a list is set.
			unused := IsWebUIDefault(name, value) && env["OLLAMA_BASE_URLS"] != ""
			if !known && !unused {
				all = append(all, t)
			}
		}
	}
	return all
}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// addresses are the parts of a value that point to Ollama.
func addresses(name, value string, ports []int) []string {
	ours := func(part string) bool { return slices.Contains(ports, portIn(part)) && !isListening(part) }
	about := has(name, neverAddress...)
	switch {
	case value == "", isProxy(name), about:
		return nil
	case IsWebUIDefault(name, value):
		return []string{value}
	}
	named := speaksOfOllama(name) && !has(name, noAddress...)
	if parts := split(value); len(parts) > 1 && (has(name, "URLS", "HOSTS", "ENDPOINTS", "SERVERS") || all(parts, IsAddress)) {
		return slices.DeleteFunc(parts, func(part string) bool { return !named && !ours(part) })
	}
	switch whole := strings.Trim(value, `"'`); {
	case named && (IsAddress(whole) || has(name, addressWords...) && meantForOne(whole)):
		return []string{value}
	case IsAddress(whole) && ours(whole):
		return []string{value}
	case IsAddress(whole):
		return nil
	}
	var found []string
	for _, at := range urls.FindAllStringIndex(value, -1) {
		part := value[at[0]:at[1]]
		isURL := strings.Contains(part, "://")
		inURL := !isURL && at[0] > 0 && strings.ContainsAny(value[at[0]-1:at[0]], "/@") // of another kind
		if IsAddress(part) && !inURL && (ours(part) || named && isURL) {
			found = append(found, part)
		}
	}
	return found
}

// What names mean, word by word. neverAddress names the program's own address, or whom
// it lets in; noAddress is about other settings of Ollama's.
var (
	neverAddress = []string{"ORIGIN", "ORIGINS", "CORS", "LISTEN", "BIND", "CALLBACK", "REDIRECT", "NEXTAUTH"}
	noAddress    = []string{"MODEL", "MODELS", "KEY", "TOKEN", "DOCS", "DOWNLOAD", "INSTALL", "WEBHOOK", "VERSION"}
	addressWords = []string{"URL", "URLS", "URI", "BASE", "HOST", "HOSTNAME", "SERVER", "ENDPOINT", "ADDR", "ADDRESS"}
)

// has reports whether a name contains one of the words, whatever separates words.
func has(name string, words ...string) bool {
	parts := strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r == '_' || r == '.' || r == '-' })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(parts, word) })
}

func speaksOfOllama(name string) bool { return strings.Contains(strings.ToUpper(name), "OLLAMA") }

func isProxy(name string) bool {
	// OLLAMA_PROXY_URL is LobeChat's for Ollama itself.
	return strings.HasSuffix(strings.ToLower(name), "_proxy")
}

// split splits a list.
func split(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
}

func all(parts []string, is func(string) bool) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !is(part) })
}

// urls finds the URLs in longer text, be it JSON, YAML or a command line.
var urls = regexp.MustCompile(`(?i)https?://[^\s"'<>,;|\\(){}` + "`" + `]+|\b[a-z0-9][a-z0-9._-]*:[0-9]{2,5}\b`)

// IsAddress reports whether a text is an http URL, or a host with a port.
func IsAddress(value string) bool {
	u, bare, err := text.ReadURL(value)
	return err == nil && (!bare || u.Port() != "" && u.Hostname() != "") && len(value) <= text.MaxValue
}

// portIn is the port that an address names, 0 for none.
func portIn(address string) int {
	u, _, err := text.ReadURL(address)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

// isListening reports whether an address is one that only servers use.
func isListening(address string) bool {
	u, bare, err := text.ReadURL(address)
	return err == nil && bare && text.ParseIP(u.Hostname()).IsUnspecified()
}

// meantForOne reports whether a value that is no address was probably meant to be one.
func meantForOne(value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "yes", "no", "on", "off", "none", "null":
		return false
	}
	isNumber := strings.Trim(value, "0123456789") == ""
	return !isNumber && !strings.ContainsAny(value[:1], "/.{[$") && !strings.ContainsAny(value, " \t")
}

// webUIDefault is the value in Open WebUI's image; the program replaces it with a URL
// (open-webui/open-webui backend config).
const webUIDefault = "/ollama"

// IsWebUIDefault reports whether a variable has the value that Open WebUI's image sets.
func IsWebUIDefault(variable, value string) bool {
	return variable == "OLLAMA_BASE_URL" && value == webUIDefault
}

// BundlesOllama reports whether the image includes an Ollama of its own.
func BundlesOllama(env map[string]string) bool { return strings.EqualFold(env[Bundled], "true") }

// clientURL is the URL that a client makes of a value.
func clientURL(env map[string]string, variable, value string) string {
	switch {
	case variable == ollama.Variable && !quoted(value):
		return hostVariableURL(value)
	case IsWebUIDefault(variable, value) && BundlesOllama(env):
		return "http://localhost:11434"
	case IsWebUIDefault(variable, value):
		return "http://host.docker.internal:11434"
	}
	if u, bare, err := text.ReadURL(value); err == nil && bare {
		return u.String()
	}
	return value
}

func quoted(value string) bool { return strings.Trim(value, `"'`) != value }

// hostVariableURL is where Ollama's own client connects for a value of OLLAMA_HOST.
func hostVariableURL(value string) string {
	scheme, rest, found := strings.Cut(value, "://")
	if !found {
		scheme, rest = "http", value
	}
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(scheme+"://"+ollama.ParseHost(value).String()+"/"+path, "/")
}
