package pty

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func other(fd int) (*os.File, error) {
	for _, request := range []uint{unix.TIOCPTYGRANT, unix.TIOCPTYUNLK} {
		if err := unix.IoctlSetInt(fd, request, 0); err != nil {
			return nil, err
		}
	}
	var name [128]byte // the size is a part of the request's number
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TIOCPTYGNAME, uintptr(unsafe.Pointer(&name))); errno != 0 {
		return nil, errno
	}
	return os.OpenFile(unix.ByteSliceToString(name[:]), os.O_RDWR|unix.O_NOCTTY, 0)
}
