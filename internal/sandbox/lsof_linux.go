package sandbox

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// lsofQuery is what the stand-in understands of lsof's arguments: listening TCP sockets by port and kind, in the -F format.
type lsofQuery struct {
	ports  map[string]bool // nil means all
	family string          // "4", "6", or "" for both
	fields string
}

// lsofStandIn lists listening sockets by /proc. Like lsof without privileges it sees the caller's own processes only.
func lsofStandIn(args []string, stdout, stderr io.Writer) int {
	q, err := parseLsof(args)
	if err != nil {
		fmt.Fprintf(stderr, "lsof: %v\n", err)
		return 1
	}
	sockets := q.sockets()
	found := false
	for _, pid := range allPIDs() {
		found = q.printProcess(stdout, pid, sockets) || found
	}
	if !found {
		return 1
	}
	return 0
}

// parseLsof takes the options in any order. Those for names (-n -P) and warnings (-w) and for combining (-a) are how it works anyway.
func parseLsof(args []string) (lsofQuery, error) {
	var q lsofQuery
	for i := 0; i < len(args); i++ {
		name, value := args[i], ""
		if len(name) > 2 && strings.ContainsAny(name[1:2], "isF") {
			name, value = name[:2], name[2:]
		} else if strings.HasSuffix(name, "i") || name == "-F" && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			if i == len(args) {
				return q, fmt.Errorf("no argument for %s", name)
			}
			value = args[i]
		}
		if err := q.option(name, value); err != nil {
			return q, err
		}
	}
	if q.fields == "" {
		return q, fmt.Errorf("the stand-in prints -F only")
	}
	return q, nil
}

func (q *lsofQuery) option(name, value string) error {
	switch {
	case name == "-F":
		q.fields = cmp.Or(value, "pcLftPnT")
	case name == "-s":
		if value != "TCP:LISTEN" {
			return fmt.Errorf("the stand-in knows -sTCP:LISTEN only")
		}
	case strings.HasSuffix(name, "i"):
		return q.address(value)
	case strings.Trim(name, "-nPwa") != "" || name == "":
		return fmt.Errorf("unknown option %s", name)
	}
	return nil
}

// address reads what follows -i: [46][TCP][:PORT,PORT].
func (q *lsofQuery) address(value string) error {
	kind, ports, some := strings.Cut(value, ":")
	if strings.HasPrefix(kind, "4") || strings.HasPrefix(kind, "6") {
		q.family, kind = kind[:1], kind[1:]
	}
	if !strings.EqualFold(kind, "tcp") {
		return fmt.Errorf("unacceptable argument to -i: %s", value)
	}
	if !some {
		return nil
	}
	q.ports = map[string]bool{}
	for port := range strings.SplitSeq(ports, ",") {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("unacceptable port specification in: -i %s", value)
		}
		q.ports[port] = true
	}
	return nil
}

// tcpSocket is a line of /proc/net/tcp.
type tcpSocket struct {
	kind, name string
	rx, tx     int64
}

// sockets returns the listeners that are asked for, by inode.
func (q *lsofQuery) sockets() map[string]tcpSocket {
	found := map[string]tcpSocket{}
	if q.family != "6" {
		q.readSockets(found, "/proc/net/tcp", "IPv4")
	}
	if q.family != "4" {
		q.readSockets(found, "/proc/net/tcp6", "IPv6")
	}
	return found
}

// readSockets adds nothing where the file is missing: a kernel without IPv6. The
// listeners come first in the file. What comes behind them, there may be thousands
// of, and the kernel writes no more lines than are read, so little is read at once.
func (q *lsofQuery) readSockets(found map[string]tcpSocket, path, kind string) {
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
		ip, port, ok := parseProcAddress(f[1])
		if !ok || q.ports != nil && !q.ports[port] {
			continue
		}
		host := ip.String()
		if ip.IsUnspecified() {
			host = "*"
		} else if ip.Is6() {
			host = "[" + host + "]"
		}
		tx, rx, _ := strings.Cut(f[4], ":")
		found[f[9]] = tcpSocket{kind: kind, name: host + ":" + port, rx: parseHex(rx), tx: parseHex(tx)}
	}
}

func parseHex(s string) int64 {
	n, _ := strconv.ParseInt(s, 16, 64) // the kernel wrote it
	return n
}

// parseProcAddress reads 0100007F:2CAA: words in the machine's byte order, and the port.
func parseProcAddress(s string) (ip netip.Addr, port string, ok bool) {
	hexIP, hexPort, _ := strings.Cut(s, ":")
	words, err := hex.DecodeString(hexIP)
	if err != nil || len(words)%4 != 0 {
		return ip, "", false
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	ip, ok = netip.AddrFromSlice(words)
	return ip, strconv.FormatInt(parseHex(hexPort), 10), ok
}

func allPIDs() []int {
	entries, _ := os.ReadDir("/proc") // without it there is nothing to list
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// printProcess prints a process and those of its files that are wanted, or nothing.
func (q *lsofQuery) printProcess(w io.Writer, pid int, sockets map[string]tcpSocket) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	printed := false
	for _, fd := range openFiles(dir) {
		target, err := os.Readlink(filepath.Join(dir, "fd", strconv.Itoa(fd)))
		if err != nil {
			continue
		}
		s, ok := sockets[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")]
		if !ok {
			continue
		}
		if !printed {
			q.printOwner(w, pid, dir)
			printed = true
		}
		q.printSocket(w, fd, s)
	}
	return printed
}

// openFiles returns nothing for a process of another user, and for one that has gone.
func openFiles(dir string) []int {
	entries, _ := os.ReadDir(filepath.Join(dir, "fd"))
	var fds []int
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	return fds
}

func (q *lsofQuery) printOwner(w io.Writer, pid int, dir string) {
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

func (q *lsofQuery) printSocket(w io.Writer, fd int, s tcpSocket) {
	fmt.Fprintf(w, "f%d\n", fd)
	q.field(w, 't', s.kind)
	q.field(w, 'P', "TCP")
	q.field(w, 'n', s.name)
	q.field(w, 'T', "ST=LISTEN")
	q.field(w, 'T', fmt.Sprintf("QR=%d", s.rx))
	q.field(w, 'T', fmt.Sprintf("QS=%d", s.tx))
}

func (q *lsofQuery) field(w io.Writer, letter byte, value string) {
	if strings.IndexByte(q.fields, letter) >= 0 {
		fmt.Fprintf(w, "%c%s\n", letter, value)
	}
}
