package merkle

import (
	"errors"
	"io"
)

// VerifyPublic reads what a log gives out to everybody: newest is its newest note,
// notes all of them, leaves the tiles of level 0. It proves that the log only grew,
// each signed head being that of the leaves up to it; not what the records say, of
// which only hashes are public. Whoever has a proof, or kept a head, gives it as
// known.
func VerifyPublic(keys Keys, newest []byte, notes Notes, leaves func(tile int64) ([]byte, error), known ...Head) (Report, error) {
	last, err := keys.Open(newest)
	if err != nil {
		return Report{}, &Broken{Index: max(1, claimed(newest)), Why: "the newest checkpoint is not signed by the log's key"}
	}
	n := int64(0)
	a, err := NewAuditor(keys, func() ([]byte, error) {
		if n == last.Number {
			return nil, io.EOF // more may have been signed meanwhile
		}
		n++
		return notes()
	}, known...)
	if err != nil {
		return Report{}, err
	}
	for a.Size() < last.Size {
		tile, err := leaves(a.Size() / TileWidth)
		if err != nil {
			return Report{}, err
		}
		if len(tile) == 0 {
			break
		}
		for at := 0; at+len(Hash{}) <= len(tile) && a.Size() < last.Size; at += len(Hash{}) {
			if err := a.Leaf(Hash(tile[at : at+len(Hash{})])); err != nil {
				return Report{}, err
			}
		}
		if a.Size()%TileWidth != 0 && a.Size() < last.Size {
			break
		}
	}
	if err := a.End(); err != nil {
		return Report{}, err
	}
	if c, _ := a.Last(); c != last {
		return Report{}, errors.Join(&Broken{Index: max(1, last.Size), Why: "the newest checkpoint is not the last of them"})
	}
	return ReportOf(a, 0), nil
}
