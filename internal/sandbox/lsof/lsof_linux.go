package lsof

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// query is what is asked for: the listeners on some ports, and fields of them.
type query struct {
	ports  []string // nil means all
	fields string
}

// list lists the listening sockets of all processes but those of other Macs: a proxy of
// the machine's own Docker may have the port.
func list(server string, args []string) standin.Answer {
	q, err := parseArgs(args)
	if err != nil {
		return standin.Fail(1, "lsof: %v", err)
	}
	sockets := map[string]tcpSocket{}
	q.readSockets(sockets, "/proc/net/tcp", "IPv4")
	q.readSockets(sockets, "/proc/net/tcp6", "IPv6")
	var out strings.Builder
	for pid, found := range holders(server, sockets) {
		q.printProcess(&out, pid, found)
	}
	if out.Len() == 0 {
		return standin.Answer{Code: 1}
	}
	return standin.Answer{Stdout: out.String()}
}

// holders yields the processes that have some of the sockets, in order.
func holders(server string, sockets map[string]tcpSocket) iter.Seq2[int, []tcpSocket] {
	return func(yield func(int, []tcpSocket) bool) {
		if len(sockets) == 0 {
			return
		}
		for _, pid := range numbers("/proc") {
			found := socketsOf(folder(pid), sockets)
			if len(found) > 0 && !ps.OnAnother(server, pid) && !yield(pid, found) {
				return
			}
		}
	}
}

func folder(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }

// parseArgs takes the options in any order: -iTCP or -iTCP:PORT,PORT, -sTCP:LISTEN and
// -F FIELDS, all of which must be there, and some that are how it works anyway.
func parseArgs(args []string) (q query, err error) {
	listening, tcp := false, false
	for i, arg := range args {
		ports, hasPorts := strings.CutPrefix(arg, "-iTCP:")
		switch {
		case hasPorts:
			tcp, q.ports = true, strings.Split(ports, ",")
		case arg == "-iTCP":
			tcp = true
		case arg == "-sTCP:LISTEN":
			listening = true
		case i > 0 && args[i-1] == "-F":
			q.fields = arg
		case !slices.Contains([]string{"-F", "-nP", "-w", "-b", "-n", "-P"}, arg):
			return q, fmt.Errorf("the stand-in does not know %s", arg)
		}
	}
	if !tcp || !listening || q.fields == "" {
		return q, fmt.Errorf("the stand-in needs -iTCP[:PORT] -sTCP:LISTEN -F FIELDS")
	}
	return q, nil
}

// tcpSocket is a line of /proc/net/tcp.
type tcpSocket struct {
	kind, name string
	fd         int // of the process that has it
}

// readSockets adds the listeners that are asked for, by inode; nothing where the file is
// missing: a kernel without IPv6. The listeners come first in the file. What comes
// behind them, there may be thousands of, and the kernel writes no more lines than are
// read, so little is read at once.
func (q query) readSockets(found map[string]tcpSocket, path, kind string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 128) // less than a line
	lines.ReadString('\n')                  // the headings
	for {
		line, err := lines.ReadString('\n')
		f := strings.Fields(line)
		if err != nil || len(f) < 10 || f[3] != "0A" { // TCP_LISTEN
			return
		}
		ip, port, ok := parseAddress(f[1])
		if !ok || q.ports != nil && !slices.Contains(q.ports, port) {
			continue
		}
		host := ip.String()
		if ip.IsUnspecified() {
			host = "*"
		} else if ip.Is6() {
			host = "[" + host + "]"
		}
		found[f[9]] = tcpSocket{kind: kind, name: host + ":" + port}
	}
}

// parseAddress reads 0100007F:2CAA: words in the machine's byte order, and the port.
func parseAddress(s string) (ip netip.Addr, port string, ok bool) {
	hexIP, hexPort, _ := strings.Cut(s, ":")
	words, err := hex.DecodeString(hexIP)
	if err != nil || len(words)%4 != 0 {
		return ip, "", false
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	ip, ok = netip.AddrFromSlice(words)
	number, _ := strconv.ParseUint(hexPort, 16, 16) // the kernel wrote it
	return ip, strconv.FormatUint(number, 10), ok
}

// numbers are the names in a folder that are numbers, in order; none for what belongs to
// another user, or has gone.
func numbers(folder string) (found []int) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found
}

// printProcess prints a process and those of its files that are wanted.
func (q query) printProcess(w io.Writer, pid int, found []tcpSocket) {
	q.printOwner(w, pid, folder(pid))
	for _, s := range found {
		fmt.Fprintf(w, "f%d\n", s.fd)
		q.field(w, 't', s.kind)
		q.field(w, 'P', "TCP")
		q.field(w, 'n', s.name)
		q.field(w, 'T', "ST=LISTEN")
	}
}

// socketsOf are those that a process has, in the order of its files.
func socketsOf(dir string, sockets map[string]tcpSocket) (all []tcpSocket) {
	for _, fd := range numbers(filepath.Join(dir, "fd")) {
		target, _ := os.Readlink(filepath.Join(dir, "fd", strconv.Itoa(fd)))
		inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
		if s, ok := sockets[inode]; ok {
			s.fd = fd
			all = append(all, s)
		}
	}
	return all
}

func (q query) printOwner(w io.Writer, pid int, dir string) {
	fmt.Fprintf(w, "p%d\n", pid)
	if name, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		q.field(w, 'c', strings.TrimSuffix(string(name), "\n"))
	}
	if info, err := os.Stat(dir); err == nil {
		q.field(w, 'L', loginName(info.Sys().(*syscall.Stat_t).Uid))
	}
}

func loginName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func (q query) field(w io.Writer, letter byte, value string) {
	if strings.IndexByte(q.fields, letter) >= 0 {
		fmt.Fprintf(w, "%c%s\n", letter, value)
	}
}

// tabulate lists them as netstat of macOS 26 does (fixtures/captures has an example).
func tabulate(server string) string {
	w := new(strings.Builder)
	sockets := map[string]tcpSocket{}
	query{}.readSockets(sockets, "/proc/net/tcp", "tcp4")
	query{}.readSockets(sockets, "/proc/net/tcp6", "tcp6")
	fmt.Fprintln(w, "Active Internet connections (including servers)")
	fmt.Fprintln(w, "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)          rxbytes      txbytes  rhiwat  shiwat          process:pid    state  options")
	for pid, found := range holders(server, sockets) {
		name, _ := os.ReadFile(filepath.Join(folder(pid), "comm"))
		for _, s := range found {
			host, port, _ := strings.Cut(s.name, "]:")
			if host == s.name {
				host, port, _ = strings.Cut(s.name, ":")
			}
			host = strings.TrimPrefix(host, "[")
			if host == "*" && s.kind == "tcp6" {
				s.kind = "tcp46"
			}
			fmt.Fprintf(w, "%-6s %6d %6d  %-22s %-22s LISTEN %12d %12d %7d %7d %20s:%-6d 00100 00000006\n",
				s.kind, 0, 0, host+"."+port, "*.*", 0, 0, 131072, 131072, strings.TrimSpace(string(name)), pid)
		}
	}
	return w.String()
}
