package signature

import (
	"bytes"
	"context"
	"crypto"

	"github.com/digitorus/timestamp"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/cades"
)

// StampFrom asks a time-stamping authority (RFC 3161, 3.4): post sends a
// timestamp-query and gives the timestamp-reply. Whatever goes wrong is CSE-730.
func StampFrom(post func(ctx context.Context, query []byte) ([]byte, error)) cades.Stamper {
	return func(ctx context.Context, stamped []byte) ([]byte, error) {
		query, err := timestamp.CreateRequest(bytes.NewReader(stamped), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true})
		if err != nil {
			return nil, words.Refuse("CSE-730").Because(err)
		}
		reply, err := post(ctx, query)
		if err != nil {
			return nil, words.Refuse("CSE-730").Because(err)
		}
		t, err := timestamp.ParseResponse(reply)
		if err != nil {
			return nil, words.Refuse("CSE-730").Because(err)
		}
		return t.RawToken, nil
	}
}
