package staff

import (
	"slices"

	"cse.example/cse/ground/words"
)

// Action is something that a counter, or the holder, may or may not do.
type Action string

// The rows of the permission matrix (rules R26, R29, R33, R35, R51, R59, R64,
// R82, R95), and View, which is ours.
const (
	View                Action = "view"
	ActivateAdult       Action = "activate"
	ActivateRepresented Action = "activate-represented" // minor, ward, by delegate
	ReprintCodes        Action = "reprint"
	ReissueNotReceived  Action = "not-received"
	ReissueChipFault    Action = "chip-fault"
	LossTheft           Action = "loss-theft"
	RevokeInPerson      Action = "revoke"
	SuspendNow          Action = "suspend"
	Reactivate          Action = "reactivate"
	CorrectEmail        Action = "correct-email"
	ActivateSuccessor   Action = "activate-successor" // with the old card, at home
	ActivateOtherRegion Action = "activate-other-region"
	RevokeByCIP         Action = "revoke-cip"
	CorrectData         Action = "correct-data"
	UnblockPIN          Action = "unblock-pin"
	ExtendCertificate   Action = "extend-certificate"
)

// column is who asks.
type column int

const (
	colOwnASL column = iota
	colOtherASL
	colADE
	colComune
	colURP
	colPharmacy
	colCallCentre
	colHolder
	columns
)

// grant is one cell.
type grant int

const (
	no           grant = iota
	yes                // allowed
	configurable       // allowed where the configuration says so
	withCIP            // allowed with the CIP, and what the act itself asks
)

// row is one action: who may, and the code that tells everybody else where to go.
type row struct {
	cells   [columns]grant
	refusal string
}

// matrix is part "permission matrix" of the rules, row by row. It is data and
// never written to.
var matrix = map[Action]row{
	//                      own  other AdE  Com  URP  pharmacy      call centre holder
	View:                {[columns]grant{yes, yes, yes, yes, yes, yes, yes, no}, "CSE-003"},
	ActivateAdult:       {[columns]grant{yes, yes, no, yes, yes, yes, no, no}, "CSE-122"},
	ActivateRepresented: {[columns]grant{yes, yes, no, yes, yes, configurable, no, no}, "CSE-122"},
	ReprintCodes:        {[columns]grant{yes, yes, no, yes, yes, configurable, no, no}, "CSE-122"},
	ReissueNotReceived:  {[columns]grant{yes, no, yes, no, no, no, no, no}, "CSE-124"},
	ReissueChipFault:    {[columns]grant{yes, no, yes, no, no, no, no, no}, "CSE-124"},
	LossTheft:           {[columns]grant{yes, no, yes, no, no, no, no, no}, "CSE-124"},
	RevokeInPerson:      {[columns]grant{yes, yes, yes, yes, yes, no, no, withCIP}, "CSE-126"},
	SuspendNow:          {[columns]grant{yes, yes, yes, yes, yes, yes, withCIP, withCIP}, "CSE-126"},
	Reactivate:          {[columns]grant{yes, yes, no, yes, yes, no, no, withCIP}, "CSE-122"},
	CorrectEmail:        {[columns]grant{yes, yes, no, yes, yes, configurable, no, yes}, "CSE-122"},
	ActivateSuccessor:   {[columns]grant{no, no, no, no, no, no, no, configurable}, "CSE-127"},
	ActivateOtherRegion: {[columns]grant{configurable, configurable, no, configurable, configurable, no, no, no}, "CSE-141"},
	RevokeByCIP:         {[columns]grant{no, no, no, no, no, no, no, yes}, "CSE-127"},
	CorrectData:         {[columns]grant{no, no, yes, no, no, no, no, no}, "CSE-125"},
	UnblockPIN:          {[columns]grant{no, no, no, no, no, no, no, yes}, "CSE-127"},
	ExtendCertificate:   {[columns]grant{no, no, no, no, no, no, no, yes}, "CSE-127"},
}

// Actions lists every action of the matrix.
func Actions() []Action {
	return []Action{
		View, ActivateAdult, ActivateRepresented, ReprintCodes, ReissueNotReceived, ReissueChipFault, LossTheft,
		RevokeInPerson, SuspendNow, Reactivate, CorrectEmail, ActivateSuccessor, ActivateOtherRegion, RevokeByCIP,
		CorrectData, UnblockPIN, ExtendCertificate,
	}
}

func columnOf(o Office, personASL string) column {
	switch o.Type {
	case ASL:
		if personASL != "" && o.ASL == personASL {
			return colOwnASL
		}
		return colOtherASL
	case ADE:
		return colADE
	case Comune:
		return colComune
	case URP:
		return colURP
	case Pharmacy:
		return colPharmacy
	}
	return colCallCentre
}

// Allowed answers nil when op, at his counter, may do action a for somebody of
// the health unit personASL; otherwise a fault that says where to go. Who has no
// other role than the call centre's may do what it may, wherever he sits. CSE-500:
// this office does not offer what its kind may do.
func (d *Directory) Allowed(op Operator, a Action, personASL string) error {
	return d.allowed(op, a, personASL, withCIP) // the act itself asks for the CIP
}

// AllowedInPerson is Allowed for an act in which no CIP is asked, because who
// wants it stands there with a document: what the call centre may do with digits
// of the CIP, it may not do so.
func (d *Directory) AllowedInPerson(op Operator, a Action, personASL string) error {
	return d.allowed(op, a, personASL, yes)
}

func (d *Directory) allowed(op Operator, a Action, personASL string, also grant) error {
	r, ok := matrix[a]
	if !ok || !op.AtCounter() {
		return words.Refuse("CSE-003")
	}
	col := columnOf(op.Office, personASL)
	if !op.Has(RoleOperator) && !op.Has(RoleSupervisor) {
		col = colCallCentre
	}
	if a != View && len(op.Office.Services) > 0 && r.cells[col] != no && !slices.Contains(op.Office.Services, a) {
		return words.Refuse("CSE-500")
	}
	if col == colPharmacy && a != View && !op.Office.TakesPart && r.cells[col] != no {
		return words.Refuse("CSE-123")
	}
	switch r.cells[col] {
	case yes, also:
		return nil
	case configurable:
		if col == colPharmacy && d.view.Load().pharmacy[a] {
			return nil
		}
	}
	return words.Refuse(r.refusal)
}
