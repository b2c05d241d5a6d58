package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"cse.example/cse/ground/words"
)

// Teller tells the audience what happens: one plain sentence a step, progress
// bars on a terminal, a line every tenth elsewhere. It writes to standard error
// and is safe for concurrent use.
type Teller struct {
	Out      io.Writer
	Lang     words.Lang
	Terminal bool

	mu   sync.Mutex
	bar  *progressbar.ProgressBar
	name string
	last int
}

// Say prints the sentence key.
func (t *Teller) Say(key string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endBar()
	fmt.Fprintln(t.Out, words.Say(t.Lang, key, args...))
}

func (t *Teller) word(key string) string { return words.Say(t.Lang, key) }

// Progress shows that done of total are done of what key names.
func (t *Teller) Progress(key string, done, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := words.Say(t.Lang, key)
	if !t.Terminal {
		t.line(name, done, total)
		return
	}
	if t.bar == nil || t.name != name {
		t.endBar()
		t.name = name
		t.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(t.Out), progressbar.OptionSetDescription("   "+name),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(false))
	}
	_ = t.bar.Set(done) // a bar that cannot be drawn spoils nothing
}

func (t *Teller) line(name string, done, total int) {
	if t.name != name {
		t.name, t.last = name, -1
	}
	if total == 0 || (done < total && done*10/total == t.last) {
		return
	}
	if tenth := done * 10 / total; tenth != t.last {
		t.last = tenth
		fmt.Fprintf(t.Out, "   %s %d/%d\n", name, done, total)
	}
}

func (t *Teller) endBar() {
	if t.bar != nil {
		_ = t.bar.Finish()
		t.bar = nil
	}
	t.name = ""
}
