package presigned

import "time"

// Finish waits until a base that is being made is there to be taken.
func (p *Publisher) Finish() {
	for range 1000 {
		p.mu.Lock()
		there := p.making == nil || len(p.making) > 0
		p.mu.Unlock()
		if there {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Hurry has no pause between deltas.
func (p *Publisher) Hurry() { p.every = 0 }
