package ca

import (
	"context"
	"runtime"
	"sync"

	"cse.example/cse/ground/lane"
)

// lanes share the processors between work that a person waits for (one
// certificate, an extension) and batches (ground/lane): between two certificates a
// batch lets people go first, so that they wait for what is being linted and for
// nothing behind it. After lane.Fair people a batch goes on for one certificate.
type lanes struct {
	mu     sync.Mutex
	change chan struct{} // closed when somebody leaves; nil while nobody waits
	people int
	served int
}

func (l *lanes) enter() {
	l.mu.Lock()
	l.people++
	l.mu.Unlock()
}

func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people--
	l.served++
	if l.change != nil {
		close(l.change)
		l.change = nil
	}
}

// yield waits while people are at work.
func (l *lanes) yield(ctx context.Context) {
	first := -1
	for {
		l.mu.Lock()
		if first < 0 {
			first = l.served
		}
		if l.people == 0 || l.served-first >= lane.Fair {
			l.mu.Unlock()
			return
		}
		if l.change == nil {
			l.change = make(chan struct{})
		}
		change := l.change
		l.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return
		}
	}
}

// each runs f over the jobs on all processors, people before batches.
func (l *lanes) each(ctx context.Context, jobs []job, f func(i int, j *job)) {
	batch := lane.IsBatch(ctx)
	if !batch {
		l.enter()
		defer l.leave()
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(func() {
			for i := range next {
				if batch {
					l.yield(ctx)
				}
				f(i, &jobs[i])
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
}
