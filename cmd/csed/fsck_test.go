package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

func TestFsckOfAGoodStore(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	clean(t, r.open(t, Options{Duties: allDuties()}))
}

// Each way of damaging a good store is named; nothing but what the damage
// implies is.
func TestFsckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const stranger = "6090009999999999"
	r := newRegion(t)
	p := r.open(t, Options{Duties: allDuties()})
	damage, errUndone := strings.NewReplacer("$A", r.active, "$W", r.waiting), errors.New("undone")
	for name, c := range map[string]struct {
		sql  string // $A is the active card, $W the waiting one
		want []string
	}{
		"codes lost":              {"DELETE FROM card_codes WHERE card = '$A'", []string{"fsck.card.no-codes"}},
		"codes of nobody":         {"INSERT INTO card_codes SELECT '" + stranger + "', version, pin_first, pin_second, puk_first, puk_second, cip_first, cip_second, X'01', cip_digits FROM card_codes WHERE card = '$A'", []string{"fsck.codes.orphan"}},
		"codes outlive":           {"UPDATE card SET state = 'revoked', revoked_at = 1, ended_at = 1, reason = 'holder' WHERE id = '$A'", []string{"fsck.card.codes-left", "fsck.card.certificate-state"}},
		"certificate asleep":      {"UPDATE certificate SET state = 'pending' WHERE card = '$A'", []string{"fsck.card.certificate-state"}},
		"certificate lost":        {"DELETE FROM certificate WHERE card = '$W'", []string{"fsck.card.certificate-unknown"}},
		"certificate of nobody":   {"UPDATE certificate SET card = '" + stranger + "' WHERE card = '$W'", []string{"fsck.card.certificate-unknown", "fsck.certificate.orphan"}},
		"certificate unrecorded":  {"UPDATE card SET cert_serial = '' WHERE id = '$W'", []string{"fsck.card.certificate-more", "fsck.card.no-certificate"}},
		"certificate damaged":     {"UPDATE certificate SET der = X'3000' WHERE card = '$W'", []string{"fsck.certificate.damaged"}},
		"certificate unsigned":    {"UPDATE certificate SET state = 'reserved', der = X'' WHERE card = '$W'", []string{"fsck.card.certificate-state", "fsck.certificate.reserved"}},
		"another holder":          {"UPDATE card SET cf = (SELECT cf FROM card WHERE id = '$A') WHERE id = '$W'", []string{"fsck.card.twice", "fsck.certificate.holder"}},
		"holder unknown":          {"DELETE FROM person WHERE cf = (SELECT cf FROM card WHERE id = '$W')", []string{"fsck.card.holder"}},
		"TEAM number":             {"UPDATE card SET team = 'x' WHERE id = '$W'", []string{"fsck.card.number"}},
		"card without batch":      {"UPDATE card SET batch = '' WHERE id = '$W'", []string{"fsck.card.no-batch", "fsck.batch.elsewhere"}},
		"batch unknown":           {"UPDATE card SET batch = 'B' WHERE id = '$W'", []string{"fsck.card.batch-unknown", "fsck.batch.elsewhere"}},
		"card lost":               {"DELETE FROM card WHERE id = '$W'", []string{"fsck.codes.orphan", "fsck.certificate.orphan", "fsck.batch.card-unknown"}},
		"item lost":               {"DELETE FROM batch_item WHERE card = '$W'", []string{"fsck.batch.count", "fsck.batch.outsider"}},
		"count":                   {"UPDATE batch SET cards = cards + 1", []string{"fsck.batch.count", "fsck.batch.receipt"}},
		"receipt":                 {"UPDATE batch SET made = made - 1", []string{"fsck.batch.receipt"}},
		"outcome":                 {"UPDATE batch_item SET outcome = '' WHERE card = '$W'", []string{"fsck.batch.outcome", "fsck.batch.state"}},
		"kept":                    {"UPDATE batch_item SET personal = X'01' WHERE card = '$W'", []string{"fsck.batch.kept"}},
		"posted and not":          {"UPDATE card SET state = 'produced' WHERE id = '$W'", []string{"fsck.batch.state"}},
		"made again":              {"UPDATE card SET state = 'ordered', batch = '' WHERE id = '$W'", []string{"fsck.card.codes-left", "fsck.batch.elsewhere"}},
		"active by miracle":       {"UPDATE card SET state = 'active' WHERE id = '$W'", []string{"fsck.card.certificate-state", "fsck.card.never-activated"}},
		"activation lost":         {"DELETE FROM counter_act", []string{"fsck.card.activations", "fsck.effect.orphan", "fsck.effect.orphan"}},
		"activated twice":         {"INSERT INTO counter_act SELECT '2026/9999999', kind, 'd', card, operator, office, at, printed_at, 0, body FROM counter_act", []string{"fsck.card.activations", "fsck.activation.journal", "fsck.activation.effect", "fsck.activation.effect", "fsck.activation.effect"}},
		"letter lost":             {"DELETE FROM effect WHERE kind = 'mail.codes'", []string{"fsck.activation.effect"}},
		"letter of another":       {"UPDATE effect SET card = '$W' WHERE kind = 'mail.codes'", []string{"fsck.activation.effect-card"}},
		"letter unreadable":       {"UPDATE effect SET body = X'00' WHERE kind = 'mail.codes'", []string{"fsck.effect"}},
		"form not destroyed":      {"UPDATE effect SET state = 'done', held = 1 WHERE kind = 'print.codes'", []string{"fsck.effect", "fsck.activation.form"}},
		"handed over unprinted":   {"UPDATE counter_act SET printed_at = 0", []string{"fsck.activation.unprinted"}},
		"check of no act":         {"INSERT INTO declaration_check VALUES ('2026/9999999', 'activation', '$A', 'asl', '203', 'al', 1, 'open', '', '', 0, X'')", []string{"fsck.declaration.orphan"}},
		"check of another card":   {"INSERT INTO declaration_check SELECT protocol, 'activation', '$W', 'asl', '203', 'al', 1, 'open', '', '', 0, X'' FROM counter_act", []string{"fsck.declaration.orphan"}},
		"check not recorded":      {"INSERT INTO declaration_check SELECT protocol, 'activation', card, 'asl', '203', 'al', at, 'confirmed', 'capo', 'asl', at, X'00' FROM counter_act", []string{"fsck.declaration.journal"}},
		"trail changed":           {"UPDATE audit_record SET actor = 'nobody' WHERE idx = 2", []string{"fsck.trail"}},
		"trail cut":               {"DELETE FROM audit_record WHERE idx = 2", []string{"fsck.trail"}},
		"activation not recorded": {"DELETE FROM audit_record WHERE act = 'card.activated'", []string{"fsck.trail", "fsck.activation.journal"}},
	} {
		t.Run(name, func(t *testing.T) {
			var found []finding
			err := p.db.Atomically(t.Context(), func(ctx context.Context) error {
				n, err := p.db.Conn(ctx).ExecContext(ctx, damage.Replace(c.sql))
				if err != nil {
					return err
				}
				if rows, err := n.RowsAffected(); err != nil || rows == 0 {
					return fmt.Errorf("%d rows were damaged: %w", rows, err)
				}
				if found, err = p.check(ctx); err != nil {
					return err
				}
				return errUndone // the next one finds a good store again
			})
			if !errors.Is(err, errUndone) {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.key)
				if line := words.Say(words.Italian, f.key, f.args...); strings.Contains(line, "%!") || strings.Contains(line, "⟦") {
					t.Errorf("%q", line)
				}
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("found %v\nwant  %v", got, c.want)
			}
		})
	}
}

func TestFsckNamesFilesLeftBehind(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{Duties: allDuties()})
	batches, err := p.db.Batches().List(t.Context(), false)
	if err != nil || len(batches) != 1 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	for _, name := range []string{batches[0].ID + ".keys", "2020-01-01-0001.order"} {
		if err := os.WriteFile(filepath.Join(r.config.under(r.config.Issue.Exchange), name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := p.check(t.Context())
	if err != nil || len(found) != 2 || found[0].key != "fsck.batch.file" || found[1].key != "fsck.batch.file" {
		t.Errorf("found %v, %v", found, err)
	}
}

// The command prints the lines, and refuses with their number.
func TestFsckCommand(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	config := written(t, "data: "+r.config.Data+"\n")
	if code, out, msg := said(t, nil, "fsck", "--config", config); code != 0 || !strings.Contains(out, words.Say(words.English, "csed.fsck.clean")) {
		t.Fatalf("exit %d: %s%s", code, out, msg)
	}
	if err := os.WriteFile(filepath.Join(r.config.under(r.config.Issue.Exchange), "x.order"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, msg := said(t, nil, "fsck", "--config", config)
	if code != 1 || !strings.Contains(out, "batch x: file ORDER") || !strings.Contains(msg, "CSE-391") {
		t.Errorf("exit %d: %s%s", code, out, msg)
	}
	lock, err := r.config.hold("mail")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if code, _, msg := said(t, nil, "fsck", "--config", config); code != 1 || !strings.Contains(msg, "CSE-386") {
		t.Errorf("beside a server: exit %d: %s", code, msg)
	}
}
