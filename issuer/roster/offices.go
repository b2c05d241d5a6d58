package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// OfficeLine is an office as the list shows it.
type OfficeLine struct {
	staff.Office
	// Closed tells that its last day has passed; Operators counts who works there.
	Closed    bool
	Operators int
}

// ListOffices is every office by identifier.
func (r *Room) ListOffices(ctx context.Context, op staff.Operator) ([]OfficeLine, error) {
	if err := errors.Join(reads(op), r.Fresh(ctx)); err != nil {
		return nil, err
	}
	today := civil.Today(r.d.Clock)
	var out []OfficeLine
	for _, o := range r.d.Directory.Offices() {
		l := OfficeLine{Office: o, Closed: !o.Until.IsZero() && today.After(o.Until)}
		for _, a := range r.d.Directory.Accounts() {
			if op, err := r.d.Directory.OperatorByAccount(a.Account); err == nil {
				if _, err := op.At(o.ID); err == nil {
					l.Operators++
				}
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// OfficeTypes lists the kinds of office.
func OfficeTypes() []staff.OfficeType {
	return []staff.OfficeType{staff.ASL, staff.Comune, staff.URP, staff.Pharmacy, staff.ADE, staff.CallCentre}
}

// validOffice looks at an office field by field (CSE-501).
func (r *Room) validOffice(o staff.Office) error {
	bad := func(field, value string) error { return words.Refuse("CSE-501", value).At(field) }
	long := func(s string) bool { return len([]rune(s)) > maxName }
	if n := len(o.ID); n < 2 || n > 40 || strings.Trim(o.ID, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return bad("id", o.ID)
	}
	if !slices.Contains(OfficeTypes(), o.Type) {
		return bad("tipo", string(o.Type))
	}
	if strings.TrimSpace(o.Name) == "" || long(o.Name) {
		return bad("nome", o.Name)
	}
	if o.Comune != "" {
		if _, ok := codicefiscale.Belfiore(o.Comune, civil.Today(r.d.Clock)); !ok {
			return bad("comune", o.Comune)
		}
	}
	if o.Type == staff.ASL && o.ASL == "" || long(o.ASL) {
		return bad("asl", o.ASL)
	}
	if long(o.Address) {
		return bad("indirizzo", o.Address)
	}
	if long(o.Phone) {
		return bad("telefono", o.Phone)
	}
	for _, a := range o.Services {
		if !slices.Contains(staff.Actions(), a) || a == staff.View {
			return bad("servizi", string(a))
		}
	}
	return nil
}

// keepsOffices are who may change offices.
func keepsOffices(op staff.Operator) error {
	if op.Has(staff.RoleSecurity) {
		return nil
	}
	return words.Refuse("CSE-003")
}

// SaveOffice adds an office or changes one. Refused: CSE-003, CSE-501.
func (r *Room) SaveOffice(ctx context.Context, op staff.Operator, o staff.Office) error {
	return r.saveOffices(ctx, op, []staff.Office{o}, "office.saved")
}

func (r *Room) saveOffices(ctx context.Context, op staff.Operator, list []staff.Office, act string) error {
	if err := keepsOffices(op); err != nil {
		return err
	}
	for _, o := range list {
		if err := r.validOffice(o); err != nil {
			return err
		}
	}
	return r.act(ctx, func(ctx context.Context) error {
		for _, o := range list {
			b, err := json.Marshal(o)
			if err != nil {
				return fmt.Errorf("roster: write office: %w", err)
			}
			if err := r.d.Store.PutOffice(ctx, OfficeRow{ID: o.ID, Body: b, At: r.d.Clock.Now(), By: op.Account}); err != nil {
				return err
			}
			if err := r.record(ctx, op, act, map[string]string{"office": o.ID, "type": string(o.Type)}); err != nil {
				return err
			}
		}
		return r.d.Store.Bump(ctx)
	})
}
