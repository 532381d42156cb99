package doctor

import (
	"context"
	"sync"
)

// memo is something that several checks look at, and that is looked at once.
type memo[T any] struct {
	mu    sync.Mutex
	done  chan struct{} // nil until somebody asks
	value T
	err   error
}

// get is what look finds. Who asks first starts it; nobody waits for it longer
// than ctx. It goes on as long as whole does, because others may wait for it.
func (m *memo[T]) get(ctx, whole context.Context, look func(context.Context) (T, error)) (T, error) {
	select {
	case <-m.start(whole, look):
		return m.value, m.err
	case <-ctx.Done():
		var nothing T
		return nothing, ctx.Err()
	}
}

// start begins to look, unless somebody has.
func (m *memo[T]) start(whole context.Context, look func(context.Context) (T, error)) (done <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done == nil {
		m.done = make(chan struct{})
		go func() {
			defer close(m.done)
			m.value, m.err = look(whole)
		}()
	}
	return m.done
}

// wait returns when nobody looks any more, and what was found if anybody has.
func (m *memo[T]) wait() (value T, ok bool) {
	m.mu.Lock()
	done := m.done
	m.mu.Unlock()
	if done == nil {
		return value, false
	}
	<-done
	return m.value, m.err == nil
}

// together looks at several things at once.
func together(looks ...func()) {
	var wg sync.WaitGroup
	for _, look := range looks {
		wg.Go(look)
	}
	wg.Wait()
}
