package iso7816

// Instruction bytes (ISO/IEC 7816-4 table 5, 7816-8, 7816-9; those marked CNS
// come from the Italian masks, card.md section 8).
const (
	InsDeactivateFile       byte = 0x04
	InsVerify               byte = 0x20
	InsManageSecurity       byte = 0x22 // MANAGE SECURITY ENVIRONMENT
	InsChangeReferenceData  byte = 0x24
	InsPerformSecurity      byte = 0x2A // PERFORM SECURITY OPERATION
	InsResetRetryCounter    byte = 0x2C
	InsActivateFile         byte = 0x44
	InsGenerateKeyPair      byte = 0x46
	InsExternalAuthenticate byte = 0x82
	InsGetChallenge         byte = 0x84
	InsInternalAuthenticate byte = 0x88
	InsSelect               byte = 0xA4
	InsReadBinary           byte = 0xB0
	InsGetResponse          byte = 0xC0
	InsGetData              byte = 0xCA
	InsUpdateBinary         byte = 0xD6
	InsPutData              byte = 0xDA
	InsCreateFile           byte = 0xE0
)
