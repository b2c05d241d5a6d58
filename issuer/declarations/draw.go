package declarations

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"cse.example/cse/ground/secret"
)

// Drawn tells whether the act with that protocol number is in a sample of percent
// of a hundred. It is a function of both and of the key, even over many numbers:
// HMAC-SHA256, the first eight bytes as a number.
func Drawn(key secret.Text, protocol string, percent int) bool {
	m := hmac.New(sha256.New, key.Reveal())
	m.Write([]byte("cse.declarations/1|draw|" + protocol))
	return binary.BigEndian.Uint64(m.Sum(nil))%100 < uint64(max(0, percent))
}

// Sample adds an act that took a self-declaration to the cases, if it is drawn; in
// its transaction. Nobody is told: neither the operator nor who declared.
func (r *Room) Sample(ctx context.Context, x Row) error {
	percent, err := r.d.Percent(ctx, x.At)
	if err != nil || !Drawn(r.d.Key, x.Protocol, percent) {
		return err
	}
	x.State = Open
	return r.d.Store.Add(ctx, x)
}
