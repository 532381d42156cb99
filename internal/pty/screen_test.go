package pty

import "testing"

func TestScreen(t *testing.T) {
	for seen, want := range map[string]string{
		"a\r\nb":                      "a\nb\n",
		"spins\r\x1b[Kdone\n":         "done\n",
		"long line\rab":               "abng line\n",
		"\x1b[31mred\x1b[0m \x1b[2mx": "red x\n",
		"+\tx":                        "+       x\n",
	} {
		lines, err := Screen([]byte(seen))
		if got := Text(lines); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", seen, got, err, want)
		}
	}
	for _, seen := range []string{"\a", "\x1b[?25l", "\x1b]0;title\a", "\xff", "\x7f"} {
		if _, err := Screen([]byte(seen)); err == nil {
			t.Errorf("%q is no error", seen)
		}
	}
}

func TestScreenColours(t *testing.T) {
	lines, err := Screen([]byte("a\x1b[31mb\x1b[0mc"))
	if err != nil {
		t.Fatal(err)
	}
	if codes := lines[0][0].Code + "," + lines[0][1].Code + "," + lines[0][2].Code; codes != ",31," {
		t.Error(codes)
	}
}
