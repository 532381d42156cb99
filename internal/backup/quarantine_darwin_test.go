package backup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLiftQuarantine(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x.plist"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const mark = "com.apple.quarantine"
	if err := unix.Fsetxattr(int(f.Fd()), mark, []byte("0081;00000000;test;"), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is none
		if err := liftQuarantine(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.Fgetxattr(int(f.Fd()), mark, nil); !errors.Is(err, unix.ENOATTR) {
		t.Errorf("the mark is still there: %v", err)
	}
}
