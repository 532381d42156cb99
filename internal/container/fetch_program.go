package container

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

var (
	//go:embed fetch.py
	pythonProgram string
	//go:embed fetch.js
	nodeProgram string
)

// job is what the two programs are told, as their one argument.
type job struct {
	Marker  string  `json:"marker"`
	Seconds float64 `json:"seconds"`
	Limit   int     `json:"limit"` // on the bytes of a body
	Orders  []order `json:"orders"`
}

// report is what they say of each order.
type report struct {
	Failure Result `json:"failure"` // "" for none
	Status  int    `json:"status"`
	Body    []byte `json:"body"` // in base64
	Address string `json:"address"`
	Detail  string `json:"detail"`
}

func fetchPython(ctx context.Context, in place, orders []order, patience time.Duration) ([]Answer, error) {
	// -I: nothing from the environment, nor from the folder it runs in.
	return fetchProgram(ctx, in, orders, patience, "python3", "-I", "-c", pythonProgram)
}

func fetchNode(ctx context.Context, in place, orders []order, patience time.Duration) ([]Answer, error) {
	return fetchProgram(ctx, in, orders, patience, "node", "-e", nodeProgram)
}

// fetchProgram makes all orders with one run.
func fetchProgram(ctx context.Context, in place, orders []order, patience time.Duration, argv ...string) ([]Answer, error) {
	j := job{Marker: newMarker(), Seconds: patience.Seconds(), Limit: maxBody, Orders: orders}
	argument, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	out, err := in.run(ctx, patience, append(argv, string(argument))...)
	if err != nil {
		return nil, err
	}
	return readReports(out, j.Marker, len(orders))
}

// readReports reads what one of the programs wrote. A preloaded module may have
// written something before.
func readReports(out []byte, marker string, n int) ([]Answer, error) {
	_, text, found := afterMarker(out, marker)
	if !found {
		return nil, fmt.Errorf("%w: it has no result in it", errNotUnderstood)
	}
	var reports []report
	if err := json.Unmarshal([]byte(text), &reports); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotUnderstood, err)
	}
	if len(reports) != n {
		return nil, fmt.Errorf("%w: %d results for %d requests", errNotUnderstood, len(reports), n)
	}
	answers := make([]Answer, n)
	for i, r := range reports {
		if !r.ended() {
			return nil, fmt.Errorf("%w: neither a status nor a failure", errNotUnderstood)
		}
		answers[i] = settle(r.Status, r.Failure, string(r.Body), r.Address, r.Detail)
	}
	return answers, nil
}

// ended reports whether a report says how its order ended.
func (r report) ended() bool {
	switch r.Failure {
	case DNS, Refused, Timeout, Empty:
		return r.Status == 0 || 100 <= r.Status && r.Status <= 999
	case "":
		return 100 <= r.Status && r.Status <= 999
	}
	return false
}
