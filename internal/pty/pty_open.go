//go:build linux || darwin

package pty

import (
	"os"

	"golang.org/x/sys/unix"
)

func open() (Pair, error) {
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return Pair{}, err
	}
	terminal, err := other(int(user.Fd()))
	if err != nil {
		user.Close()
		return Pair{}, err
	}
	return Pair{user, terminal}, nil
}
