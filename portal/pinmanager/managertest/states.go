package managertest

import (
	"io/fs"
	"slices"

	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/portal/pinmanager"
)

// State is one page in one state.
type State struct {
	Name   string
	Status int
	// card is in the reader at the beginning; empty for none.
	card string
	// walk leads to the page.
	walk func(s *Stage)
}

// Play walks to the page in a language ("it", "en") and gives it.
func (st State) Play(t TB, assets fs.FS, lang string) Answer {
	s := New(t, st.card, func(d *pinmanager.Deps) { d.Assets = assets })
	s.Lang = lang
	s.Follow(s.Do("GET", s.Key, nil, nil))
	st.walk(s)
	return s.Page
}

// English tells that a page is looked at in English too: one of each kind.
func (st State) English() bool {
	return slices.Contains([]string{"app-tessera", "app-pin-errato", "app-sblocca", "app-firma", "app-verificato", "app-diagnosi"}, st.Name)
}

// States are the pages that test/pages looks at.
func States() []State {
	return []State{
		{"app-tessera", 200, "mario", func(s *Stage) { s.Get("/") }},
		{"app-senza-carta", 409, "", func(s *Stage) { s.Drawer.Put(s.T, "Lettore 1", ""); s.Get("/") }},
		{"app-scegli", 409, "mario", func(s *Stage) {
			s.Drawer.Put(s.T, "Lettore con un nome molto lungo 00 01 (seriale 0123456789ABCDEF)", "other")
			s.Drawer.Put(s.T, "Lettore 3", "")
			s.Get("/")
		}},
		{"app-porta", 403, "mario", func(s *Stage) { s.Page = s.Do("GET", s.Key, nil, nil) }},
		{"app-benvenuto", 200, "mario", func(s *Stage) { s.Client.Jar = nil; s.Get("/benvenuto") }},
		{"app-pin", 200, "mario", func(s *Stage) { s.Get("/pin") }},
		{"app-pin-errato", 422, "mario", func(s *Stage) { s.wrong(2) }},
		{"app-pin-bloccato", 422, "mario", func(s *Stage) { s.wrong(3) }},
		{"app-pin-cambiato", 200, "mario", func(s *Stage) {
			s.Get("/pin")
			s.Post("/pin", "pin", holdertest.PIN, "new", "70416", "again", "70416")
		}},
		{"app-sblocca", 200, "mario", func(s *Stage) { s.wrong(3); s.Get("/sblocca") }},
		{"app-sblocca-errato", 422, "mario", func(s *Stage) {
			s.wrong(3)
			s.Get("/sblocca/codici")
			for range 2 {
				s.Post("/sblocca/codici", "puk", "11112222", "new", "70416", "again", "70416")
			}
		}},
		{"app-sbloccato", 200, "mario", func(s *Stage) {
			s.wrong(3)
			s.Get("/sblocca/codici")
			s.Post("/sblocca/codici", "puk", holdertest.PUK, "new", "70416", "again", "70416")
		}},
		{"app-firma", 200, "mario", func(s *Stage) { s.Get("/firma") }},
		{"app-firma-pin", 422, "mario", func(s *Stage) {
			s.Get("/firma")
			s.Upload("/firma", map[string]string{"documento": "Un documento dal nome piuttosto lungo, senza un punto dove andare a capo.txt\nciao"}, "formato", "auto")
			s.Post("/firma/pin", "pin", "99174")
		}},
		{"app-firmato", 200, "mario", func(s *Stage) { s.sign() }},
		{"app-verifica", 422, "", func(s *Stage) {
			s.Get("/verifica")
			s.Upload("/verifica", map[string]string{"firmato": "prova.txt\nsenza firma"}, "per", "private")
		}},
		{"app-verificato", 200, "mario", func(s *Stage) {
			s.sign()
			signed := s.Do("GET", "/firma/file", nil, nil).Text
			s.Get("/verifica")
			s.Upload("/verifica", map[string]string{"firmato": "prova.txt.p7m\n" + signed}, "per", "public_administration")
		}},
		{"app-diagnosi", 200, "mario", func(s *Stage) { s.wrong(3); s.Get("/diagnosi") }},
		{"app-estendi", 200, "mario", func(s *Stage) { s.Get("/estendi") }},
		{"app-chiuso", 200, "mario", func(s *Stage) { s.Get("/"); s.Post("/chiudi") }},
	}
}

// sign signs a small text.
func (s *Stage) sign() {
	s.Get("/firma")
	s.Upload("/firma", map[string]string{"documento": "prova.txt\nciao"}, "formato", "auto")
	s.Post("/firma/pin", "pin", holdertest.PIN)
}

// wrong types wrong PINs.
func (s *Stage) wrong(times int) {
	s.Get("/pin")
	for range times {
		s.Post("/pin", "pin", "99174", "new", "70416", "again", "70416", "last", "si")
	}
}
