package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"strings"

	"cse.example/cse/login/identity"
)

// A browser from which an operator has entered keeps a cookie that says so, and
// waits only for its own errors: a stranger who tries passwords elsewhere slows
// down browsers never seen, not the operator at his desk. The cookie brings nobody
// in, names nobody, and is worth nothing for another account.

const (
	deviceCookie = "__Host-cse-desk-"
	deviceLife   = 400 * 24 * 60 * 60 // seconds: what browsers keep at most
)

func (s *Service) deviceMAC(parts ...string) []byte {
	h := hmac.New(sha256.New, s.needs.SubjectKey.Reveal())
	h.Write([]byte("operator device\x00" + strings.Join(parts, "\x00")))
	return h.Sum(nil)
}

// deviceName is the cookie's name for an account.
func (s *Service) deviceName(account string) string {
	return deviceCookie + hex.EncodeToString(s.deviceMAC("name", account)[:8])
}

// device is this browser's name for an account, empty when the account has not
// entered from it.
func (s *Service) device(r *http.Request, account string) string {
	c, err := r.Cookie(s.deviceName(account))
	if err != nil {
		return ""
	}
	id, mac, ok := strings.Cut(c.Value, ".")
	if !ok || !identity.Same(mac, base64.RawURLEncoding.EncodeToString(s.deviceMAC("value", account, id))) {
		return ""
	}
	return id
}

// rememberDevice gives the browser its cookie for an account that has entered.
func (s *Service) rememberDevice(w http.ResponseWriter, r *http.Request, account string) {
	id := s.device(r, account)
	if id == "" {
		id = s.random.Text()
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.deviceName(account), Value: id + "." + base64.RawURLEncoding.EncodeToString(s.deviceMAC("value", account, id)),
		Path: "/", MaxAge: deviceLife, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// sourceOf is the caller's network address, without the port.
func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
