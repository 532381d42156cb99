package ollama

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer: whoever holds the port may not
// be Ollama.
const maxAnswer = 64 << 10

// ErrNotOllama says that something answered on the port, but not as Ollama.
var ErrNotOllama = errors.New("the answer is not Ollama's")

// Version asks the server at address ("127.0.0.1:11434") for /api/version. It
// waits no longer than patience.
func Version(ctx context.Context, address string, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := get(ctx, address, "/api/version")
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", address, err)
	}
	version, err := ParseVersion(body)
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", address, err)
	}
	return version, nil
}

// ParseVersion reads the answer to GET /api/version. What is none is an
// ErrNotOllama.
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
// (ollama/ollama#2168). Neither is a redirect followed, nor a connection kept. With
// net/http in its place the program would be twice as large, and start half as fast.
func get(ctx context.Context, address, path string) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answer, err := exchange(conn, address, path)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	}
	return bodyOf(answer)
}

// exchange speaks HTTP/1.0, in which an answer ends with its connection and has no
// chunks (RFC 9112, section 9.3).
func exchange(conn net.Conn, address, path string) (answer []byte, err error) {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, withoutZone(address)); err != nil {
		return nil, err
	}
	answer, err = io.ReadAll(io.LimitReader(conn, maxAnswer))
	if len(answer) > 0 {
		return answer, nil // whoever resets the connection behind it has answered
	}
	return nil, cmp.Or(err, io.EOF)
}

// withoutZone is the address as a Host header has it: what follows a % means
// something on this machine only.
func withoutZone(address string) string {
	host, port, _ := net.SplitHostPort(address)
	host, _, _ = strings.Cut(host, "%")
	return net.JoinHostPort(host, port)
}

func bodyOf(answer []byte) ([]byte, error) {
	head, body, whole := bytes.Cut(answer, []byte("\r\n\r\n"))
	version, status, _ := strings.Cut(string(head), " ")
	status, _, _ = strings.Cut(status, "\r\n")
	switch {
	case !whole || !strings.HasPrefix(version, "HTTP/1."):
		return nil, fmt.Errorf("%w: it is no HTTP", ErrNotOllama)
	case status != "200" && !strings.HasPrefix(status, "200 "):
		return nil, fmt.Errorf("%w: HTTP status %.3s", ErrNotOllama, status)
	}
	return body, nil
}
