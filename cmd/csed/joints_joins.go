package main

import (
	"context"
	"strings"

	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// wardsShown are one's children and wards with the names of the others who stand
// for each: both parents see both.
func (p *Platform) wardsShown(ctx context.Context, me codicefiscale.Code) ([]portal.Ward, error) {
	list, err := p.wards(ctx, me)
	for i, w := range list {
		if err != nil {
			return nil, err
		}
		others, err := p.counter.Standers(ctx, w.CF)
		if err != nil {
			return nil, err
		}
		for _, s := range others {
			name := strings.TrimSpace(s.Name + " " + s.Surname)
			if s.CF.Base() != me.Base() && name != "" {
				list[i].With = append(list[i].With, name)
			}
		}
	}
	return list, err
}
