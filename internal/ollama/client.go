package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of an answer: whoever holds the port may not
// be Ollama.
const maxAnswer = 64 << 10

// ErrNotOllama says that something answered on the port, but not as Ollama.
var ErrNotOllama = errors.New("the answer is not Ollama's")

// client goes straight to the address: a proxy from the environment would be
// asked even for 127.0.0.1 (ollama/ollama#2168). A redirect is not followed,
// and every check opens its own connection, because it is the listener that is
// being checked.
var client = &http.Client{
	Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	},
}

// Version asks the server at address ("127.0.0.1:11434") for /api/version. It
// waits no longer than patience.
func Version(ctx context.Context, address string, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := get(ctx, "http://"+address+"/api/version")
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

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d", ErrNotOllama, resp.StatusCode)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}

// bare drops net/url's own wrapping, which would say method and URL again.
func bare(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
