package archive

import (
	"context"
	"errors"
	"fmt"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

// Held is a paper of a person's and the act it belongs to.
type Held struct {
	Paper
	Act string
}

// Of lists a person's papers, oldest first, for the copy of his data (GDPR,
// article 15.3).
func (r *Room) Of(ctx context.Context, cf codicefiscale.Code) ([]Held, error) {
	rows, err := r.d.Store.PapersFor(ctx, r.d.Pseudonym(cf))
	out := make([]Held, len(rows))
	for i, x := range rows {
		out[i] = Held{x.Paper, x.Act}
	}
	return out, err
}

// Copy gives a person papers of his own, one after the other as they were kept;
// that he took them is written down before the first is opened. A paper that is
// not his, or not there any more, ends it (CSE-521).
func (r *Room) Copy(ctx context.Context, cf codicefiscale.Code, papers []Held, give func(h Held, file []byte) error) error {
	if len(papers) == 0 {
		return nil
	}
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{Act: "papers.copied-out", Actor: "holder", Person: string(cf), Detail: map[string]string{"papers": fmt.Sprint(len(papers))}})
	})
	if err != nil {
		return err
	}
	person := r.d.Pseudonym(cf)
	for _, h := range papers {
		row, err := r.d.Store.GetPaper(ctx, h.ID)
		if errors.Is(err, ErrNotFound) || err == nil && row.Person != person {
			return words.Refuse("CSE-521")
		}
		if err != nil {
			return err
		}
		file, err := r.openRow(ctx, row)
		if err != nil {
			return err
		}
		err = give(Held{row.Paper, row.Act}, file)
		clear(file)
		if err != nil {
			return err
		}
	}
	return nil
}
