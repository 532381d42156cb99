package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wgetRun is one run of busybox's wget. It has no progress bar.
type wgetRun struct {
	*containerProcess
	flags
	timeout time.Duration // of each step, as -T says
}

// wgetOptions are the options that the stand-in has. Debian's busybox has no -T, and crashes on it; the others have.
var wgetOptions = dockerCommand{
	values: "-O,--output-document -T,--timeout -Y,--proxy --header -U,--user-agent",
	bools:  "-q,--quiet -S,--server-response --spider -c,--continue --no-check-certificate",
}

const wgetUsage = `BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.

Usage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]
	[--post-data STR | --post-file FILE] [-Y on/off]
	[--no-check-certificate] [-P DIR] [-U AGENT] [-T SEC] URL...

Retrieve files via HTTP or FTP

	--spider	Only check URL existence: $? is 0 if exists
	--header STR	Add STR (of form 'header: value') to headers
	--post-data STR	Send STR using POST method
	--post-file FILE	Send FILE using POST method
	--no-check-certificate	Don't validate the server's certificate
	-c		Continue retrieval of aborted transfer
	-q		Quiet
	-P DIR		Save to DIR (default .)
	-S    		Show server response
	-T SEC		Network read timeout is SEC seconds
	-O FILE		Save to FILE ('-' for stdout)
	-o LOGFILE	Log messages to FILE
	-U STR		Use STR for User-Agent header
	-Y on/off	Use proxy
`

// wgetLimit is how long wget waits without -T.
const wgetLimit = 900 * time.Second

// wgetRedirects is how many redirects are followed.
const wgetRedirects = 5

func wget(ctx context.Context, p *containerProcess) int {
	if slices.Contains(p.argv, "--help") {
		fmt.Fprint(p.err, wgetUsage)
		return 0
	}
	w := &wgetRun{containerProcess: p, timeout: wgetLimit}
	f, err := parseFlags(wgetOptions, p.argv)
	if err != nil || len(f.args) == 0 {
		if err != nil {
			fmt.Fprintln(w.err, "wget:", getoptUsage(err))
		}
		fmt.Fprint(w.err, wgetUsage)
		return 1
	}
	w.flags = f
	if seconds := w.value("--timeout"); w.has("--timeout") {
		n, err := strconv.ParseUint(seconds, 10, 31)
		if err != nil {
			return w.die("invalid number '%s'", seconds)
		}
		if n > 0 {
			w.timeout = time.Duration(n) * time.Second
		}
	}
	for _, arg := range f.args {
		if code := w.get(ctx, arg); code != 0 {
			return code
		}
	}
	return 0
}

// getoptUsage says in getopt's words what parseFlags says in docker's.
func getoptUsage(err error) string {
	text := err.Error()
	name := text[strings.LastIndexByte(text, ' ')+1:]
	switch {
	case strings.HasPrefix(text, "unknown flag"):
		return fmt.Sprintf("unrecognized option '%s'", name)
	case strings.HasPrefix(text, "unknown"):
		return fmt.Sprintf("invalid option -- '%s'", strings.Trim(strings.Fields(text)[3], "'"))
	case strings.HasPrefix(name, "--"):
		return fmt.Sprintf("option '%s' requires an argument", name)
	default:
		return fmt.Sprintf("option requires an argument -- '%s'", name[1:])
	}
}

// die says what is wrong. Every error has this exit code.
func (w *wgetRun) die(format string, args ...any) int {
	fmt.Fprintf(w.err, "wget: "+format+"\n", args...)
	return 1
}

func (w *wgetRun) say(format string, args ...any) {
	if !w.on("--quiet") {
		fmt.Fprintf(w.err, format+"\n", args...)
	}
}

func (w *wgetRun) get(ctx context.Context, arg string) int {
	for range wgetRedirects {
		next, code := w.hop(ctx, arg)
		if next == "" {
			return code
		}
		arg = next
	}
	return w.die("too many redirections")
}

// hop fetches one URL, and returns where it was sent on to.
func (w *wgetRun) hop(ctx context.Context, arg string) (next string, code int) {
	if !strings.Contains(arg, "://") {
		arg = "http://" + arg
	}
	u, err := url.Parse(arg)
	if err != nil || u.Scheme != "http" {
		return "", w.die("not an http or ftp url: %s", arg)
	}
	x := exchange{url: u}
	// Only this variable counts, and no_proxy does not.
	if proxy := w.env["http_proxy"]; proxy != "" && w.value("--proxy") != "off" {
		if x.proxy, err = parseProxy(proxy, "80"); err != nil {
			return "", w.die("bad address '%s'", proxy)
		}
	}
	x.headers = withHeaders(w.headers(x), w.values["--header"])
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	w.announce(x)
	r, err := w.do(ctx, x)
	if r != nil {
		defer r.close()
	}
	if err != nil {
		return "", w.explain(ctx, err)
	}
	return w.take(ctx, r, u)
}

func (w *wgetRun) headers(x exchange) [][2]string {
	agent := "Wget"
	if w.has("--user-agent") {
		agent = w.value("--user-agent")
	}
	headers := [][2]string{{"Host", x.url.Host}, {"User-Agent", agent}, {"Connection", "close"}}
	if x.url.User != nil {
		headers = append(headers, [2]string{"Authorization", basic(x.url.User)})
	}
	if x.proxy != nil && x.proxy.User != nil {
		headers = append(headers, [2]string{"Proxy-Authorization", basic(x.proxy.User)})
	}
	return headers
}

func (w *wgetRun) announce(x exchange) {
	target := x.url
	if x.proxy != nil {
		target = x.proxy
	}
	if ip, err := w.box.lookup(target.Hostname()); err == nil {
		port := strconv.Itoa(portOf(target))
		w.say("Connecting to %s (%s)", net.JoinHostPort(target.Hostname(), port), net.JoinHostPort(ip.String(), port))
	}
}

// explain says what went wrong before there was an answer.
func (w *wgetRun) explain(ctx context.Context, err error) int {
	var e *exchangeError
	switch {
	case ctx.Err() != nil:
		return w.die("download timed out")
	case !errors.As(err, &e), e.phase == inHeader:
		return w.die("error getting response%s", reason(err))
	case e.phase == inLookup:
		return w.die("bad address '%s:%d'", e.host, e.port)
	case errors.Is(e, syscall.EADDRNOTAVAIL):
		return w.die("can't connect to remote host: Cannot assign requested address")
	default:
		return w.die("can't connect to remote host (%s)%s", e.address, reason(err))
	}
}

// reason is what the system calls the error, if it is one of its own.
func reason(err error) string {
	names := map[syscall.Errno]string{
		syscall.ECONNREFUSED: "Connection refused", syscall.ENETUNREACH: "Network is unreachable",
		syscall.EHOSTUNREACH: "No route to host", syscall.ECONNRESET: "Connection reset by peer",
	}
	var number syscall.Errno
	if !errors.As(err, &number) || names[number] == "" {
		return ""
	}
	return ": " + names[number]
}

// take prints the answer, or returns where it sends.
func (w *wgetRun) take(ctx context.Context, r *reply, u *url.URL) (next string, code int) {
	w.showHead(r)
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400 && r.Header.Get("Location") != "":
		to, err := u.Parse(r.Header.Get("Location"))
		if err != nil {
			return "", w.die("bad address '%s'", r.Header.Get("Location"))
		}
		return to.String(), 0
	case r.StatusCode >= 300:
		return "", w.die("server returned error: HTTP/%d.%d %s", r.ProtoMajor, r.ProtoMinor, r.Status)
	case w.on("--spider"):
		w.say("remote file exists")
		return "", 0
	default:
		return "", w.print(ctx, r)
	}
}

// showHead shows the answer's headers if they are wanted, and of an error's only the first line.
func (w *wgetRun) showHead(r *reply) {
	if !w.on("--server-response") {
		return
	}
	head := strings.ReplaceAll("  "+r.head("\n"), "\n", "\n  ")
	if r.StatusCode >= 400 {
		head, _, _ = strings.Cut(head, "\n")
	}
	fmt.Fprintln(w.err, head)
}

// print writes the body. A container has no files here, but for /dev/null.
func (w *wgetRun) print(ctx context.Context, r *reply) int {
	out, name := w.containerProcess.out, w.value("--output-document")
	switch name {
	case "-":
		w.say("writing to stdout")
	case "/dev/null":
		w.say("saving to '/dev/null'")
		out = io.Discard
	default:
		return w.die("can't open '%s': Read-only file system", name)
	}
	_, err := copyBody(out, r, 0)
	switch {
	case ctx.Err() != nil:
		return w.die("download timed out")
	case err != nil:
		return w.die("connection closed prematurely")
	case name == "-":
		w.say("written to stdout")
	default:
		w.say("'/dev/null' saved")
	}
	return 0
}
