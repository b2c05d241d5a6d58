package main

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// deskCommand is the program beside a counter's reader: it asks the platform for
// work (reading which card lies there, writing new codes) and does it. It proves
// itself by a key of its own; docs/desk.md says how to register one.
func (a *app) deskCommand() *cobra.Command {
	d := deskProgram{app: a}
	c := a.command("desk", "desk", []string{"sportello"}, 0, func(ctx context.Context, _ []string) error { return d.run(ctx) })
	f := c.Flags()
	f.StringVar(&d.api, "api", "", a.say("flag.desk.api"))
	f.StringVar(&d.cert, "cert", "", a.say("flag.desk.cert"))
	f.StringVar(&d.key, "key", "", a.say("flag.desk.key"))
	f.StringVar(&d.ca, "ca", "", a.say("flag.desk.ca"))
	f.BoolVar(&d.once, "once", false, a.say("flag.desk.once"))
	return c
}

type deskProgram struct {
	*app
	api, cert, key, ca string
	once               bool
	client             *http.Client
}

// How often the platform is asked, and how long the halves may take.
const (
	deskPause  = time.Second
	pieceTries = 60
)

func (d *deskProgram) run(ctx context.Context) error {
	if d.api == "" || d.cert == "" || d.key == "" {
		return usage("--api, --cert, --key")
	}
	pair, err := tls.LoadX509KeyPair(d.cert, d.key)
	if err != nil {
		return words.Refuse("CSE-480", d.cert).Because(err)
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	if d.ca != "" {
		b, err := os.ReadFile(d.ca)
		if err != nil {
			return words.Refuse("CSE-480", d.ca).Because(err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(b) {
			return words.Refuse("CSE-480", d.ca)
		}
	}
	d.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: t, DialContext: localhost.DialContext}}
	for {
		did, err := d.next(ctx)
		if err != nil && (d.once || ctx.Err() != nil) {
			return err
		}
		if err != nil { // the platform may be away for a while: say so and go on
			fmt.Fprintln(d.Err, err)
		}
		if d.once {
			return nil
		}
		pause := deskPause
		if did {
			pause = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// post asks the platform; false: nothing yet (204).
func (d *deskProgram) post(ctx context.Context, name string, body, answer any) (bool, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(d.api, "/")+"/v1/desk/"+name, bytes.NewReader(b))
	if err != nil {
		return false, usage("--api " + d.api)
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := d.client.Do(r)
	if err != nil {
		return false, words.Refuse("CSE-253", d.api).Because(err)
	}
	defer w.Body.Close()
	got, err := io.ReadAll(io.LimitReader(w.Body, 64<<10))
	defer clear(got)
	switch {
	case err != nil:
		return false, words.Refuse("CSE-260", d.api).Because(err)
	case w.StatusCode == http.StatusNoContent:
		return false, nil
	case w.StatusCode != http.StatusOK:
		var p struct {
			Code string `json:"code"`
		}
		if json.Unmarshal(got, &p) == nil {
			if text, known := words.Explain(words.Italian, p.Code); known && !strings.Contains(text.Sentence, "%") {
				return false, words.Refuse(p.Code)
			}
		}
		return false, words.Refuse("CSE-260", fmt.Sprintf("HTTP %d", w.StatusCode))
	}
	return true, json.Unmarshal(got, answer)
}

type deskJob struct {
	Job  string `json:"job"`
	Kind string `json:"kind"`
	Card string `json:"card"`
}

// next takes one job, if there is one, and does it.
func (d *deskProgram) next(ctx context.Context) (bool, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey() // of this job alone
	if err != nil {
		return false, err
	}
	var j deskJob
	got, err := d.post(ctx, "next", map[string][]byte{"reader": key.PublicKey().Bytes()}, &j)
	if err != nil || !got {
		return false, err
	}
	done := deskDone{Job: j.Job}
	if j.Kind == "test" {
		done.Found, err = d.test(j.Card)
		if done.Found != nil {
			done.Card = done.Found.Card
		}
	} else {
		done.Card, err = d.do(ctx, key, j)
	}
	if err != nil {
		done.Code = "CSE-001"
		if f := words.FaultOf(err); f != nil {
			done.Code = f.Code
		}
	}
	_, told := d.post(ctx, "done", done, nil)
	if told == nil {
		d.report(j, err)
	}
	return true, errors.Join(err, told)
}

func (d *deskProgram) report(j deskJob, err error) {
	if err == nil {
		fmt.Fprintln(d.Out, d.say("desk.done."+j.Kind, j.Card))
	}
}

// do reads the card, and writes new codes when that is the job: to the card that
// was meant and to no other.
func (d *deskProgram) do(ctx context.Context, key hpke.PrivateKey, j deskJob) (string, error) {
	var card string
	err := d.withCard(func(h *holder.Holder, _ string) error {
		id, err := h.CardID()
		if err != nil {
			return err
		}
		card = string(id)
		if card != j.Card {
			return words.Refuse("CSE-475")
		}
		if j.Kind != "write" {
			return nil
		}
		codes, err := d.codes(ctx, key, j.Job)
		if err != nil {
			return err
		}
		defer codes.wipe()
		return h.Recode(codes.old, codes.pin, codes.puk)
	})
	return card, err
}

// chipCodes are whole codes: they exist while the chip takes them.
type chipCodes struct{ pin, puk, old secret.Text }

func (c *chipCodes) wipe() { c.pin.Wipe(); c.puk.Wipe(); c.old.Wipe() }

// codes waits for both sealed halves and joins them.
func (d *deskProgram) codes(ctx context.Context, key hpke.PrivateKey, job string) (*chipCodes, error) {
	var p struct{ First, Second []byte }
	for range pieceTries {
		there, err := d.post(ctx, "pieces", map[string]string{"job": job}, &p)
		if err != nil {
			return nil, err
		}
		if there {
			return join(key, job, p.First, p.Second)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(deskPause / 2):
		}
	}
	return nil, words.Refuse("CSE-472")
}

func join(key hpke.PrivateKey, job string, sealed ...[]byte) (*chipCodes, error) {
	var whole [3][]byte
	defer func() {
		for _, b := range whole {
			clear(b)
		}
	}()
	for i, s := range sealed {
		b, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), fmt.Appendf(nil, "cse.desk/1|%s|%d", job, i+1), s)
		if err != nil {
			return nil, words.Refuse("CSE-472").Because(err)
		}
		var half struct {
			PIN    string `json:"pin"`
			PUK    string `json:"puk"`
			OldPUK string `json:"old_puk"`
		}
		err = json.Unmarshal(b, &half)
		clear(b)
		if err != nil {
			return nil, words.Refuse("CSE-472").Because(err)
		}
		for n, text := range []string{half.PIN, half.PUK, half.OldPUK} {
			whole[n] = append(whole[n], text...)
		}
	}
	return &chipCodes{secret.New(whole[0]), secret.New(whole[1]), secret.New(whole[2])}, nil
}
