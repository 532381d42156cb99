package ollama

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds what is read of an answer, headers included: the port's owner may
// not be Ollama.
const maxAnswer = 64 << 10

// ErrNotOllama: something answered on the port, but not as Ollama does.
var ErrNotOllama = errors.New("the answer is not Ollama's")

// Version asks the server at address ("127.0.0.1:11434") for /api/version. It
// waits no longer than patience.
func Version(ctx context.Context, address string, patience time.Duration) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := get(ctx, address)
	if err == nil {
		version, err = ParseVersion(body)
	}
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", address, err)
	}
	return version, nil
}

// ParseVersion reads the answer to GET /api/version. Anything else is an ErrNotOllama.
func ParseVersion(body []byte) (string, error) {
	var answer struct {
		Version string `json:"version"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Version == "" {
		return "", ErrNotOllama
	}
	return answer.Version, nil
}

// ParseTags reads the answer to GET /api/tags: the names of the models that are
// here, in Ollama's order, and not nil for none. What is no such answer is an
// ErrNotOllama.
func ParseTags(body []byte) ([]string, error) {
	var answer struct {
		Models *[]struct {
			Name string `json:"name"`
		} `json:"models"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Models == nil {
		return nil, ErrNotOllama
	}
	names := []string{}
	for _, m := range *answer.Models {
		names = append(names, m.Name)
	}
	return names, nil
}

// get makes the one request that the proof of a socket takes. It goes straight to
// the address: a proxy from the environment would be asked even for 127.0.0.1
// (ollama/ollama#2168). Neither is a redirect followed, nor a connection kept.
func get(ctx context.Context, address string) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	body, err := exchange(conn, address)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return body, err
}

// exchange leaves HTTP to net/http, but not to its Transport: that logs to stderr what
// a server says unasked, as SSH and SMTP do, and keeps dialling after ctx has ended.
func exchange(conn net.Conn, address string) ([]byte, error) {
	asked := &url.URL{Scheme: "http", Host: address, Path: "/api/version"}
	req := &http.Request{URL: asked, Close: true}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	answer := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	if _, err := answer.Peek(1); err != nil {
		return nil, err // no answer at all
	}
	resp, err := http.ReadResponse(answer, req)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no HTTP", ErrNotOllama)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d", ErrNotOllama, resp.StatusCode)
	}
	body, _ := io.ReadAll(resp.Body) // a truncated answer is judged as it is
	return body, nil
}
