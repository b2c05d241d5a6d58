package cryptoki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"

	"cse.example/cse/card/holder"
)

// ability is what one mechanism does.
type ability struct {
	sign, pss bool
	hash      crypto.Hash // the module hashes; 0: the caller did
}

// abilities are all mechanisms. CKM_RSA_X_509 is not among them: no caller here
// needs it, and a key that raises any block is a weaker key.
var abilities = map[MechanismType]ability{
	RSAPKCS:          {sign: true},
	RSAPKCSPSS:       {sign: true, pss: true},
	SHA256RSAPKCS:    {sign: true, hash: crypto.SHA256},
	SHA384RSAPKCS:    {sign: true, hash: crypto.SHA384},
	SHA512RSAPKCS:    {sign: true, hash: crypto.SHA512},
	SHA256RSAPKCSPSS: {sign: true, pss: true, hash: crypto.SHA256},
	SHA384RSAPKCSPSS: {sign: true, pss: true, hash: crypto.SHA384},
	SHA512RSAPKCSPSS: {sign: true, pss: true, hash: crypto.SHA512},
	SHA1:             {hash: crypto.SHA1},
	SHA256:           {hash: crypto.SHA256},
	SHA384:           {hash: crypto.SHA384},
	SHA512:           {hash: crypto.SHA512},
}

// MechanismList is C_GetMechanismList, in ascending order.
func (m *Module) MechanismList(id SlotID) ([]MechanismType, RV) {
	if rv := m.present(id); rv != OK {
		return nil, rv
	}
	var list []MechanismType
	for t := range abilities {
		list = append(list, t)
	}
	slices.Sort(list)
	return list, OK
}

// MechanismInfo is C_GetMechanismInfo.
func (m *Module) MechanismInfo(id SlotID, t MechanismType) (MechanismInfo, RV) {
	if rv := m.present(id); rv != OK {
		return MechanismInfo{}, rv
	}
	a, ok := abilities[t]
	switch {
	case !ok:
		return MechanismInfo{}, MechanismInvalid
	case a.sign:
		return MechanismInfo{MinBits: 1024, MaxBits: 2048, Flags: FlagHW | FlagSign}, OK
	}
	return MechanismInfo{Flags: FlagDigest}, OK
}

// present tells whether a card is in the slot; it is not touched.
func (m *Module) present(id SlotID) RV {
	m.look(false)
	m.mu.Lock()
	defer m.mu.Unlock()
	s, rv := m.slot(id)
	if rv == OK && !s.now.Present {
		rv = TokenNotPresent
	}
	return rv
}

// pssParameters is CK_RSA_PKCS_PSS_PARAMS, three CK_ULONG.
type pssParameters struct {
	hash crypto.Hash
	salt int
}

// mgf numbers of PKCS#11 for each hash.
var mgf = map[crypto.Hash]uint{crypto.SHA256: 2, crypto.SHA384: 3, crypto.SHA512: 4}

// parsePSS reads the parameters. Hash and mask generation must use one and the
// same of SHA-256, SHA-384, SHA-512, and the salt must fit the key.
func parsePSS(b []byte, a ability, key *rsa.PublicKey) (pssParameters, RV) {
	if len(b) != 3*ulongSize {
		return pssParameters{}, MechanismParamInvalid
	}
	hash, generator, salt := abilities[MechanismType(readUlong(b))], readUlong(b[ulongSize:]), readUlong(b[2*ulongSize:])
	number, known := mgf[hash.hash]
	switch {
	case !known || hash.sign || generator != number:
		return pssParameters{}, MechanismParamInvalid
	case a.hash != 0 && a.hash != hash.hash:
		return pssParameters{}, MechanismParamInvalid
	case salt > uint(key.Size()) || int(salt)+hash.hash.Size()+2 > (key.N.BitLen()+6)/8:
		return pssParameters{}, MechanismParamInvalid
	}
	return pssParameters{hash: hash.hash, salt: int(salt)}, OK
}

// block pads what is to be signed: a digest, or for plain CKM_RSA_PKCS whatever
// the caller wants behind the padding.
func (a ability) block(key *rsa.PublicKey, pss pssParameters, data []byte) ([]byte, RV) {
	if a.pss {
		if len(data) != pss.hash.Size() {
			return nil, DataLenRange
		}
		b, err := holder.PadPSS(rand.Reader, key, pss.hash, data, pss.salt)
		if err != nil {
			return nil, DataLenRange
		}
		return b, OK
	}
	b, err := holder.PadPKCS1(key.Size(), a.hash, data)
	if err != nil {
		return nil, DataLenRange
	}
	return b, OK
}

// right tells whether a signature raised to the public exponent gives the block
// that was signed.
func right(key *rsa.PublicKey, block, signature []byte) bool {
	if len(signature) != key.Size() {
		return false
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 {
		return false
	}
	return s.Exp(s, big.NewInt(int64(key.E)), key.N).Cmp(new(big.Int).SetBytes(block)) == 0
}
