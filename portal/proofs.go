package portal

import (
	"context"
	"net/http"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// Proofs makes the file that proves acts about somebody; refused: acts that are not
// his (CSE-002), an act that no signed head covers yet (CSE-981).
type Proofs func(ctx context.Context, cf codicefiscale.Code, acts ...int64) ([]byte, error)

func (c *call) mayProve() bool { return c.p.Area != nil && c.p.Area.Proofs != nil }

// proofPath is where the proof of an act is; empty when there is none.
func (c *call) proofPath(page *look.Page, a Activity) string {
	if !c.mayProve() || a.Index == 0 {
		return ""
	}
	return page.U("/tessera/attivita/prova?atto=") + strconv.FormatInt(a.Index, 10)
}

func (c *call) proven(page *look.Page, a Activity, what string) activityView {
	return activityView{When: when(a.At), What: what, Where: a.Office, Proof: c.proofPath(page, a)}
}

// proof sends the proof of one act about whoever asks, or of all.
func (c *call) proof() error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	if !c.mayProve() {
		return words.Refuse("CSE-002")
	}
	var acts []int64
	name := "atti.json"
	if asked := c.r.URL.Query().Get("atto"); asked != "" {
		n, err := strconv.ParseInt(asked, 10, 64)
		if err != nil {
			return words.Refuse("CSE-002").Because(err)
		}
		acts, name = append(acts, n), "atto-"+strconv.FormatInt(n, 10)+".json"
	}
	file, err := c.p.Area.Proofs(c.r.Context(), me, acts...)
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(file)))
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(file) // the asker may be gone
	}
	return nil
}
