package audit

import (
	"encoding/json"
	"testing"

	"cse.example/cse/engine/audit/internal/auditdb"
)

// A hash may have digits that look like a card's code, which details never keep: the cut must be found all the same.
func TestACutIsToldWhateverItsHashLooksLike(t *testing.T) {
	for _, hash := range []string{
		"fa689083d32333500775340fdc2dac65f628d794313e28044059af2f22f658c8",
		"12345678a12345678901234567890123a1234567890123456-12345678 12345",
	} {
		kept, err := details(map[string]string{"through": "8", "hash": hash})
		if err != nil {
			t.Fatal(err)
		}
		r := auditdb.AuditRecord{Act: actCut, Detail: kept}
		if !json.Valid([]byte(kept)) || !cutTo(r, Head{Index: 8, Hash: hash}) {
			t.Errorf("%s: the record %s does not tell of the cut", hash, kept)
		}
		if cutTo(r, Head{Index: 9, Hash: hash}) || cutTo(r, Head{Index: 8, Hash: "ff" + hash[2:]}) {
			t.Errorf("%s: another foot is taken for it", hash)
		}
	}
}
