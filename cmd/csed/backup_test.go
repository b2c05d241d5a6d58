package main

import (
	"context"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/backup"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/profile"
)

// custodians gives each part a key of its own, and answers what opens each.
func (r *region) custodians(t *testing.T) map[string]string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	for part, into := range map[string]*[]string{
		partRecords: &r.config.Backup.Records, partKeys: &r.config.Backup.Keys, partFirst: &r.config.Backup.First, partSecond: &r.config.Backup.Second,
	} {
		files[part] = filepath.Join(dir, part)
		public, err := backup.NewIdentity(files[part])
		check(t, err)
		*into = []string{public}
	}
	return files
}

func codeOf(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

// escrowed exports the keys with two people, and answers the set.
func (r *region) escrowed(t *testing.T, p *Platform, dir string) string {
	t.Helper()
	if _, _, err := p.exportKeys(t.Context(), knownRoles(), dir, "custodia"); codeOf(err) != "CSE-993" {
		t.Fatalf("before anybody approved: %v", err)
	}
	approve(t, p, "sara", true)
	path, _, err := p.exportKeys(t.Context(), knownRoles(), dir, "custodia")
	check(t, err)
	return path
}

// approve decides the newest request for an export.
func approve(t *testing.T, p *Platform, account string, yes bool) {
	t.Helper()
	op, err := p.directory.OperatorByAccount(account)
	check(t, err)
	list, err := p.approvals.Waiting(t.Context(), op)
	check(t, err)
	i := slices.IndexFunc(list, func(q approval.Request) bool { return q.Kind == escrowKind })
	if i < 0 {
		t.Fatal("no request waits for ", account)
	}
	check(t, p.approvals.Decide(t.Context(), op, list[i].ID, list[i].Sum(), yes))
}

func identities(t *testing.T, files map[string]string) []age.Identity {
	t.Helper()
	var all []string
	for _, f := range files {
		all = append(all, f)
	}
	who, err := identitiesOf(all)
	check(t, err)
	return who
}

// elsewhere is the same Region on an empty machine that has the passphrases.
func (r *region) elsewhere(t *testing.T) *region {
	t.Helper()
	out := *r
	out.config.Data = filepath.Join(t.TempDir(), "data")
	check(t, os.MkdirAll(filepath.Join(out.config.Data, "secrets"), 0o700))
	for _, f := range []string{r.config.Keys.CA, r.config.Keys.Queue, r.config.Keys.Web, r.config.Keys.First, r.config.Keys.Second} {
		b, err := os.ReadFile(r.config.under(f))
		check(t, err)
		check(t, os.WriteFile(out.config.under(f), b, 0o600))
	}
	return &out
}

// signerOf is what the operator noted when the backup was made.
func signerOf(t *testing.T, c *Config) string {
	t.Helper()
	k, err := c.backupSigner()
	check(t, err)
	who, err := backup.Fingerprint(k.Public())
	check(t, err)
	return who
}

func codesOf(t *testing.T, p *Platform, card string) string {
	t.Helper()
	a, err := p.first.FirstHalves(t.Context(), card)
	check(t, err)
	b, err := p.second.SecondHalves(t.Context(), card)
	check(t, err)
	var out []byte
	for _, x := range []secret.Text{a.PIN, b.PIN, a.PUK, b.PUK, a.CIP, b.CIP} {
		out = append(append(out, x.Reveal()...), '|')
	}
	return string(out)
}

// The restore drill: a backup taken while the service serves and acts go on, and the
// keys by four eyes, make on an empty machine, on either engine, what there was: the
// same heads, the same files, the same codes, nothing that fsck does not like.
func TestTheRestoreDrill(t *testing.T) {
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.employ(t, "sara", 23, staff.RoleSecurity)
	files := r.custodians(t)
	p := r.serve(t, knownRoles()...)
	dir := t.TempDir()
	keysSet := r.escrowed(t, p, dir)

	// Acts go on, the whole time.
	ctx, stop := context.WithCancel(t.Context())
	busy := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			err := p.db.Atomically(ctx, func(ctx context.Context) error {
				return p.trail.Record(ctx, journal.Entry{Act: "access.refused", Actor: "nobody"})
			})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		busy <- n
	}()
	first, _, err := p.makeBackup(t.Context(), knownRoles(), dir)
	check(t, err)
	r.clock.Advance(time.Second)
	second, m, err := p.makeBackup(t.Context(), knownRoles(), dir)
	check(t, err)
	stop()
	if n := <-busy; n < 5 {
		t.Errorf("only %d acts meanwhile", n)
	}
	head, err := p.trail.Head(t.Context())
	check(t, err)
	if head.Index <= m.Trail.Index {
		t.Errorf("the trail did not go on: %d, the backup has %d", head.Index, m.Trail.Index)
	}
	made, err := p.trail.Search(t.Context(), audit.Search{Act: "backup.made", Limit: 9})
	check(t, err)
	if len(made) != 2 || made[0].Detail["set"] != m.Set || made[0].Detail["part.records"] == "" || !strings.HasPrefix(made[0].Actor, "system:") {
		t.Errorf("the trail says of the backups: %+v", made)
	}
	want := codesOf(t, p, r.active)
	signer := signerOf(t, &r.config)

	restore := func(t *testing.T, o *region) *Platform {
		t.Helper()
		back, err := o.config.restore(t.Context(), []string{keysSet, first, second}, signer, identities(t, files))
		check(t, err)
		if back.Set != m.Set {
			t.Errorf("of two backups %s was restored, the later is %s", back.Set, m.Set)
		}
		again, err := o.tryOpen(t.Context(), Options{}, knownRoles()...)
		check(t, err)
		if got := codesOf(t, again, r.active); got != want {
			t.Error("the codes of a card are not what they were")
		}
		clean(t, again)
		if _, err := again.trail.Verify(t.Context(), audit.Head{Index: m.Trail.Index, Hash: m.Trail.Hash}); err != nil {
			t.Error(err)
		}
		last, err := again.trail.Search(t.Context(), audit.Search{Act: "backup.restored", Limit: 2})
		check(t, err)
		if len(last) != 1 || last[0].Index != m.Trail.Index+1 {
			t.Errorf("the restore is recorded as %+v", last)
		}
		return again
	}
	t.Run("sqlite", func(t *testing.T) {
		o := r.elsewhere(t)
		again := restore(t, o)
		check(t, again.Close())
		for _, part := range []string{"keys", "ca", "webca"} {
			same(t, r.config.places()[part], o.config.places()[part])
		}
		// The service starts on it, and publishes the next list.
		was := numbers(t, r.config.under("crl"))
		q := o.serve(t, "web")
		_, err := q.publisher.Publish(t.Context())
		check(t, err)
		for name, n := range numbers(t, o.config.under("crl")) {
			if n <= was[name]+listLeap/2 {
				t.Errorf("%s has number %d, after %d", name, n, was[name])
			}
		}
		if _, err := o.config.restore(t.Context(), []string{keysSet, second}, signer, identities(t, files)); codeOf(err) != "CSE-987" {
			t.Errorf("over what was restored: %v", err)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		o := r.elsewhere(t)
		o.config.Database = storetest.Postgres(t)
		again := restore(t, o)
		// And back again, from the other engine.
		third, m3, err := again.makeBackup(t.Context(), knownRoles(), dir)
		check(t, err)
		back := r.elsewhere(t)
		_, err = back.config.restore(t.Context(), []string{keysSet, third}, signer, identities(t, files))
		check(t, err)
		check(t, again.Close())
		h, err := back.open(t, Options{}, "web").trail.Head(t.Context())
		check(t, err)
		if h.Index != m3.Trail.Index+1 {
			t.Errorf("the trail ends at %d, after %d", h.Index, m3.Trail.Index)
		}
		over := r.elsewhere(t)
		over.config.Database = o.config.Database
		if _, err := over.config.restore(t.Context(), []string{keysSet, third}, signer, identities(t, files)); codeOf(err) != "CSE-987" {
			t.Errorf("over a database with records: %v", err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		all := identities(t, files)
		only := func(parts ...string) []age.Identity {
			some := map[string]string{}
			for _, x := range parts {
				some[x] = files[x]
			}
			return identities(t, some)
		}
		for what, x := range map[string]struct {
			sets   []string
			signer string
			who    []age.Identity
			spoil  func(o *region)
			want   string
		}{
			"without the keys":           {sets: []string{second}, want: "CSE-988"},
			"another signer":             {sets: []string{keysSet, second}, signer: strings.Repeat("0", 64), want: "CSE-986"},
			"without a custodian":        {sets: []string{keysSet, second}, who: only(partRecords, partKeys, partFirst), want: "CSE-989"},
			"a folder that is not empty": {sets: []string{keysSet, second}, want: "CSE-987", spoil: func(o *region) { check(t, os.WriteFile(o.config.under("platform.db"), nil, 0o600)) }},
			"a damaged one":              {sets: []string{keysSet, spoiled(t, second)}, want: "CSE-985"},
		} {
			o := r.elsewhere(t)
			if x.spoil != nil {
				x.spoil(o)
			}
			if x.signer == "" {
				x.signer = signer
			}
			if x.who == nil {
				x.who = all
			}
			if _, err := o.config.restore(t.Context(), x.sets, x.signer, x.who); codeOf(err) != x.want {
				t.Errorf("%s: %v, want %s", what, err, x.want)
			}
			// What a restore left half done is opened by nobody.
			if _, err := os.Stat(o.config.under(unfinished)); err == nil {
				if _, err := o.tryOpen(t.Context(), Options{}, "web"); codeOf(err) != "CSE-992" {
					t.Errorf("%s: the half restored folder opens: %v", what, err)
				}
				if _, err := o.config.restore(t.Context(), []string{keysSet, second}, signer, all); codeOf(err) != "CSE-992" {
					t.Errorf("%s: restored over a half restored one: %v", what, err)
				}
			}
		}
	})
}

// numbers are those of the lists in a folder.
func numbers(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, profile.FirstLabel+"-*.crl"))
	check(t, err)
	if len(files) == 0 {
		t.Fatal("no list in ", dir)
	}
	out := map[string]int64{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		check(t, err)
		l, err := x509.ParseRevocationList(b)
		check(t, err)
		out[filepath.Base(f)] = l.Number.Int64()
	}
	return out
}

// spoiled is a copy of a set with one bit changed.
func spoiled(t *testing.T, set string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	check(t, os.CopyFS(dir, os.DirFS(set)))
	file := filepath.Join(dir, "records.age")
	b, err := os.ReadFile(file)
	check(t, err)
	b[len(b)-9] ^= 1
	check(t, os.WriteFile(file, b, 0o600))
	return dir
}

// same compares two folders, file by file.
func same(t *testing.T, a, b string) {
	t.Helper()
	n := 0
	check(t, filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		n++
		x, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		y, err := os.ReadFile(filepath.Join(b, rel))
		if err != nil || string(x) != string(y) {
			t.Errorf("%s is not what it was: %v", rel, err)
		}
		return nil
	}))
	if n == 0 {
		t.Errorf("%s has no file", a)
	}
}

// No archive yields a whole code, even to who has every passphrase: each half's
// keyset, the table of halves and the key of the CIPs are in four different parts.
func TestNoSingleBackupYieldsAWholeCode(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.NoEmail = NoEmail{How: "letter", Office: "comune", Spool: "letters"}
	check(t, os.MkdirAll(r.config.under("letters/comune"), 0o700))
	check(t, os.WriteFile(r.config.under("letters/comune/0001.pdf"), []byte("%PDF"), 0o600))
	stock, err := r.config.stock()
	check(t, err)
	where := map[string]string{}
	for part, list := range stock {
		for _, k := range list {
			where[k.name] = part
		}
	}
	for name, part := range map[string]string{
		"keys/first-half.ring": partFirst, "keys/codes-first.keyset": partFirst, "keys/second-half.ring": partSecond, "keys/codes-second.keyset": partSecond,
		"keys/codes-cip.keyset": partKeys, "keys/web.ring": partKeys, "keys/queue.ring": partKeys, "ca/issuing.key": partKeys, "ca/root.key": partKeys,
		"keys/codes-first.pub.keyset": partRecords, "ca/issuing.pem": partRecords, "letters/comune/0001.pdf": partLetters, bureauName: partRecords,
	} {
		if where[name] != part {
			t.Errorf("%s is in %q, want %q", name, where[name], part)
		}
	}
	for name, part := range where {
		secretFile := strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".ring") || strings.HasSuffix(name, ".keyset") && !strings.HasSuffix(name, ".pub.keyset")
		if secretFile && part == partRecords || part == partFirst && strings.Contains(name, "second") || part == partSecond && strings.Contains(name, "first") {
			t.Errorf("%s is in %s", name, part)
		}
		if strings.Contains(name, "passphrase") || strings.Contains(name, "cards/") || strings.HasSuffix(name, ".db") {
			t.Errorf("%s is in a backup", name)
		}
	}
	if (Backup{}).custodians(partLetters) != nil || (Backup{First: []string{"a"}, Second: []string{"b"}}).custodians(partLetters)[0] != "b" {
		t.Error("letters with second halves are not the second custodian's")
	}
	r.custodians(t)
	for _, x := range []func(b *Backup){
		func(b *Backup) { b.Second = b.First }, func(b *Backup) { b.First = append(b.First, b.Records...) }, func(b *Backup) { b.Keys = b.Records },
	} {
		b := r.config.Backup
		x(&b)
		if err := b.check(); codeOf(err) != "CSE-994" {
			t.Errorf("custodians who could join the halves: %v", err)
		}
	}
	check(t, r.config.Backup.check())
}

// Keys leave once for one approval, of exactly these files and custodians, by a
// second person, before it runs out.
func TestTheExportOfKeysNeedsTwo(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "sara", 23, staff.RoleSecurity)
	r.employ(t, "olga", 24, staff.RoleOperations)
	r.custodians(t)
	p := r.open(t, Options{}, knownRoles()...)
	dir := t.TempDir()
	try := func(what, want string) {
		t.Helper()
		before, err := os.ReadDir(dir)
		check(t, err)
		path, _, err := p.exportKeys(t.Context(), knownRoles(), dir, "custodia annuale")
		if codeOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if after, err := os.ReadDir(dir); err != nil || want != "" && len(after) != len(before) || want == "" && path == "" {
			t.Errorf("%s: %v is there", what, after)
		}
	}
	try("nobody was asked", "CSE-993")
	try("nobody decided", "CSE-993")
	op, err := p.directory.OperatorByAccount("olga")
	check(t, err)
	if list, err := p.approvals.Waiting(t.Context(), op); err != nil || len(list) != 0 {
		t.Errorf("operations may decide: %v, %v", list, err)
	}
	approve(t, p, "sara", false)
	try("it was refused", "CSE-993")
	approve(t, p, "sara", true)
	good := p.Config.Backup
	p.Config.Backup.Keys = append(slices.Clone(good.Keys), good.Keys[0])
	try("a custodian more than was approved", "CSE-993")
	p.Config.Backup = good
	ring := filepath.Join(p.Config.under("keys"), ringFirst)
	was, err := os.ReadFile(ring)
	check(t, err)
	check(t, os.WriteFile(ring, append(was, '\n'), 0o600))
	try("a file that is not as it was", "CSE-993")
	check(t, os.WriteFile(ring, was, 0o600))
	r.clock.Advance(escrowLife + time.Minute)
	try("the approval ran out", "CSE-993")
	approve(t, p, "sara", true)
	try("approved", "")
	try("a second time", "CSE-993")
	list, err := p.trail.Search(t.Context(), audit.Search{Act: "escrow.exported", Limit: 9})
	check(t, err)
	if len(list) != 1 || list[0].Detail["part."+partFirst] == "" || list[0].Detail["part."+partSecond] == "" || list[0].Detail["part."+partKeys] == "" {
		t.Errorf("the trail says %+v", list)
	}
	p.Config.Backup.Second = p.Config.Backup.First
	try("one custodian of both halves", "CSE-994")
}

// The commands say what they do, in both languages, and print no key.
func TestTheCommandsOfBackup(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "custode")
	code, public, errs := said(t, nil, "backup", "key", key)
	if code != 0 || !strings.HasPrefix(public, "age1") || strings.Contains(public+errs, "SECRET") {
		t.Fatal(code, public, errs)
	}
	config := func(who string) string {
		return written(t, "data: "+r.config.Data+"\ncounters: [{id: comune, type: COMUNE, name: C, comune: D612}]\nbackup: {records: ["+who+"]}\n")
	}
	if code, _, errs := said(t, nil, "backup", dir, "--config", config("")); code != 1 || !strings.Contains(errs, "CSE-984") {
		t.Errorf("without a custodian: %d %s", code, errs)
	}
	if code, _, errs := said(t, nil, "backup", dir, "--config", config("age1nulla")); code != 2 || !strings.Contains(errs, "CSE-984") {
		t.Errorf("a custodian that is no key: %d %s", code, errs)
	}
	code, set, errs := said(t, nil, "backup", dir, "--config", config(strings.TrimSpace(public)), "--lang", "it")
	if code != 0 || !strings.Contains(errs, "ATTENZIONE") || !strings.Contains(errs, "records: ") {
		t.Fatal(code, set, errs)
	}
	code, out, errs := said(t, nil, "backup", "verify", strings.TrimSpace(set), "--identity", key, "--lang", "en")
	if code != 0 || !strings.Contains(out, "1 archives whole, 1 opened") || !strings.Contains(out, signerOf(t, &r.config)) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, errs := said(t, nil, "backup", "verify", spoiled(t, strings.TrimSpace(set)), "--lang", "en"); code != 1 || !strings.Contains(errs, "CSE-985") || !strings.Contains(errs, "records.age") {
		t.Errorf("%d %s", code, errs)
	}
	empty := written(t, "data: "+filepath.Join(dir, "nuova")+"\n")
	if code, _, errs := said(t, nil, "restore", strings.TrimSpace(set), "--config", empty); code != 1 || !strings.Contains(errs, "CSE-986") || !strings.Contains(errs, signerOf(t, &r.config)) {
		t.Errorf("without a signer: %d %s", code, errs)
	}
	if code, _, errs := said(t, nil, "restore", strings.TrimSpace(set), "--signer", signerOf(t, &r.config), "--config", config(strings.TrimSpace(public))); code != 1 || !strings.Contains(errs, "CSE-987") {
		t.Errorf("over its own data: %d %s", code, errs)
	}
}
