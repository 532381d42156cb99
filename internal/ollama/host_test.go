package ollama

import (
	"errors"
	"testing"
)

// TestParseHost holds our reading against what Ollama was seen to listen on.
func TestParseHost(t *testing.T) {
	for _, tc := range []struct{ value, socket string }{
		{"", "127.0.0.1:11434"},
		{"  ", "127.0.0.1:11434"},
		{"127.0.0.1", "127.0.0.1:11434"},
		{"localhost", "127.0.0.1:11434"},
		{"127.0.0.1:11434", "127.0.0.1:11434"},
		{"0.0.0.0", "*:11434"},
		{"0.0.0.0:11434", "*:11434"},
		{`"0.0.0.0:11434"`, "*:11434"},
		{`' 0.0.0.0:11434 '`, "*:11434"},
		{"0.0.0.0:", "*:11434"},
		{"0.0.0.0:abc", "*:11434"},
		{":11434", "*:11434"},
		{"::", "*:11434"},
		{"[::]", "*:11434"},
		{"[::]:11434", "*:11434"},
		{"[::1]:11434", "[::1]:11434"},
		{"::1", "[::1]:11434"},
		{"0.0.0.0:8080", "*:8080"},
		{"http://0.0.0.0", "*:80"},
		{"https://0.0.0.0", "*:443"},
		{"http://0.0.0.0:11434", "*:11434"},
		{"0.0.0.0:11434/v1", "*:11434"},
		{"0.0.0.0:0", "*:0"},
		{"0.0.0.0:66000", "*:11434"},
		{"0.0.0.0:-1", "*:11434"},
		{"11434", "0.0.44.170:11434"},
		{"0.0.0.0:+8080", "*:8080"},
		{"0.0.0.0:-0", "*:0"},
		{"0.0.0.0:66_0", "*:11434"},
		{"ollama.com", "ollama.com:443"},
		{"ollama.com:80", "ollama.com:80"},
		{"Ollama.com", "Ollama.com:11434"},
		{"http://ollama.com", "ollama.com:80"},
		{"HTTP://0.0.0.0", "*:11434"},
		{"tcp://0.0.0.0", "*:11434"},
		{"unix:///x", "127.0.0.1:11434"},
		{"::%lo0", "*:11434"},
		{"[]", "*:11434"},
		{"[localhost]", "127.0.0.1:11434"},
		{"LOCALHOST", "127.0.0.1:11434"},
		{"0", "*:11434"},
		{"0.0:8080", "*:8080"},
		{"127.1", "127.0.0.1:11434"},
		{"127.0.1:80", "127.0.0.1:80"},
		{"2130706433", "127.0.0.1:11434"},
		{"0x7f.1", "127.0.0.1:11434"},
		{"0300.0250.1", "192.168.0.1:11434"},
		{"4294967296", "4294967296:11434"},
		{"256.1", "256.1:11434"},
		{"1.2.3.4.5", "1.2.3.4.5:11434"},
		{"0b1.0o1", "0b1.0o1:11434"},
		{"192.168.64.1", "192.168.64.1:11434"},
		{"example.internal:99", "example.internal:99"},
	} {
		if got := ParseHost(tc.value).Socket(); got != tc.socket {
			t.Errorf("ParseHost(%q) listens on %s, want %s", tc.value, got, tc.socket)
		}
	}
}

func TestEqual(t *testing.T) {
	all := ParseHost("0.0.0.0:11434")
	for _, same := range []string{"0.0.0.0", "[::]:11434", ":11434", `"0.0.0.0:11434"`} {
		if !ParseHost(same).Equal(all) {
			t.Errorf("%q opens the same socket as %v", same, all)
		}
	}
	// lsof prints a star for every interface; to Ollama it is a name.
	for _, other := range []string{"", "127.0.0.1:11434", "0.0.0.0:8080", "http://0.0.0.0", "*:11434"} {
		if ParseHost(other).Equal(all) {
			t.Errorf("%q does not open the same socket as %v", other, all)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for _, tc := range []struct {
		value string
		want  string // the value that gets written, when err is nil
		err   error
	}{
		{"0.0.0.0:11434", "0.0.0.0:11434", nil},
		{"0.0.0.0", "0.0.0.0:11434", nil},
		{":11434", "0.0.0.0:11434", nil},
		{"[::]:11434", "[::]:11434", nil},
		{"::", "[::]:11434", nil},
		{"127.0.0.1:8080", "127.0.0.1:8080", nil},
		{"localhost", "localhost:11434", nil},
		{"LOCALHOST:80", "localhost:80", nil},
		{"HTTP://0.0.0.0", "0.0.0.0:11434", nil},
		{"0.0.0.0:+8080", "0.0.0.0:8080", nil},
		{"http://0.0.0.0:11434", "0.0.0.0:11434", nil},
		{"192.168.64.1", "192.168.64.1:11434", nil},
		{"", "", ErrEmpty},
		{" ", "", ErrEmpty},
		{"http://0.0.0.0", "", errSchemePort},
		{"https://0.0.0.0", "", errSchemePort},
		{"11434", "", errPortOnly},
		{"0", "", errPortOnly},
		{"127.1", "", ErrName},
		{"ollama.com", "", ErrName},
		{"[localhost]", "", ErrName},
		{"[]:11434", "", ErrName},
		{"*:11434", "", errStar},
		{"*", "", errStar},
		{"0.0.0.0:11434,127.0.0.1:11434", "", errList},
		{"0.0.0.0:0", "", ErrBadPort},
		{"0.0.0.0:", "", ErrBadPort},
		{"0.0.0.0:66000", "", ErrBadPort},
		{"0.0.0.0:-1", "", ErrBadPort},
		{"0.0.0.0:abc", "", ErrBadPort},
		{"0.0.0.0:11434/v1", "", ErrPath},
		{"http://0.0.0.0:11434/", "", ErrPath},
		{"host.docker.internal:11434", "", ErrName},
		{"fe80::1%en0", "", ErrName},
		{"[]", "", ErrName},
		{`"0.0.0.0:11434"`, "", ErrCharacters},
		{"0.0.0.0:11434 # lan", "", ErrCharacters},
		{"0.0.0.0:11434\n", "", ErrCharacters},
	} {
		h, err := CheckHost(tc.value)
		switch {
		case !errors.Is(err, tc.err):
			t.Errorf("CheckHost(%q): error %v, want %v", tc.value, err, tc.err)
		case err == nil && h.String() != tc.want:
			t.Errorf("CheckHost(%q) writes %q, want %q", tc.value, h, tc.want)
		case err == nil && !ParseHost(h.String()).Equal(h):
			t.Errorf("CheckHost(%q) writes %q, which Ollama would read as %v", tc.value, h, ParseHost(h.String()))
		}
	}
}

func TestHost(t *testing.T) {
	for _, tc := range []struct {
		value              string
		wildcard, loopback bool
		dial               string
	}{
		{"0.0.0.0:11434", true, false, "127.0.0.1:11434"},
		{"[::]:11434", true, false, "127.0.0.1:11434"},
		{"127.0.0.1:11434", false, true, "127.0.0.1:11434"},
		{"127.1.2.3:11434", false, true, "127.1.2.3:11434"},
		{"localhost", false, true, "127.0.0.1:11434"},
		{"::1", false, true, "[::1]:11434"},
		{"192.168.64.1:80", false, false, "192.168.64.1:80"},
	} {
		h := ParseHost(tc.value)
		if h.Wildcard() != tc.wildcard || h.Loopback() != tc.loopback || h.Dial() != tc.dial {
			t.Errorf("%q: wildcard %v, loopback %v, dial %s", tc.value, h.Wildcard(), h.Loopback(), h.Dial())
		}
	}
}

func TestFromSocket(t *testing.T) {
	for socket, want := range map[string]string{
		"*:11434":         "0.0.0.0:11434",
		"127.0.0.1:11434": "127.0.0.1:11434",
		"[::1]:8080":      "[::1]:8080",
	} {
		if h, err := FromSocket(socket); err != nil || h.String() != want {
			t.Errorf("FromSocket(%q) = %v, %v, want %s", socket, h, err, want)
		}
	}
	for _, bad := range []string{"", "*", "*:http", "*:66000"} {
		if h, err := FromSocket(bad); err == nil {
			t.Errorf("FromSocket(%q) = %v, want an error", bad, h)
		}
	}
}
