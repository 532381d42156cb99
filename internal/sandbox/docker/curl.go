package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// curlRun is one run of curl 7.88. It knows the options that internal/container gives
// it, and no others. It ignores the environment and follows no redirects.
type curlRun struct {
	box      *box
	out, err io.Writer

	url      string
	proxy    string // a URL, "" for none
	headers  list
	writeOut string
	maxTime  float64 // seconds, 0 for no limit

	began    time.Time
	status   int
	remoteIP string
}

// failure is an error with curl's exit code.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

// curl returns the exit code.
func curl(ctx context.Context, b *box, args []string, stdin string, out, errOut io.Writer) int {
	c := &curlRun{box: b, out: out, err: errOut, began: time.Now()}
	if err := c.parse(args, stdin); err != nil {
		fmt.Fprintf(errOut, "curl: %v\n", err)
		return 2
	}
	if c.maxTime > 0 {
		var cancel context.CancelFunc
		limit := time.Duration(c.maxTime * float64(time.Second))
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := c.transfer(ctx)
	expand := strings.NewReplacer(`\n`, "\n", "%{remote_ip}", c.remoteIP,
		"%{http_code}", fmt.Sprintf("%03d", c.status))
	_, _ = expand.WriteString(out, c.writeOut)
	if err == nil {
		return 0
	}
	f := c.explain(ctx, err)
	fmt.Fprintf(errOut, "curl: (%d) %s\n", f.code, f.text)
	return f.code
}

func (c *curlRun) parse(args []string, stdin string) error {
	flags := newFlags()
	for _, name := range []string{"q", "sS", "g", "k", "http1.1"} {
		flags.Bool(name, false, "")
	}
	flags.String("noproxy", "", "")
	flags.StringVar(&c.proxy, "x", "", "")
	flags.Var(&c.headers, "H", "")
	flags.StringVar(&c.writeOut, "w", "", "")
	flags.String("max-filesize", "", "")
	flags.String("K", "", "")
	flags.Float64Var(&c.maxTime, "max-time", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("the sandbox's curl takes one URL, as the last argument")
	}
	c.url = flags.Arg(0)
	for line := range strings.Lines(stdin) { // as -K - has it
		header, _ := strings.CutPrefix(strings.TrimSpace(line), "header = ")
		c.headers = append(c.headers, strings.Trim(header, `"`))
	}
	return nil
}

// transfer fetches the URL and prints the answer.
func (c *curlRun) transfer(ctx context.Context) error {
	request, err := c.request(ctx)
	if err != nil {
		return failure{3, "URL using bad/illegal format or missing URL"}
	}
	target := request.URL
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	if c.proxy != "" {
		if target, err = url.Parse(c.proxy); err != nil {
			return failure{5, "Unsupported proxy syntax in '" + c.proxy + "'"}
		}
		transport.Proxy = http.ProxyURL(target)
	}
	conn, err := c.connect(ctx, target)
	if err != nil {
		return err
	}
	defer conn.Close()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return conn, nil
	}
	client := http.Client{Transport: transport, CheckRedirect: stay}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	c.status = answer.StatusCode
	_, err = io.Copy(c.out, answer.Body)
	return err
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *curlRun) request(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "curl/7.88.1")
	r.Header.Set("Accept", "*/*")
	for _, line := range c.headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	if host := r.Header.Get("Host"); host != "" { // net/http ignores the header
		r.Host = host
	}
	return r, nil
}

// connect connects from inside the container.
func (c *curlRun) connect(ctx context.Context, target *url.URL) (net.Conn, error) {
	host, port := target.Hostname(), cmp.Or(target.Port(), "80")
	ip, found := c.box.lookup(host)
	switch {
	case !found && c.proxy != "":
		return nil, failure{5, "Could not resolve proxy: " + host}
	case !found:
		return nil, failure{6, "Could not resolve host: " + host}
	}
	conn, err := c.box.dial(ctx, ip, port)
	if err != nil {
		return nil, failure{7, fmt.Sprintf("Failed to connect to %s port %s after %d ms: "+
			"Couldn't connect to server", host, port, time.Since(c.began).Milliseconds())}
	}
	c.remoteIP = ip.String()
	return conn, nil
}

// explain is the error as curl would put it.
func (c *curlRun) explain(ctx context.Context, err error) failure {
	var f failure
	switch passed := time.Since(c.began).Milliseconds(); {
	case ctx.Err() != nil:
		return failure{28, fmt.Sprintf("Operation timed out after %d milliseconds", passed)}
	case errors.As(err, &f):
		return f
	case strings.Contains(err.Error(), "malformed HTTP"):
		return failure{1, "Received HTTP/0.9 when not allowed"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failure{18, "transfer closed with outstanding read data remaining"}
	case errors.Is(err, io.EOF):
		return failure{52, "Empty reply from server"}
	}
	return failure{56, "Recv failure: Connection reset by peer"}
}
