package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"cse.example/cse/card/cns"
	"cse.example/cse/cmd/cse/virtualcard"
	"cse.example/cse/ground/civil"
)

type createDocument struct {
	Schema string       `json:"schema"`
	Seed   string       `json:"seed"`
	Day    string       `json:"day"`
	Cards  []createdOne `json:"cards"`
}

type createdOne struct {
	Profile  string   `json:"profile"`
	Dir      string   `json:"dir"`
	Card     string   `json:"card"`
	CF       string   `json:"codice_fiscale"`
	Name     string   `json:"name"`
	Standing string   `json:"standing,omitempty"`
	Serial   string   `json:"serial,omitempty"`
	Files    []string `json:"files"`
}

// everything is the profile that means all ten.
const everything = "all"

// createCommand makes test cards.
func (a *app) createCommand() *cobra.Command {
	var name, seed, day, model string
	var cut int
	c := a.command("create DIR", "virtual.create", []string{"crea"}, 1, func(_ context.Context, args []string) error {
		plan, err := a.plan(seed, day, model, cut)
		if err != nil {
			return err
		}
		list := virtualcard.Profiles()
		if name != everything {
			one, err := virtualcard.Find(name)
			if err != nil {
				return err
			}
			list = []virtualcard.Profile{one}
		}
		return a.create(args[0], plan, list)
	})
	f := c.Flags()
	f.StringVar(&name, "profile", everything, a.say("flag.profile"))
	f.StringVar(&seed, "seed", "", a.say("flag.seed"))
	f.StringVar(&day, "day", "", a.say("flag.day"))
	f.StringVar(&model, "model", "neutral", a.say("flag.model"))
	f.IntVar(&cut, "power-cut", 0, a.say("flag.power-cut"))
	return c
}

// seedShape is what a seed may be: it is printed in commands to be copied.
var seedShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// plan checks the flags; without a seed one is drawn, without a day it is today.
func (a *app) plan(seed, day, model string, cut int) (virtualcard.Plan, error) {
	p := virtualcard.Plan{Seed: seed, Day: civil.Today(civil.System{}), PowerCut: cut, Lang: a.language}
	var err error
	if p.Model, err = cns.ParseProfile(model); err != nil {
		return p, usage("--model " + model)
	}
	if seed == "" {
		var b [8]byte
		_, _ = rand.Read(b[:])
		p.Seed = hex.EncodeToString(b[:])
	}
	if !seedShape.MatchString(p.Seed) {
		return p, usage("--seed")
	}
	if day != "" {
		if p.Day, err = civil.ParseISO(day); err != nil || p.Day.Year < 2020 || p.Day.Year > 2045 {
			return p, usage("--day " + day)
		}
	}
	if cut < 0 {
		return p, usage("--power-cut")
	}
	return p, nil
}

func (a *app) create(dir string, plan virtualcard.Plan, list []virtualcard.Profile) error {
	doc := createDocument{Schema: "cse.virtual-create/1", Seed: plan.Seed, Day: plan.Day.String()}
	for _, p := range list {
		plan.Profile = p
		c, err := virtualcard.Create(dir, plan)
		if err != nil {
			return err
		}
		doc.Cards = append(doc.Cards, createdOne{
			Profile: c.Profile, Dir: c.Dir, Card: string(c.ID), CF: string(c.Holder.CF), Name: c.Holder.Surname + " " + c.Holder.Name,
			Standing: string(c.Standing), Serial: c.Serial, Files: c.Files,
		})
	}
	return a.emit(doc, func(w io.Writer) {
		for _, c := range doc.Cards {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Dir, c.Card, c.CF, c.Name, a.say("virtual.profile."+c.Profile))
		}
		fmt.Fprintln(w, a.say("virtual.created", doc.Seed, doc.Day))
	})
}
