package container

import (
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
)

func TestWithoutSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"http://me:secret@host:11434/v1?x=yz": "http://host:11434/v1?...",
		"http://secret@host":                  "http://host",
		"me:secret@host:11434":                "host:11434",
		"//me:secret@host":                    "//host",
		"http://a@b@host/":                    "http://host/",
		"http://me:1/secret@host:3128":        "http://host:3128",
		"socks5://s:t@h:1080":                 "socks5://h:1080",
		"http://me:secret@h:99 99":            "http://h:99 99",
		"http://host/?":                       "http://host/",
		"http://host/v1#key":                  "http://host/v1",
		"http:/me:secret@host":                "host",
		"http://me:se/cret@host/v1":           "http://host/v1",
		"http://me:secret#@host/":             "http://host/",
		"http://[::1]:11434":                  "http://[::1]:11434",
		"":                                    "",
	} {
		if got := text.WithoutSecrets(raw); got != want {
			t.Errorf("text.WithoutSecrets(%q) = %q, want %q", raw, got, want)
		}
	}
}
