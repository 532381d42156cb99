package fetch

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
)

var (
	//go:embed fetch.py
	pythonProgram string
	//go:embed fetch.js
	nodeProgram string
)

// programOutput is what the programs say about each request.
type programOutput struct {
	Failure Result `json:"failure"` // "" for none
	Status  int    `json:"status"`
	Body    []byte `json:"body"` // in base64
	Address string `json:"address"`
	Detail  string `json:"detail"`
}

// readOutputs reads what one of the programs wrote. A preloaded module may have
// written something before.
func readOutputs(out []byte, marker string, n int) ([]Answer, error) {
	_, list, found := afterMarker(out, marker)
	if !found {
		return nil, fmt.Errorf("%w: it has no result in it", ErrNotUnderstood)
	}
	var outputs []programOutput
	if err := json.Unmarshal([]byte(list), &outputs); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotUnderstood, err)
	}
	if len(outputs) != n {
		return nil, fmt.Errorf("%w: %d results for %d requests", ErrNotUnderstood, len(outputs), n)
	}
	answers := make([]Answer, n)
	for i, o := range outputs {
		failed := slices.Contains([]Result{DNS, Refused, Timeout, Empty}, o.Failure)
		answered := o.Failure == "" && o.Status != 0
		if o.Status != 0 && (o.Status < 100 || o.Status > 999) || !failed && !answered {
			return nil, fmt.Errorf("%w: neither a status nor a failure", ErrNotUnderstood)
		}
		answers[i] = settle(o.Status, o.Failure, string(o.Body), o.Address, o.Detail)
	}
	return answers, nil
}
