//go:build torture && amd64

package main

import "syscall"

func init() { skipCall, setResult = skipAMD64, resultAMD64 }

// skipAMD64 has the kernel do nothing in place of the call that a thread is about to
// make.
func skipAMD64(tid int) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	return syscall.PtraceSetRegs(tid, &regs)
}

// resultAMD64 is what the thread gets for it.
func resultAMD64(tid int, errno syscall.Errno) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Rax = -uint64(errno)
	return syscall.PtraceSetRegs(tid, &regs)
}
