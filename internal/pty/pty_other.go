//go:build !linux && !darwin

package pty

import "errors"

func open() (Pair, error) { return Pair{}, errors.ErrUnsupported }
