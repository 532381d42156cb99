package ollama

import "testing"

// FuzzHost holds the readers of OLLAMA_HOST to what they promise, whatever they
// get: no panic, a port that is one, and what CheckHost lets pass is read back
// from its own spelling as the same.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"", "0.0.0.0", "0.0.0.0:11434", "http://x:80/", "https://[::1]:443", "[::]:0", "::1", "*:11434",
		"\"127.0.0.1\"", " 1.2.3.4 ", "x:99999", ":8080", "http://", "[fe80::1%en0]:1", "1.2.3.4:", "0x7f.1", "[localhost]", "0.0:+1", "ollama.com", "a]b", "::%lo0", "é:1", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := ParseHost(s)
		if h.Port < 0 || h.Port > 65535 {
			t.Fatalf("ParseHost(%q) has port %d", s, h.Port)
		}
		_, _, _, _ = h.Dial(), h.Socket(), h.Wildcard(), h.Loopback()
		if again := ParseHost(s); again != h {
			t.Fatalf("%q is read as %+v and as %+v", s, h, again)
		}
		checked, err := CheckHost(s)
		if err == nil && checked != h {
			t.Fatalf("CheckHost reads %q as %+v, ParseHost as %+v", s, checked, h)
		}
		if err == nil && !ParseHost(checked.String()).Equal(h) {
			t.Fatalf("%q is written as %s, which Ollama reads as another address", s, checked)
		}
		if from, err := FromSocket(s); err == nil && (from.Port < 0 || from.Port > 65535) {
			t.Fatalf("FromSocket(%q) has port %d", s, from.Port)
		}
	})
}
