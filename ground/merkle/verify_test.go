package merkle_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/merkle/merkletest"
)

func folder(files map[string][]byte) fs.FS {
	out := fstest.MapFS{}
	for name, b := range files {
		out[name] = &fstest.MapFile{Data: b}
	}
	return out
}

// Whatever is done to an export is found, and the first record at fault named.
func TestTheVerifierNamesTheFirstBadIndex(t *testing.T) {
	l := merkletest.New(t).Add(6).Sign().Add(4).Sign().Add(300).Sign().Add(3)
	good := l.Files()
	r, err := merkle.Verify(folder(good), nil)
	if err != nil || r.Head.Index != 313 || r.Signed != 310 || r.Checkpoints != 3 || r.Records != 313 || r.Origin != merkletest.Origin {
		t.Fatalf("the log as it is: %+v, %v", r, err)
	}
	lines := func(name string) []string {
		return strings.SplitAfter(strings.TrimSuffix(string(good[name]), "\n"), "\n")
	}
	join := func(all []string) []byte { return []byte(strings.TrimSuffix(strings.Join(all, ""), "\n") + "\n") }
	edit := func(name string, f func(all []string) []string) map[string][]byte {
		out := maps.Clone(good)
		all := lines(name)
		all[len(all)-1] += "\n"
		out[name] = join(f(all))
		return out
	}
	drop := func(name string, i int) map[string][]byte {
		return edit(name, func(all []string) []string { return slices.Delete(all, i, i+1) })
	}
	swap := func(name string, i, j int) map[string][]byte {
		return edit(name, func(all []string) []string { all[i], all[j] = all[j], all[i]; return all })
	}
	put := func(name string, i int, line string) map[string][]byte {
		return edit(name, func(all []string) []string { return slices.Insert(all, i, line) })
	}
	change := func(name string, i int, from, to string) map[string][]byte {
		return edit(name, func(all []string) []string { all[i] = strings.Replace(all[i], from, to, 1); return all })
	}
	forged := l.Heads[1]
	forged.Root[0] ^= 1
	note := func(c merkle.Checkpoint) string {
		return `"` + strings.ReplaceAll(string(l.Note(c)), "\n", `\n`) + "\"\n"
	}
	older, again, twice := l.Heads[1], l.Heads[1], l.Heads[1]
	older.At, again.Number, twice.Number = older.At.Add(-time.Hour), 3, 3
	twice.Root[0] ^= 1
	for _, c := range []struct {
		name  string
		files map[string][]byte
		known []merkle.Head
		index int64
	}{
		{"a record flipped", change(merkle.FileRecords, 4, "operator-1", "operator-2"), nil, 5},
		{"a record and its hash flipped", func() map[string][]byte {
			out := change(merkle.FileRecords, 4, "operator-1", "operator-2")
			text := bytes.Split(out[merkle.FileRecords], []byte("\n"))[4]
			h := merkle.LeafHash(text)
			was := merkle.LeafHash(l.Texts[4])
			out[merkle.FileLeaves] = bytes.Replace(out[merkle.FileLeaves], []byte(merkle.HeadOf(0, was).Hash), []byte(merkle.HeadOf(0, h).Hash), 1)
			return out
		}(), nil, 1}, // to 6: the first checkpoint's
		{"a hash flipped", change(merkle.FileLeaves, 6, lines(merkle.FileLeaves)[6][:4], "0000"), nil, 7},
		{"a hash that is none", change(merkle.FileLeaves, 6, lines(merkle.FileLeaves)[6][:4], "zzzz"), nil, 7},
		{"a record dropped", drop(merkle.FileRecords, 6), nil, 7},
		{"the first dropped", drop(merkle.FileRecords, 0), nil, 1},
		{"the last dropped", drop(merkle.FileRecords, 312), nil, 313},
		{"a hash dropped", drop(merkle.FileLeaves, 6), nil, 7},
		{"records reordered", swap(merkle.FileRecords, 2, 8), nil, 3},
		{"hashes reordered", swap(merkle.FileLeaves, 2, 8), nil, 3},
		{"a record inserted", put(merkle.FileRecords, 5, lines(merkle.FileRecords)[4]), nil, 6},
		{"a record of before inserted", put(merkle.FileRecords, 0, lines(merkle.FileRecords)[200]), nil, 1},
		{"a hash inserted", put(merkle.FileLeaves, 5, lines(merkle.FileLeaves)[4]), nil, 6},
		{"another spelling", change(merkle.FileRecords, 4, `":"`, `": "`), nil, 5},
		{"truncated", func() map[string][]byte {
			out := edit(merkle.FileRecords, func(all []string) []string { return all[:8] })
			out[merkle.FileLeaves] = join(lines(merkle.FileLeaves)[:8])
			out[merkle.FileSealed] = join(lines(merkle.FileSealed)[:4])
			return out
		}(), nil, 9},
		{"truncated after the last checkpoint", func() map[string][]byte {
			out := edit(merkle.FileRecords, func(all []string) []string { return all[:310] })
			out[merkle.FileLeaves] = join(lines(merkle.FileLeaves)[:310])
			out[merkle.FileSealed] = join(lines(merkle.FileSealed)[:155])
			return out
		}(), []merkle.Head{r.Head}, 311},
		{"details flipped", change(merkle.FileSealed, 2, `"sealed":"A`, `"sealed":"B`), nil, 6},
		{"details spelled otherwise", change(merkle.FileSealed, 2, `"sealed"`, ` "sealed"`), nil, 6},
		{"details dropped", drop(merkle.FileSealed, 2), nil, 6},
		{"details reordered", swap(merkle.FileSealed, 2, 5), nil, 6},
		{"details inserted", put(merkle.FileSealed, 2, lines(merkle.FileSealed)[1]), nil, 6},
		{"details of nobody", put(merkle.FileSealed, 156, lines(merkle.FileSealed)[1]), nil, 314},
		{"a checkpoint dropped", drop(merkle.FileCheckpoints, 1), nil, 7},
		{"a checkpoint forged", change(merkle.FileCheckpoints, 1, `\n10\n`, `\n11\n`), nil, 11},
		{"a checkpoint that is none", put(merkle.FileCheckpoints, 1, "nonsense\n"), nil, 7},
		{"a checkpoint of another tree", func() map[string][]byte {
			return edit(merkle.FileCheckpoints, func(all []string) []string { all[1] = note(forged); return all })
		}(), nil, 7},
		{"a checkpoint older than the one before", func() map[string][]byte {
			return edit(merkle.FileCheckpoints, func(all []string) []string { all[1] = note(older); return all })
		}(), nil, 10},
		{"a checkpoint twice", put(merkle.FileCheckpoints, 2, note(again)), nil, 11},
		{"two that contradict", put(merkle.FileCheckpoints, 2, note(twice)), nil, 10},
		{"a kept head of another tree", good, []merkle.Head{merkle.HeadOf(9, l.Heads[0].Root)}, 9},
		{"kept heads that contradict", good, []merkle.Head{merkle.HeadOf(9, l.Heads[0].Root), merkle.HeadOf(9, l.Heads[1].Root)}, 9},
	} {
		_, err := merkle.Verify(folder(c.files), nil, c.known...)
		var b *merkle.Broken
		if !errors.As(err, &b) || b.Index != c.index {
			t.Errorf("%s: %v, want record %d", c.name, err, c.index)
		}
	}
	if _, err := merkle.Verify(folder(good), nil, merkle.HeadOf(10, l.Heads[1].Root), r.Head); err != nil {
		t.Errorf("kept heads of this log: %v", err)
	}
}

// What a proof says is in the log, or it is refused with the act's number.
func TestAProofStandsAlone(t *testing.T) {
	l := merkletest.New(t).Add(6).Sign().Add(300).Sign()
	for _, keys := range []merkle.Keys{nil, l.Keys()} {
		acts, c, err := l.Proof(2, 5, 300).Check(keys)
		if err != nil || c != l.Heads[1] || len(acts) != 3 || acts[0].Facts.Detail["protocol"] != "2026/0000002" || acts[0].Facts.Card != "6090000000000017" || acts[1].Leaf.Index != 5 {
			t.Errorf("%+v, %v", acts, err)
		}
	}
	flip := func(f func(p *merkle.Proof)) merkle.Proof {
		p := l.Proof(2, 300)
		f(&p)
		return p
	}
	for name, p := range map[string]merkle.Proof{
		"another text":       flip(func(p *merkle.Proof) { p.Acts[1].Leaf = strings.Replace(p.Acts[1].Leaf, "asl-1", "asl-2", 1) }),
		"another's text":     flip(func(p *merkle.Proof) { p.Acts[1].Leaf = p.Acts[0].Leaf }),
		"another's path":     flip(func(p *merkle.Proof) { p.Acts[1].Path = p.Acts[0].Path }),
		"a hash more":        flip(func(p *merkle.Proof) { p.Acts[1].Path = append(p.Acts[1].Path, merkle.Hash{}) }),
		"no path":            flip(func(p *merkle.Proof) { p.Acts[1].Path = nil }),
		"sealed changed":     flip(func(p *merkle.Proof) { p.Acts[1].Sealed[20] ^= 1 }),
		"another's key":      flip(func(p *merkle.Proof) { p.Acts[1].Open = merkletest.RecordKey(2) }),
		"no key":             flip(func(p *merkle.Proof) { p.Acts[1].Open = nil }),
		"before the log":     flip(func(p *merkle.Proof) { p.Acts[1].Index = 0 }),
		"beyond the log":     flip(func(p *merkle.Proof) { p.Acts[1].Index = 400 }),
		"an older head":      flip(func(p *merkle.Proof) { p.Checkpoint = string(l.Notes[0]) }),
		"a head of nobody's": flip(func(p *merkle.Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, "306", "307", 1) }),
	} {
		if acts, _, err := p.Check(l.Keys()); err == nil {
			t.Errorf("%s: proves %+v", name, acts)
		}
	}
	p := l.Proof(2)
	p.Key = "x"
	if _, _, err := p.Check(nil); err == nil {
		t.Error("a proof without a key was believed")
	}
}

// What a log gives out proves that it only grew.
func TestThePublicPartOnlyGrows(t *testing.T) {
	l := merkletest.New(t).Add(6).Sign().Add(600).Sign().Add(2)
	leaves := func(n int64) ([]byte, error) { return l.Tile(0, n) }
	ask := func(notes [][]byte, leaves func(int64) ([]byte, error), known ...merkle.Head) (merkle.Report, error) {
		return merkle.VerifyPublic(l.Keys(), notes[len(notes)-1], merkle.NotesOf(notes), leaves, known...)
	}
	r, err := ask(l.Notes, leaves, merkle.HeadOf(6, l.Heads[0].Root))
	if err != nil || r.Signed != 606 || r.Head.Index != 606 || r.Records != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	other := l.Heads[1]
	other.Root[3] ^= 1
	for _, c := range []struct {
		name   string
		notes  [][]byte
		leaves func(int64) ([]byte, error)
		known  []merkle.Head
		index  int64
	}{
		{"another head was kept", l.Notes, leaves, []merkle.Head{merkle.HeadOf(300, other.Root)}, 300},
		{"a leaf changed", l.Notes, func(n int64) ([]byte, error) {
			b, _ := l.Tile(0, n)
			b = bytes.Clone(b)
			if n == 1 {
				b[7] ^= 1
			}
			return b, nil
		}, nil, 7},
		{"a tile too short", l.Notes, func(n int64) ([]byte, error) { b, _ := l.Tile(0, n); return b[:min(len(b), 6400)], nil }, nil, 201},
		{"a head of another tree", [][]byte{l.Notes[0], l.Note(other)}, leaves, nil, 7},
		{"a head missing", [][]byte{l.Notes[1]}, leaves, nil, 1},
		{"nobody's head", [][]byte{l.Notes[0], []byte("x")}, leaves, nil, 1},
	} {
		var b *merkle.Broken
		if _, err := ask(c.notes, c.leaves, c.known...); !errors.As(err, &b) || b.Index != c.index {
			t.Errorf("%s: %v, want record %d", c.name, err, c.index)
		}
	}
}

// Heads are read as they were kept, and nothing else is.
func TestKeptHeads(t *testing.T) {
	l := merkletest.New(t).Add(3).Sign().Add(3).Sign()
	text := string(l.Notes[0]) + "\n" + `{"index":6,"hash":"` + merkle.HeadOf(6, l.Heads[1].Root).Hash + "\"}\n" + l.Heads[1].Text()
	got, err := merkle.ParseHeads(text)
	if err != nil || len(got) != 3 || got[0].Index != 3 || got[1] != got[2] {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "x", "{}", `{"index":1,"hash":"00"}`, "a\n1\nx\ncheckpoint 1 2026\n", "a\n1\n"} {
		if got, err := merkle.ParseHeads(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

// Nothing that is read makes the verifier stumble.
func FuzzProof(f *testing.F) {
	l := merkletest.New(f).Add(6).Sign()
	for name, b := range l.Files() {
		f.Add(b, []byte(name))
	}
	f.Add(l.Notes[0], []byte(`{"form":"cse.audit.proof/1","acts":[{"index":1}]}`))
	keys, good := l.Keys(), l.Files()
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if leaf, err := merkle.ParseLeaf(a); err == nil {
			if text, err := leaf.Text(); err != nil || !bytes.Equal(text, a) {
				t.Errorf("%q is read as %+v, which is %q", a, leaf, text)
			}
		}
		if c, err := keys.Open(a); err == nil && !slices.Contains(l.Heads, c) {
			t.Errorf("nobody signed %+v", c)
		}
		_, _ = merkle.ParseHeads(string(a))
		_, _ = merkle.ParseKeys(string(a))
		if p, err := merkle.ParseProof(b); err == nil {
			_, _, _ = p.Check(keys)
		}
		files := maps.Clone(good)
		files[merkle.FileRecords], files[merkle.FileSealed] = a, b
		_, _ = merkle.Verify(folder(files), keys)
		files = maps.Clone(good)
		files[merkle.FileCheckpoints], files[merkle.FileLeaves] = a, b
		_, _ = merkle.Verify(folder(files), keys)
	})
}
