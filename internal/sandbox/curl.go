package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// curlRun is one run of curl 7.88. It has no progress meter: who wants to read its output asks for silence.
type curlRun struct {
	*containerProcess
	flags
	began   time.Time
	total   time.Duration
	connect time.Duration
	limit   int64
	facts   curlFacts
}

// curlFacts are what --write-out can tell.
type curlFacts struct {
	status   int
	ip       string
	port     int
	code     int
	problem  string
	size     int64
	kind     string
	location string
}

// curlOptions are the options that the stand-in has. It follows no redirects and knows no https.
var curlOptions = dockerCommand{
	values: "-o,--output -m,--max-time --connect-timeout --noproxy -x,--proxy -H,--header -w,--write-out -r,--range --max-filesize " +
		"-A,--user-agent --proto",
	bools: "-q,--disable -s,--silent -S,--show-error -k,--insecure -g,--globoff -i,--include -f,--fail -4,--ipv4 --path-as-is --http1.1",
}

// curlFailure is an error with curl's exit code.
type curlFailure struct {
	code int
	text string
}

func (f curlFailure) Error() string { return f.text }

func curl(ctx context.Context, p *containerProcess) int {
	c := &curlRun{containerProcess: p, began: time.Now()}
	if err := c.parse(); err != nil {
		fmt.Fprintf(c.err, "curl: %v\ncurl: try 'curl --help' or 'curl --manual' for more information\n", err)
		return 2
	}
	code := 0
	for _, arg := range c.args {
		code = c.get(ctx, arg)
	}
	return code
}

func (c *curlRun) parse() error {
	f, err := parseFlags(curlOptions, c.argv)
	if err != nil {
		return curlUsage(err)
	}
	c.flags = f
	for name, d := range map[string]*time.Duration{"--max-time": &c.total, "--connect-timeout": &c.connect} {
		if !c.has(name) {
			continue
		}
		seconds, err := strconv.ParseFloat(c.value(name), 64)
		if err != nil || seconds < 0 {
			return saysf("option %s: expected a proper numerical parameter", name)
		}
		*d = time.Duration(seconds * float64(time.Second))
	}
	if c.has("--max-filesize") {
		if c.limit, err = strconv.ParseInt(c.value("--max-filesize"), 10, 64); err != nil {
			return saysf("option --max-filesize: expected a proper numerical parameter")
		}
	}
	if len(c.args) == 0 {
		return saysf("no URL specified!")
	}
	return nil
}

// curlUsage says in curl's words what parseFlags says in docker's.
func curlUsage(err error) error {
	text := err.Error()
	name := text[strings.LastIndexByte(text, ' ')+1:]
	if strings.HasPrefix(text, "flag needs") {
		return saysf("option %s: requires parameter", name)
	}
	return saysf("option %s: is unknown", name)
}

// get fetches one URL and prints what is asked for.
func (c *curlRun) get(ctx context.Context, arg string) int {
	if c.total > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.total)
		defer cancel()
	}
	c.began, c.facts = time.Now(), curlFacts{location: arg}
	err := c.transfer(ctx, arg)
	var failure curlFailure
	if errors.As(err, &failure) {
		c.facts.code, c.facts.problem = failure.code, failure.text
	}
	c.writeOut()
	if err != nil && (!c.on("--silent") || c.on("--show-error")) {
		fmt.Fprintf(c.err, "curl: (%d) %s\n", failure.code, failure.text)
	}
	return failure.code
}

// transfer returns nil or a curlFailure.
func (c *curlRun) transfer(ctx context.Context, arg string) error {
	x, err := c.exchange(arg)
	if err != nil {
		return err
	}
	r, err := c.do(ctx, x)
	if r != nil {
		defer r.close()
		c.facts.ip, c.facts.port = r.address.String(), r.conn.RemoteAddr().(*net.TCPAddr).Port
	}
	if err != nil {
		return c.explain(ctx, x, err)
	}
	c.facts.status, c.facts.kind = r.StatusCode, r.Header.Get("Content-Type")
	if c.on("--fail") && r.StatusCode >= 400 {
		return curlFailure{22, fmt.Sprintf("The requested URL returned error: %d", r.StatusCode)}
	}
	return c.print(ctx, r)
}

func (c *curlRun) exchange(arg string) (exchange, error) {
	malformed := curlFailure{3, "URL using bad/illegal format or missing URL"}
	if !strings.Contains(arg, "://") {
		arg = "http://" + arg
	}
	u, err := url.Parse(arg)
	if err != nil || u.Host == "" || strings.ContainsRune(arg, ' ') {
		return exchange{}, malformed
	}
	if u.Scheme != "http" {
		return exchange{}, curlFailure{1, fmt.Sprintf("Protocol %q not supported or disabled in libcurl", u.Scheme)}
	}
	x := exchange{url: u, connect: c.connect}
	if proxy := c.proxyFor(u); proxy != "" {
		if x.proxy, err = parseProxy(proxy, "1080"); err != nil {
			return exchange{}, curlFailure{5, "Unsupported proxy syntax in '" + proxy + "'"}
		}
	}
	x.headers = withHeaders(c.headers(x), c.values["--header"])
	return x, nil
}

func (c *curlRun) headers(x exchange) [][2]string {
	headers := [][2]string{{"Host", x.url.Host}}
	if x.proxy != nil && x.proxy.User != nil {
		headers = append(headers, [2]string{"Proxy-Authorization", basic(x.proxy.User)})
	}
	if x.url.User != nil {
		headers = append(headers, [2]string{"Authorization", basic(x.url.User)})
	}
	if c.has("--range") {
		headers = append(headers, [2]string{"Range", "bytes=" + c.value("--range")})
	}
	headers = append(headers, [2]string{"User-Agent", cmp.Or(c.value("--user-agent"), "curl/7.88.1")}, [2]string{"Accept", "*/*"})
	if x.proxy != nil {
		headers = append(headers, [2]string{"Proxy-Connection", "Keep-Alive"})
	}
	return headers
}

// proxyFor is the proxy of the command line, or else of the environment. For http only the variable in lower case counts, since a CGI
// program's environment has HTTP_PROXY from anybody.
func (c *curlRun) proxyFor(u *url.URL) string {
	proxy := cmp.Or(c.env["http_proxy"], c.env["all_proxy"], c.env["ALL_PROXY"])
	if c.has("--proxy") {
		proxy = c.value("--proxy")
	}
	exceptions := cmp.Or(c.env["no_proxy"], c.env["NO_PROXY"])
	if c.has("--noproxy") {
		exceptions = c.value("--noproxy")
	}
	if exempt(u.Hostname(), exceptions) {
		return ""
	}
	return proxy
}

// exempt tells whether no_proxy has the host: its own name, a domain that it is in, or everything.
func exempt(host, exceptions string) bool {
	if exceptions == "*" {
		return true
	}
	for entry := range strings.FieldsFuncSeq(exceptions, func(r rune) bool { return r == ',' || r == ' ' }) {
		domain := strings.Trim(entry, ".")
		if strings.EqualFold(host, domain) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(domain)) {
			return true
		}
	}
	return false
}

// explain says what went wrong before there was an answer.
func (c *curlRun) explain(ctx context.Context, x exchange, err error) error {
	var e *exchangeError
	if !errors.As(err, &e) {
		return curlFailure{56, err.Error()}
	}
	passed := time.Since(c.began).Milliseconds()
	switch {
	case e.phase == inLookup && x.proxy != nil:
		return curlFailure{5, "Could not resolve proxy: " + e.host}
	case e.phase == inLookup:
		return curlFailure{6, "Could not resolve host: " + e.host}
	case e.phase == inConnect && isDeadline(ctx, e):
		return curlFailure{28, fmt.Sprintf("Connection timed out after %d milliseconds", passed)}
	case e.phase == inConnect:
		return curlFailure{7, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Couldn't connect to server", e.host, e.port, passed)}
	case isDeadline(ctx, e):
		return curlFailure{28, fmt.Sprintf("Operation timed out after %d milliseconds with 0 bytes received", passed)}
	case errors.Is(err, errNotHTTP):
		return curlFailure{1, "Received HTTP/0.9 when not allowed"}
	case errors.Is(err, io.EOF):
		return curlFailure{52, "Empty reply from server"}
	default:
		return curlFailure{56, "Recv failure: Connection reset by peer"}
	}
}

func isDeadline(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// print writes the answer where it is wanted.
func (c *curlRun) print(ctx context.Context, r *reply) error {
	w, err := c.output()
	if err != nil {
		return err
	}
	if c.on("--include") {
		_, _ = io.WriteString(w, r.head("\r\n")+"\r\n")
	}
	tooLarge := curlFailure{63, "Maximum file size exceeded"}
	if c.limit > 0 && r.ContentLength > c.limit {
		return tooLarge
	}
	c.facts.size, err = copyBody(w, r, c.limit)
	switch {
	case err == nil && c.limit > 0 && c.facts.size == c.limit && r.ContentLength < 0:
		return tooLarge
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return curlFailure{28, fmt.Sprintf("Operation timed out after %d milliseconds with %d%s bytes received",
			time.Since(c.began).Milliseconds(), c.facts.size, outOf(r.ContentLength))}
	case r.ContentLength > 0:
		return curlFailure{18, fmt.Sprintf("transfer closed with %d bytes remaining to read", r.ContentLength-c.facts.size)}
	default:
		return curlFailure{18, "transfer closed with outstanding read data remaining"}
	}
}

func outOf(length int64) string {
	if length < 0 {
		return ""
	}
	return fmt.Sprintf(" out of %d", length)
}

// output: a container has no files here, but for /dev/null.
func (c *curlRun) output() (io.Writer, error) {
	switch name := c.value("--output"); name {
	case "", "-":
		return c.out, nil
	case "/dev/null":
		return io.Discard, nil
	default:
		fmt.Fprintf(c.err, "Warning: Failed to open the file %s: Read-only file system\n", name)
		return nil, curlFailure{23, "Failure writing output to destination"}
	}
}

// writeOut prints what --write-out asks for.
func (c *curlRun) writeOut() {
	format, w := c.value("--write-out"), c.out
	for format != "" {
		switch {
		case strings.HasPrefix(format, "%{") && strings.Contains(format, "}"):
			var name string
			name, format, _ = strings.Cut(format[2:], "}")
			w = c.variable(w, name)
		case strings.HasPrefix(format, "%%"):
			_, _ = io.WriteString(w, "%")
			format = format[2:]
		case format[0] == '\\' && len(format) > 1:
			_, _ = io.WriteString(w, unescape(format[1]))
			format = format[2:]
		default:
			_, _ = io.WriteString(w, format[:1])
			format = format[1:]
		}
	}
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	default:
		return "\\" + string(c)
	}
}

// variable prints one variable, and returns where what follows is printed.
func (c *curlRun) variable(w io.Writer, name string) io.Writer {
	f := c.facts
	values := map[string]string{
		"http_code": fmt.Sprintf("%03d", f.status), "response_code": fmt.Sprintf("%03d", f.status), "remote_ip": f.ip,
		"remote_port": strconv.Itoa(f.port), "exitcode": strconv.Itoa(f.code), "errormsg": f.problem, "num_redirects": "0",
		"size_download": strconv.FormatInt(f.size, 10), "content_type": f.kind, "url_effective": f.location, "url": f.location,
		"method": "GET", "http_connect": "000", "time_total": fmt.Sprintf("%.6f", time.Since(c.began).Seconds()),
	}
	value, ok := values[name]
	switch {
	case ok:
		_, _ = io.WriteString(w, value)
	case name == "stdout":
		return c.out
	case name == "stderr":
		return c.err
	default:
		fmt.Fprintf(c.err, "curl: unknown --write-out variable: '%s'\n", name)
	}
	return w
}
