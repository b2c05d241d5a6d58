package status

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// kept are signed answers in memory: Records side by side in chunks of octets,
// and a map from serial number to place, so that a million of them cost some 250
// MB and the garbage collector nothing.
type kept struct {
	mu     sync.RWMutex
	width  int
	most   int
	slot   map[[SerialSize]byte]uint32
	chunks []*chunk
	free   []uint32
	next   uint32 // first slot never used
	tended uint32 // where tend goes on

	// turns counts what was learned of changes. An answer that was decided before
	// a turn is not kept after it: it may be the one that the turn ended.
	turns atomic.Uint64
}

const chunkSize = 1024

type chunk struct {
	octets []byte
	// asked tells that somebody wanted it since it was signed; stale that its
	// certificate has moved.
	asked, stale [chunkSize]atomic.Bool
}

// maxKept bounds the answers in memory.
const maxKept = 500_000

func newKept(width, most int) *kept {
	return &kept{width: width, most: most, slot: map[[SerialSize]byte]uint32{}}
}

func (k *kept) at(n uint32) (c *chunk, i int, octets []byte) {
	size := RecordSize(k.width)
	c, i = k.chunks[n/chunkSize], int(n%chunkSize)
	return c, i, c.octets[i*size : (i+1)*size]
}

// get is a copy of what is kept; asking marks it as wanted.
func (k *kept) get(serial [SerialSize]byte, asking bool) (r Record, stale, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	n, ok := k.slot[serial]
	if !ok {
		return r, false, false
	}
	c, i, octets := k.at(n)
	r.Read(append([]byte(nil), octets...))
	if asking && !c.asked[i].Load() {
		c.asked[i].Store(true)
	}
	return r, c.stale[i].Load(), true
}

// put keeps r, unless something was learned since turn.
func (k *kept) put(r *Record, turn uint64) {
	if len(r.Signatures) != 2*k.width {
		return // of another letterhead
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.turns.Load() != turn {
		return
	}
	n, ok := k.slot[r.Serial]
	if !ok {
		n = k.room()
		k.slot[r.Serial] = n
	}
	c, i, octets := k.at(n)
	r.Put(octets)
	c.asked[i].Store(true)
	c.stale[i].Store(false)
}

// room is a slot to write to; when all are taken any one loses its answer.
func (k *kept) room() uint32 {
	if n := len(k.free); n > 0 {
		last := k.free[n-1]
		k.free = k.free[:n-1]
		return last
	}
	if len(k.slot) >= k.most {
		n := rand.Uint32N(k.next) // all up to next are taken: nothing is free
		var old Record
		_, _, octets := k.at(n)
		old.Read(octets)
		delete(k.slot, old.Serial)
		return n
	}
	if int(k.next) == len(k.chunks)*chunkSize {
		k.chunks = append(k.chunks, &chunk{octets: make([]byte, chunkSize*RecordSize(k.width))})
	}
	k.next++
	return k.next - 1
}

// forget marks an answer whose certificate has moved to a version, and answers the
// turn that this was.
func (k *kept) forget(serial [SerialSize]byte, version int64) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := k.slot[serial]; ok {
		c, i, octets := k.at(n)
		c.stale[i].Store(true)
		var r Record
		r.Read(octets)
		r.Version = max(r.Version, version)
		r.Put(octets)
	}
	return k.turns.Add(1)
}

// tend walks over some slots: answers whose life is over are dropped; it lists
// those that somebody asked for and whose first half is over.
func (k *kept) tend(now time.Time, slots int) []Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	var old []Record
	for range min(slots, int(k.next)) {
		if k.tended++; k.tended >= k.next {
			k.tended = 0
		}
		c, i, octets := k.at(k.tended)
		var r Record
		r.Read(octets)
		if n, ok := k.slot[r.Serial]; !ok || n != k.tended {
			continue // free
		}
		switch {
		case now.Unix() >= int64(r.Next):
			delete(k.slot, r.Serial)
			k.free = append(k.free, k.tended)
		case !r.Young(now) && c.asked[i].Swap(false) && !c.stale[i].Load():
			r.Signatures = append([]byte(nil), r.Signatures...)
			old = append(old, r)
		}
	}
	return old
}

// reset drops everything.
func (k *kept) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turns.Add(1)
	clear(k.slot)
	k.chunks, k.free, k.next, k.tended = nil, nil, 0, 0
}

func (k *kept) len() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.slot)
}
