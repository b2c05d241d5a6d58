package ca

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"cse.example/cse/ground/lane"
)

// A batch does nothing between the coming and the going of somebody who waits; and
// goes on for one certificate when lane.Fair people followed each other.
func TestABatchLetsPeopleGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		var done atomic.Int64
		l.enter()
		go l.each(lane.Batch(t.Context()), make([]job, 50), func(int, *job) { done.Add(1) })
		synctest.Wait()
		if n := done.Load(); n != 0 {
			t.Errorf("%d certificates of the batch while somebody waited", n)
		}
		for range lane.Fair - 1 {
			l.enter()
			l.leave()
			synctest.Wait()
		}
		if n := done.Load(); n != 0 {
			t.Errorf("%d certificates of the batch before it was its turn", n)
		}
		l.enter()
		l.leave()
		synctest.Wait()
		if n := done.Load(); n < 1 || n > 8 {
			t.Errorf("%d certificates of the batch at its turn", n)
		}
		l.leave()
		synctest.Wait()
		if n := done.Load(); n != 50 {
			t.Errorf("%d certificates of the batch once nobody waited", n)
		}
	})
}
