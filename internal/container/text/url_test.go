package text

import (
	"net/url"
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	for from, want := range map[string]string{
		"http://localhost:11434":               "http://H:11434",
		"http://localhost:11434/v1":            "http://H:11434/v1",
		"https://127.0.0.1/":                   "https://H/",
		"http://[::1]:11434":                   "http://H:11434",
		"http://[::1]":                         "http://H",
		"http://0.0.0.0:11434":                 "http://H:11434",
		"http://[::]:11434":                    "http://H:11434",
		"http://[::ffff:127.0.0.1]:1":          "http://H:1",
		"http://user:pw@localhost:1/x?y=1#z":   "http://user:pw@H:1/x?y=1#z",
		"http://user:pw@localhost?next=a@b/#c": "http://user:pw@H?next=a@b/#c",
		"http://a@b@localhost:1":               "http://a%40b@H:1",
		"http://localhost":                     "http://H",
		"http://localhost:":                    "http://H",
		"HTTP://LocalHost:80/A%2fb%20?q=%7E":   "http://H:80/A%2fb%20?q=%7E",
		" http://localhost:11434\n":            "http://H:11434",
		"http://ollama.localhost:1":            "http://H:1",
		"http://localhost.:11434":              "http://H:11434",
		"http://127.1.2.3:11434/":              "http://H:11434/",
		"localhost:11434":                      "http://H:11434",
		"localhost":                            "http://H:11434",
		"LOCALHOST":                            "http://H:11434",
		"localhost.":                           "http://H:11434",
		"127.1.2.3":                            "http://H:11434",
		"0.0.0.0":                              "http://H:11434",
		"0.0.0.0:8080":                         "http://H:8080",
		"::1":                                  "http://H:11434",
		"::":                                   "http://H:11434",
		"[::1]":                                "http://H:11434",
		"[::1]:8080":                           "http://H:8080",
		":11434":                               "http://H:11434",
		"11434":                                "http://H:11434",
		"localhost/v1":                         "http://H:11434/v1",
		"localhost:1/v1?x":                     "http://H:1/v1?x",
		"localhost:":                           "http://H:11434",
		"http://ollama.example:11434/v1":       "http://ollama.example:11434/v1",
		"ollama.example":                       "http://ollama.example:11434",
		"http://192.168.1.5":                   "http://192.168.1.5",
		"http://[fe80::1%25en0]:1/":            "http://[fe80::1%25en0]:1/",
		"http://localhost.example:1":           "http://localhost.example:1",
		"http://my_ollama:11434":               "http://my_ollama:11434",
		"http://128.0.0.1:11434":               "http://128.0.0.1:11434",
	} {
		if got, err := Convert(from, "H"); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", from, got, err, want)
		}
	}
}

func TestConvertHost(t *testing.T) {
	for host, want := range map[string]string{
		"host.docker.internal": "http://host.docker.internal:1/x",
		"172.17.0.1":           "http://172.17.0.1:1/x",
		"fd00::1":              "http://[fd00::1]:1/x",
	} {
		if got, err := Convert("http://localhost:1/x", host); err != nil || got != want {
			t.Errorf("%s: %q, %v", host, got, err)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	for _, from := range []string{
		"", " ", ":", "/", "/v1", "?", "http://", "http:///x", "http://:11434", "http:/localhost", "http:localhost", "http//localhost",
		"ftp://localhost", "://localhost", "http://local host", "http://localhost:99999", "http://localhost:0", "http://localhost:x",
		"http://localhost:1:2", "http://::1:11434", "http://[::1", "http://[localhost]", "http://a%b", `http://localhost\@evil`,
		"http://localhost:11434/\x00", "http://local\x1b[31mhost", "http://<x>", "tcp://localhost:1", "66000", "0", "0/v1", "nonsense", "nonsense/v1", "http://localhost/a b", "http://localhost/#\x00", "http://a\"b", "http://u ser@localhost",
	} {
		if got, err := Convert(from, "H"); err == nil {
			t.Errorf("%q: %q", from, got)
		} else if strings.ContainsAny(err.Error(), "\x00\x1b\n") {
			t.Errorf("%q: %q", from, err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, from := range []string{"http://user:pw@localhost:1/x?y=1#z", "[::1]:8080", "localhost", "11434", "http://[fe80::1%25en0]:1/", "http://a/b@c"} {
		f.Add(from)
	}
	f.Fuzz(func(t *testing.T, from string) {
		got, err := Convert(from, "host.docker.internal")
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Hostname() == "" || strings.ContainsAny(got, "\n\x00\x1b ") && !strings.Contains(from, " ") {
			t.Fatalf("%q: %q, %v", from, got, err)
		}
		if IsLoopback(u.Hostname()) || ParseIP(u.Hostname()).IsUnspecified() {
			t.Errorf("%q: %q is the container itself", from, got)
		}
		if again, err := Convert(got, "x"); err != nil || again != got && u.Hostname() != "host.docker.internal" {
			t.Errorf("%q: %q becomes %q, %v", from, got, again, err)
		}
		if was, err := url.Parse(strings.TrimSpace(from)); err == nil && was.Host != "" {
			if was.RequestURI() != u.RequestURI() || was.Fragment != u.Fragment || was.User.String() != u.User.String() || was.Port() != u.Port() {
				t.Errorf("%q: %q", from, got)
			}
		}
	})
}
