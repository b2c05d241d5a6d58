// Package agenttest is a small site with a card's door, for tests: portal.,
// login. and cns. of cse.localhost on one TLS port, told apart by SNI, with a
// chooser, a hand-over bound to a cookie, and pages that refuse.
//
// Every host asks for a client certificate, so that a test sees when one is
// offered where it should not be.
package agenttest

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/card/holder/holdertest"
)

// Domain is the site.
const Domain = "cse.localhost"

// Site is a running site.
type Site struct {
	// Port it listens on, of 127.0.0.1.
	Port string
	// Roots verifies it; RootPEM is the same as a file.
	Roots   *x509.CertPool
	RootPEM []byte

	mu      sync.Mutex
	offered map[string]int
	resumed int
	logins  []string
}

// New starts a site whose TLS goes no higher than max (zero: the newest).
func New(t testing.TB, max uint16) *Site {
	t.Helper()
	ca := holdertest.NewAuthority(t, "CSE test web CA")
	s := &Site{
		Roots: x509.NewCertPool(), offered: map[string]int{},
		RootPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw}),
	}
	s.Roots.AddCert(ca.Certificate)
	leaf, key := ca.Server(t, "portal."+Domain, "login."+Domain, "localhost")
	door, doorKey := ca.Server(t, "cns."+Domain, "cns.other.localhost")
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{
		MaxVersion: max, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{pair(door, doorKey), pair(leaf, key)},
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, s.Port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return s
}

func pair(c *x509.Certificate, key crypto.Signer) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// URL is an address of the site: host is portal, login or cns.
func (s *Site) URL(host, path string) string {
	return "https://" + host + "." + Domain + ":" + s.Port + path
}

// Offered tells how often a client certificate came to host ("login").
func (s *Site) Offered(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offered[host+"."+Domain]
}

// Logins are the certificate names that came through the door.
func (s *Site) Logins() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.logins...)
}

// Resumed counts TLS sessions that were resumed at the door.
func (s *Site) Resumed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	s.mu.Lock()
	if len(r.TLS.PeerCertificates) > 0 {
		s.offered[host]++
	}
	if r.TLS.DidResume {
		s.resumed++
	}
	s.mu.Unlock()
	switch strings.TrimSuffix(host, "."+Domain) {
	case "portal":
		s.portal(w, r)
	case "login":
		s.login(w, r)
	case "cns":
		s.door(w, r)
	default:
		page(w, http.StatusMisdirectedRequest, "421", "")
	}
}

func (s *Site) portal(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/tessera":
		if c, err := r.Cookie("session"); err != nil || c.Value != "open" {
			http.Redirect(w, r, s.URL("login", "/authorize"), http.StatusSeeOther)
			return
		}
		page(w, http.StatusOK, "La mia\n tessera", "<p>Quattro funzioni</p>")
	case "/cb":
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "open", Path: "/", Secure: true, HttpOnly: true})
		http.Redirect(w, r, "/tessera", http.StatusSeeOther)
	case "/plain":
		http.Redirect(w, r, "http://portal."+Domain+":"+s.Port+"/", http.StatusSeeOther)
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusSeeOther)
	case "/broken":
		page(w, http.StatusInternalServerError, "Errore", "")
	default:
		page(w, http.StatusOK, "Portale", "")
	}
}

// login is the chooser; its query picks where the card link goes.
func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ticket" {
		if c, err := r.Cookie("__Host-flow"); err != nil || c.Value != r.FormValue("t") {
			w.Header().Set("CSE-Error", "CSE-307")
			page(w, http.StatusForbidden, "Accesso negato", "")
			return
		}
		http.Redirect(w, r, s.URL("portal", "/cb"), http.StatusSeeOther)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "__Host-flow", Value: "f1", Path: "/", Secure: true, HttpOnly: true})
	link := s.URL("cns", "/cns/auth?t=f1&refuse="+r.FormValue("refuse"))
	if r.FormValue("to") == "other" {
		link = "https://cns.other.localhost:" + s.Port + "/cns/auth"
	}
	page(w, http.StatusOK, "Scegli", `<a href="/spid">SPID</a><a class="x" rel="nofollow CNS" href="`+strings.ReplaceAll(link, "&", "&amp;")+`">Entra con CNS</a>`)
}

// door is cns.: it takes any certificate and refuses on demand.
func (s *Site) door(w http.ResponseWriter, r *http.Request) {
	code := r.FormValue("refuse")
	if len(r.TLS.PeerCertificates) == 0 {
		code = "CSE-304"
	}
	if code != "" {
		w.Header().Set("CSE-Error", code)
		page(w, http.StatusForbidden, "Accesso negato", "<p>"+code+"</p>")
		return
	}
	s.mu.Lock()
	s.logins = append(s.logins, r.TLS.PeerCertificates[0].Subject.CommonName)
	s.mu.Unlock()
	http.Redirect(w, r, s.URL("login", "/ticket?t="+r.FormValue("t")), http.StatusSeeOther)
}

func page(w http.ResponseWriter, status int, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html><html lang=it><title>%s</title><body>%s</body></html>", title, body)
}
