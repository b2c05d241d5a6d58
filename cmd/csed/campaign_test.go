package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
)

// R107, R41: a chipless successor, chosen by a campaign, leaves the predecessor's
// CNS alive until its own end; one with a chip ends it thirty days after its
// activation.
func TestR107_R22_ChiplessSuccessorLeavesTheOldCNSAlive(t *testing.T) {
	t.Parallel()
	for chip, want := range map[production.Chip]lifecycle.State{production.WithoutChip: lifecycle.Active, production.WithChip: lifecycle.Replaced} {
		t.Run(string(chip), func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			r.config.Issue.ChiplessEvery = 1 // the campaign's choice comes first
			if chip == production.WithoutChip {
				r.config.Issue.ChiplessEvery = 0
			}
			r.employ(t, "carlo", 1, staff.RoleOperations)
			p := r.open(t, Options{}, "web")
			ctx := t.Context()
			op, err := p.directory.OperatorByAccount("carlo")
			check(t, err)
			old := card(t, p, r.active)
			r.clock.Set(old.Expires.AddDays(-200).Start())
			c, err := p.campaigns.NewRenewal(ctx, op, "Rinnovo", campaign.Criteria{Until: old.Expires, Chip: chip})
			check(t, err)
			_, err = p.campaigns.Start(ctx, op, c.ID, "")
			check(t, err)
			_, err = p.campaigns.Work(ctx)
			check(t, err)
			next := card(t, p, card(t, p, r.active).ReplacedBy)
			if (next.Model == lifecycle.TSCNS) != (chip == production.WithChip) {
				t.Fatalf("the successor is %s", next.Model)
			}
			now := r.clock.Now()
			next.State, next.ShippedAt, next.DeliveredAt = lifecycle.Delivered, now, now
			if next.HasChip() {
				next.State, next.ActivatedAt, next.CertSerial = lifecycle.Active, now, "00ff"
			}
			put(t, p, next)
			r.clock.Advance(60 * 24 * time.Hour)
			_, err = p.counter.Sweep(ctx)
			check(t, err)
			cert, err := p.authority.Get(ctx, old.CertSerial)
			if got := card(t, p, r.active); err != nil || got.State != want || (want == lifecycle.Active) != (cert.State == ca.Good) {
				t.Errorf("sixty days later: %s, certificate %s, %v", got.State, cert.State, err)
			}
			if want != lifecycle.Active {
				return
			}
			r.clock.Set(old.CertUntil().Start())
			fn := func() lifecycle.FunctionState {
				who, err := p.db.People().Get(ctx, old.CF)
				check(t, err)
				cards, err := p.db.Cards().ByPerson(ctx, old.CF)
				check(t, err)
				c := card(t, p, r.active)
				return lifecycle.Functions(c, lifecycle.FactsOf(who, c, cards), r.clock.Now())[3].State
			}
			if got := fn(); got != lifecycle.Valid {
				t.Errorf("on its last day the CNS is %s", got)
			}
			r.clock.Advance(25 * time.Hour)
			if got := fn(); got != lifecycle.FunctionOver {
				t.Errorf("a day later the CNS is %s", got)
			}
		})
	}
}

// R106: whether the nightly renewal makes chips is a choice of its own.
func TestR106_R23_NightlyRenewalWithoutChip(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Renewal.Chip = "none"
	p := r.open(t, Options{}, "web")
	old := card(t, p, r.active)
	r.clock.Set(old.Expires.AddDays(-30).Start())
	_, err := p.night(t.Context())
	check(t, err)
	if next := card(t, p, card(t, p, r.active).ReplacedBy); next.Model != lifecycle.TS || old.Model != lifecycle.TSCNS {
		t.Errorf("the successor is %s", next.Model)
	}
}

// R22, R23 over HTTP: chosen, shown, approved by a second person because it is
// big, done, with counts that reconcile; and by command, which finds it there.
func TestR22_R23_CampaignOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Renewal.Alone = 1
	carlo, marta := r.employ(t, "carlo", 1, staff.RoleOperations), r.employ(t, "marta", 2, staff.RoleOperations)
	p := r.serve(t, "web")
	ctx := t.Context()
	b := atWork(t, p, "carlo", carlo, "/operazioni/campagne")
	until := civil.Today(r.clock).AddYears(7).Italian()
	check(t, b.Submit(ctx, "/campagne", map[string]string{"nome": "Rinnovo 2021-22", "scadono_al": until, "comune": "X999"}))
	if b.Page.Code() != "CSE-107" {
		t.Errorf("a comune that is none: %s %s", b.Page.Where(), b.Page.Code())
	}
	check(t, b.Submit(ctx, "/campagne", map[string]string{"nome": "Rinnovo 2021-22", "scadono_al": until, "comune": ""}))
	if b.Page.Status != http.StatusOK || b.Page.Code() != "" {
		t.Fatal(b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	n := b.Page.Pairs("data-item", "data-n")
	total, _ := strconv.Atoi(n["total"])
	if total < 3 || n["waiting"] != n["total"] || n["done"] != "0" {
		t.Fatalf("chosen: %v", n)
	}
	at := b.Page.URL.String()
	check(t, b.Submit(ctx, "/avvia", map[string]string{"motivo_richiesta": ""}))
	if b.Page.Code() != "CSE-546" {
		t.Errorf("without a reason: %s", b.Page.Code())
	}
	check(t, b.Submit(ctx, "/avvia", map[string]string{"motivo_richiesta": "rinnovo delle tessere"}))
	if !strings.Contains(b.Page.Text(), "in attesa di approvazione") {
		t.Fatal(b.Page.Text())
	}
	other := atWork(t, p, "marta", marta, "/approvazioni")
	if !strings.Contains(other.Page.Text(), "Campagna di rinnovo: "+n["total"]) {
		t.Error(other.Page.Text())
	}
	list, err := p.approvals.Waiting(ctx, staff.Operator{Account: "marta", Roles: []staff.Role{staff.RoleOperations}})
	check(t, err)
	check(t, other.Submit(ctx, "/approvazioni/"+list[0].ID, map[string]string{"decisione": "si"}))
	_, err = p.campaigns.Work(ctx)
	check(t, err)
	check(t, b.Get(ctx, at))
	n = b.Page.Pairs("data-item", "data-n")
	sum := 0
	for k, v := range n {
		if x, err := strconv.Atoi(v); err == nil && k != "total" {
			sum += x
		}
	}
	if sum != total || n["waiting"] != "0" || !strings.Contains(b.Page.Text(), "I conti tornano") || !strings.Contains(b.Page.Text(), "conclusa") {
		t.Errorf("done: %v %s", n, b.Page.Text())
	}
	// Nothing is left to choose, and each card has one successor.
	check(t, b.Get(ctx, p.Config.Public.Portal+"/operazioni/campagne"))
	check(t, b.Submit(ctx, "/campagne", map[string]string{"nome": "Di nuovo", "scadono_al": until}))
	if b.Page.Code() != "CSE-633" {
		t.Errorf("a second campaign: %s %s", b.Page.Code(), b.Page.Text())
	}
	if got := card(t, p, r.active); got.ReplacedBy == "" {
		t.Error("the card has no successor")
	}
	clean(t, p)
}

// Bulk revocation over HTTP and on the real store: asked by operations, approved
// by the security officer; cards and certificates end, new cards come, and every
// holder gets one mail, however often the work is done.
func TestR35_R36_BulkRevocationEndsCertificatesAndTellsOnce(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	carlo, marta := r.employ(t, "carlo", 1, staff.RoleOperations), r.employ(t, "marta", 2, staff.RoleSecurity)
	p := r.serve(t, "web")
	ctx := t.Context()
	b := atWork(t, p, "carlo", carlo, "/operazioni/revoche")
	before := map[string]lifecycle.Card{r.active: card(t, p, r.active), r.waiting: card(t, p, r.waiting)}
	list := "numero_tessera;motivo\n" + r.active + ";weak-key\n" + r.waiting + ";faulty-lot\n"
	check(t, b.Submit(ctx, "/elenco", map[string]string{"nome_elenco": "Due", "elenco_testo": list + "123;x\n"}))
	if b.Page.Code() != "CSE-637" {
		t.Errorf("a wrong line: %s %s", b.Page.Where(), b.Page.Code())
	}
	check(t, b.Submit(ctx, "/elenco", map[string]string{"nome_elenco": "Due", "elenco_testo": list}))
	if got := b.Page.Pairs("data-item", "data-n"); got["total"] != "2" || b.Page.Code() != "" {
		t.Fatal(b.Page.Where(), b.Page.Code(), got)
	}
	check(t, b.Submit(ctx, "/avvia", map[string]string{"motivo_richiesta": "avviso del produttore"}))
	if s := card(t, p, r.active).State; s != lifecycle.Active {
		t.Fatalf("before the approval the card is %s", s)
	}
	// The security officer has her own way in, and sees what she approves.
	other := atWork(t, p, "marta", marta, "/operazioni/revoche")
	if got := other.Page.Pairs("data-campaign", "data-state"); got["Due"] != string(campaign.Asked) {
		t.Errorf("she sees %v", got)
	}
	check(t, other.Get(ctx, p.Config.Public.Portal+"/approvazioni"))
	q, err := p.approvals.Waiting(ctx, staff.Operator{Account: "marta", Roles: []staff.Role{staff.RoleSecurity}})
	check(t, err)
	check(t, other.Submit(ctx, "/approvazioni/"+q[0].ID, map[string]string{"decisione": "si"}))
	for range 2 {
		_, err = p.campaigns.Work(ctx)
		check(t, err)
	}
	for id, was := range before {
		now := card(t, p, id)
		why, crl := lifecycle.KeyCompromise, ca.KeyCompromise
		if id == r.waiting {
			why, crl = lifecycle.ChipFault, 0
		}
		cert, err := p.authority.Get(ctx, was.CertSerial)
		if err != nil || now.State != lifecycle.Revoked || now.Reason != why || cert.State != ca.Revoked || cert.Reason != crl {
			t.Errorf("%s: %s %s, certificate %s %d, %v", id, now.State, now.Reason, cert.State, cert.Reason, err)
		}
		if next := card(t, p, now.ReplacedBy); next.State != lifecycle.Ordered || next.Replaces != id {
			t.Errorf("the next card: %+v", next)
		}
	}
	mails, err := p.queue.List(ctx, queue.Filter{Kind: counter.KindMailNotice, Limit: 100})
	check(t, err)
	told := map[string]int{}
	for _, m := range mails {
		if strings.Contains(m.Key, string(counter.Recalled)) {
			told[m.Card]++
		}
	}
	who, err := p.db.People().Get(ctx, before[r.waiting].CF)
	check(t, err)
	want := map[string]int{r.active: 1}
	if who.Email != "" {
		want[r.waiting] = 1
	}
	if len(told) != len(want) || told[r.active] != 1 {
		t.Errorf("told %v, want %v", told, want)
	}
	if got := records(t, p, "campaign.ended"); len(got) != 1 || got[0].Detail["done"] != "2" || got[0].Detail["total"] != "2" {
		t.Errorf("%+v", got)
	}
	clean(t, p)
}

// The command does what the page does, and once.
func TestR22_CampaignByCommand(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	text, err := yaml.Marshal(map[string]any{"data": r.config.Data, "counters": r.config.Counters, "operators": r.config.Operators})
	check(t, err)
	file := written(t, string(text))
	do := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := said(t, nil, append([]string{"produce", "campaign", "--config", file}, args...)...)
		if code != want {
			t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
		}
		return out + errs
	}
	if got := do(2, "new", "Prova", "--until", "2099-01-01", "--by", "anna"); !strings.Contains(got, "CSE-686") {
		t.Error(got)
	}
	first := do(0, "new", "Prova", "--until", "2099-01-01", "--by", "carlo", "--chip", "none")
	if do(0, "new", "Prova", "--until", "2099-01-01", "--by", "carlo", "--chip", "none") != first {
		t.Error("the same campaign twice is not the same")
	}
	do(2, "start", "Altra", "--by", "carlo")
	do(0, "start", "Prova", "--by", "carlo")
	do(0, "run")
	if got := do(0, "run"); !strings.HasPrefix(got, "0 ") {
		t.Errorf("run again: %s", got)
	}
	if got := do(0, "list"); !strings.Contains(got, "Prova: ended") {
		t.Error(got)
	}
}
