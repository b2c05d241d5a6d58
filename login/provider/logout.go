package provider

import (
	"net/http"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// logout is RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0). There
// is no session at the provider to end, since each login stands alone; a client
// ends its tokens at the revocation endpoint, before it comes here. What is left
// is the browser's: cookies, and the word to take the card out.
func (p *Provider) logout(w http.ResponseWriter, _ *http.Request, _ *goidc.LogoutSession) (goidc.Status, error) {
	w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
	return goidc.StatusSuccess, nil
}

func (p *Provider) loggedOut(w http.ResponseWriter, r *http.Request, _ *goidc.LogoutSession) error {
	p.cfg.Interaction.LoggedOut(w, r)
	return nil
}
