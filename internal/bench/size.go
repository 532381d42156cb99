package main

import "os"

// mostSize is the limit of the program on disk, in MB.
const mostSize = 8

// size compares programs that were built with the same flags.
func size(l *lab) ([]table, error) {
	t := table{head: []string{"program", "size", "ollama-bind against it", "wanted"}}
	own, err := l.sizeOf(program)
	if err != nil {
		return nil, err
	}
	for _, row := range []struct{ what, program string }{
		{"ollama-bind", program},
		{"a program with urfave/cli and nothing else", emptyCLI},
		{"an empty Go program", empty},
	} {
		bytes, err := l.sizeOf(row.program)
		if err != nil {
			return nil, err
		}
		if row.program == program {
			t.add(row.what, weight(own), "", atMost(own/1e6, mostSize, " MB"))
			continue
		}
		t.add(row.what, weight(bytes), times(ratio(own, bytes)), "")
	}
	return []table{t}, nil
}

func (l *lab) sizeOf(program string) (float64, error) {
	info, err := os.Stat(l.path(program))
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}
