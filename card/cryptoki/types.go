package cryptoki

import (
	"bytes"
	"unicode/utf8"
)

// The numbers of PKCS#11 2.40 that this module uses, under their own names
// without the prefix.
type (
	// SlotID is CK_SLOT_ID.
	SlotID uint
	// Handle is a CK_SESSION_HANDLE or CK_OBJECT_HANDLE; 0 is none.
	Handle uint
	// UserType is CK_USER_TYPE.
	UserType uint
	// AttributeType is CK_ATTRIBUTE_TYPE.
	AttributeType uint
	// MechanismType is CK_MECHANISM_TYPE.
	MechanismType uint
)

// Unavailable is CK_UNAVAILABLE_INFORMATION, (CK_ULONG)-1.
const Unavailable = ^uint(0)

// Users.
const (
	SO              UserType = 0
	User            UserType = 1
	ContextSpecific UserType = 2
	nobody          UserType = 99 // ours: no one is logged in
)

// Flags of slots, tokens, sessions and mechanisms.
const (
	FlagTokenPresent    = 0x1
	FlagRemovableDevice = 0x2
	FlagHWSlot          = 0x4

	FlagLoginRequired         = 0x4
	FlagUserPINInit           = 0x8
	FlagProtectedPath         = 0x100
	FlagTokenInitialized      = 0x400
	FlagUserPINCountLow       = 0x10000
	FlagUserPINFinalTry       = 0x20000
	FlagUserPINLocked         = 0x40000
	FlagSOPINCountLow         = 0x100000
	FlagSOPINFinalTry         = 0x200000
	FlagSOPINLocked           = 0x400000
	FlagRWSession             = 0x2
	FlagSerialSession         = 0x4
	FlagHW                    = 0x1
	FlagDigest                = 0x400
	FlagSign                  = 0x800
	FlagDontBlock             = 0x1
	StateROPublic             = 0
	StateROUser               = 1
	StateRWPublic             = 2
	StateRWUser               = 3
	StateRWSO                 = 4
	classData            uint = 0
	classCertificate     uint = 1
	classPublicKey       uint = 2
	classPrivateKey      uint = 3
	keyRSA               uint = 0
	certificateX509      uint = 0
)

// Mechanisms.
const (
	RSAPKCS          MechanismType = 0x0001
	RSAPKCSPSS       MechanismType = 0x000D
	SHA256RSAPKCS    MechanismType = 0x0040
	SHA384RSAPKCS    MechanismType = 0x0041
	SHA512RSAPKCS    MechanismType = 0x0042
	SHA256RSAPKCSPSS MechanismType = 0x0043
	SHA384RSAPKCSPSS MechanismType = 0x0044
	SHA512RSAPKCSPSS MechanismType = 0x0045
	SHA1             MechanismType = 0x0220
	SHA256           MechanismType = 0x0250
	SHA384           MechanismType = 0x0260
	SHA512           MechanismType = 0x0270
)

// Attributes.
const (
	attrClass              AttributeType = 0x000
	attrToken              AttributeType = 0x001
	attrPrivate            AttributeType = 0x002
	attrLabel              AttributeType = 0x003
	attrValue              AttributeType = 0x011
	attrCertificateType    AttributeType = 0x080
	attrIssuer             AttributeType = 0x081
	attrSerialNumber       AttributeType = 0x082
	attrTrusted            AttributeType = 0x086
	attrCategory           AttributeType = 0x087
	attrCheckValue         AttributeType = 0x090
	attrKeyType            AttributeType = 0x100
	attrSubject            AttributeType = 0x101
	attrID                 AttributeType = 0x102
	attrSensitive          AttributeType = 0x103
	attrEncrypt            AttributeType = 0x104
	attrDecrypt            AttributeType = 0x105
	attrWrap               AttributeType = 0x106
	attrUnwrap             AttributeType = 0x107
	attrSign               AttributeType = 0x108
	attrSignRecover        AttributeType = 0x109
	attrVerify             AttributeType = 0x10A
	attrVerifyRecover      AttributeType = 0x10B
	attrDerive             AttributeType = 0x10C
	attrStartDate          AttributeType = 0x110
	attrEndDate            AttributeType = 0x111
	attrModulus            AttributeType = 0x120
	attrModulusBits        AttributeType = 0x121
	attrPublicExponent     AttributeType = 0x122
	attrPrivateExponent    AttributeType = 0x123
	attrPrime1             AttributeType = 0x124
	attrCoefficient        AttributeType = 0x128
	attrPublicKeyInfo      AttributeType = 0x129
	attrExtractable        AttributeType = 0x162
	attrLocal              AttributeType = 0x163
	attrNeverExtractable   AttributeType = 0x164
	attrAlwaysSensitive    AttributeType = 0x165
	attrModifiable         AttributeType = 0x170
	attrCopyable           AttributeType = 0x171
	attrDestroyable        AttributeType = 0x172
	attrAlwaysAuthenticate AttributeType = 0x202
	attrWrapWithTrusted    AttributeType = 0x210
)

// Version is CK_VERSION.
type Version struct{ Major, Minor byte }

// Info is CK_INFO.
type Info struct {
	Cryptoki, Library         Version
	Manufacturer, Description string
}

// SlotInfo is CK_SLOT_INFO.
type SlotInfo struct {
	Description, Manufacturer string
	Flags                     uint
}

// TokenInfo is CK_TOKEN_INFO. Counts of sessions are exact, memory is not told.
type TokenInfo struct {
	Label, Manufacturer, Model, Serial string
	Flags                              uint
	Sessions, ReadWrite                uint
	MaxPIN, MinPIN                     uint
}

// SessionInfo is CK_SESSION_INFO.
type SessionInfo struct {
	Slot         SlotID
	State, Flags uint
}

// MechanismInfo is CK_MECHANISM_INFO.
type MechanismInfo struct{ MinBits, MaxBits, Flags uint }

// Mechanism is CK_MECHANISM; Parameter is the memory behind pParameter.
type Mechanism struct {
	Type      MechanismType
	Parameter []byte
}

// Attribute is one line of a search template.
type Attribute struct {
	Type  AttributeType
	Value []byte
}

// Padded is s as a fixed field of n bytes: UTF-8, blanks behind, cut between two
// characters.
func Padded(s string, n int) []byte {
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return append([]byte(s), bytes.Repeat([]byte(" "), n-len(s))...)
}
