package cns

import (
	"encoding/hex"
	"fmt"
)

// Path is a file's place under the MF, as upper-case hex of the file
// identifiers, without 3F00: "11001102" is DF1 / EF_DatiPersonali. The empty
// Path is the MF.
type Path string

// The files of a CNS (card.md section 2).
const (
	MF                Path = ""
	EFGDO             Path = "2F02"     // global data: 5A = ID_Carta
	EFATR             Path = "2F01"     // STIncard masks only
	EFKpub            Path = "3F01"     // public authentication key
	EFCardStatus      Path = "3F02"     // state of the card
	EFRootInstFile    Path = "0405"     // root installation file
	DF0               Path = "1000"     // chip and card
	EFDatiProcessore  Path = "10001002" // producer's data
	EFIDCarta         Path = "10001003" // 16 ASCII digits
	DF1               Path = "1100"     // holder
	EFCCarta          Path = "11001101" // X.509 certificate, DER, at offset 0
	EFDatiPersonali   Path = "11001102" // personal data, 400 bytes
	DF2               Path = "1200"     // services
	EFAggiuntivi      Path = "12001201" // additional personal data
	EFMemoriaResidua  Path = "12001202" // memory left
	EFServiziInstall  Path = "12001203" // installed services
	EFInstFile        Path = "12004142" // service installation key ("AB")
	DFDS              Path = "1400"     // digital signature, optional
	EFDSCertificate   Path = "14009010"
	DFDSKey           Path = "14008110"
	EFDSPublicKey     Path = "140081108010"
	DFHealth          Path = "4353" // ours ("CS"), see Profile.HealthDF
	EFHealthTEAM      Path = "43530001"
	EFHealthEmergency Path = "43530002"
)

// FIDMaster is the file identifier of the MF.
const FIDMaster uint16 = 0x3F00

// File sizes in bytes (card.md sections 2 to 4).
const (
	SizePersonalData = 400
	SizeCertificate  = 2048
	SizeCardID       = 16
	SizeGDO          = 18
)

// FIDs splits the path into file identifiers.
func (p Path) FIDs() ([]uint16, error) {
	b, err := hex.DecodeString(string(p))
	if err != nil || len(b)%2 != 0 {
		return nil, fmt.Errorf("file path %q is not made of four-digit hex identifiers", string(p))
	}
	out := make([]uint16, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		out = append(out, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return out, nil
}

// Bytes is the path as SELECT with P1 08 takes it; nil for a malformed path.
func (p Path) Bytes() []byte {
	b, err := hex.DecodeString(string(p))
	if err != nil {
		return nil
	}
	return b
}

// References of codes and keys (card.md section 7).
const (
	RefPIN       byte = 0x10
	RefPUK       byte = 0x11
	RefDSPIN     byte = 0x1A
	RefDSPUK     byte = 0x1B
	RefIssuerKey byte = 0x18 // ours: the "service installation" key of the issuer
	KeyAuth      byte = 0x01 // Kpri, authentication
	KeyDS        byte = 0x10 // Kpri DS, generic layout
	SEInUse      byte = 0x03 // the security environment OpenSC restores
	SEPersonal   byte = 0x01 // the one incrypto34 personalisation creates
)

// Operation is an index into the access bytes of a file (tag 86).
type Operation int

// Operations on an EF.
const (
	EFRead Operation = iota
	EFUpdate
	EFAppend
	EFDeactivate
	EFActivate
	EFDelete
	EFAdmin
	EFIncrease
	EFDecrease
)

// Operations on a DF.
const (
	DFLifeCycle Operation = iota
	DFUpdateObjects
	DFAppendObjects
	DFDeactivate
	DFActivate
	DFDelete
	DFAdmin
	DFCreate
)

// Access is the nine access-condition bytes of a file: 00 always, FF (and 66)
// never, 01..1F the reference of the code or key that must be satisfied first.
// Any other value means never.
type Access [9]byte

// Values of an access byte.
const (
	Always byte = 0x00
	Never  byte = 0xFF
)

// NewAccess makes nine bytes that all say never, save those given as pairs of
// operation and condition.
func NewAccess(conditions map[Operation]byte) Access {
	a := Access{Never, Never, Never, Never, Never, Never, Never, Never, Never}
	for op, condition := range conditions {
		a[op] = condition
	}
	return a
}

// Condition is what op asks: always, never, or the reference to satisfy.
func (a Access) Condition(op Operation) (ref byte, always, never bool) {
	switch b := a[op]; {
	case b == Always:
		return 0, true, false
	case b <= 0x1F:
		return b, false, false
	default:
		return 0, false, true
	}
}

// File is one file of a profile's file system.
type File struct {
	Path Path
	// Directory tells a DF.
	Directory bool
	// Size of an EF's content in bytes.
	Size int
	// Access is what the file asks once the card is operational.
	Access Access
	// Protected: UPDATE is taken only in commands that the issuer closed himself
	// (secure messaging, card/secmsg), not merely after his authentication.
	Protected bool
}

// Layout lists the files of a card of profile p, parents before children, the
// MF not included (card.md sections 2 and 2.3).
func (p Profile) Layout() []File {
	open := NewAccess(map[Operation]byte{EFRead: Always})
	byIssuer := NewAccess(map[Operation]byte{EFRead: Always, EFUpdate: p.IssuerKeyRef})
	if p.IssuerKeyRef == 0 {
		byIssuer = open
	}
	ef := func(path Path, size int, a Access) File { return File{Path: path, Size: size, Access: a} }
	df := func(path Path) File { return File{Path: path, Directory: true, Access: NewAccess(nil)} }
	list := []File{
		ef(EFGDO, SizeGDO, open),
		ef(EFKpub, 320, open),
		ef(EFCardStatus, 1, open),
		ef(EFRootInstFile, 2, byIssuer),
		df(DF0), ef(EFDatiProcessore, 32, open), ef(EFIDCarta, SizeCardID, open),
		df(DF1),
		{Path: EFCCarta, Size: SizeCertificate, Access: byIssuer, Protected: p.IssuerKeyRef != 0},
		ef(EFDatiPersonali, SizePersonalData, open),
		df(DF2), ef(EFMemoriaResidua, 2, byIssuer), ef(EFServiziInstall, 160, byIssuer), ef(EFInstFile, 320, byIssuer),
	}
	return append(list, p.options(ef, df)...)
}

func (p Profile) options(ef func(Path, int, Access) File, df func(Path) File) []File {
	open := NewAccess(map[Operation]byte{EFRead: Always})
	behindPIN := NewAccess(map[Operation]byte{EFRead: RefPIN, EFUpdate: RefPIN})
	var list []File
	if p.ATRFile {
		list = append(list, ef(EFATR, 33, open))
	}
	if p.AdditionalData {
		list = append(list, ef(EFAggiuntivi, 160, behindPIN))
	}
	if p.DigitalSignature {
		list = append(list, df(DFDS), ef(EFDSCertificate, SizeCertificate, open), df(DFDSKey), ef(EFDSPublicKey, 320, open))
	}
	if p.HealthDF {
		list = append(list, df(DFHealth), ef(EFHealthTEAM, 256, open), ef(EFHealthEmergency, 512, behindPIN))
	}
	return list
}
