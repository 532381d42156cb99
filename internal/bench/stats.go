package main

import (
	"cmp"
	"slices"
	"time"
)

// median is the middle value, or the lower one of the two in the middle. Of none it
// is zero.
func median[T cmp.Ordered](values []T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// ratio is a/b, or 0 where there is no b.
func ratio[T ~int64 | ~float64](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// sample is one run of something.
type sample struct {
	wall time.Duration
	cpu  time.Duration // of the processes, and of those that they waited for
}

func wall(s sample) time.Duration { return s.wall }
func cpu(s sample) time.Duration  { return s.cpu }

// middle is the median of one side of samples.
func middle[T cmp.Ordered](samples []sample, of func(sample) T) T {
	var values []T
	for _, s := range samples {
		values = append(values, of(s))
	}
	return median(values)
}
